"""Small networks and texts that the tests of the Transformers share."""

import numpy as np
import pytest
import torch

from firth.lm.neural import bert, gpt, gpt2
from firth.lm.neural.stream import Stream

KINDS = {"gpt": gpt, "gpt2": gpt2, "bert": bert}
MARKS = bert.Marks(pad=0, cls=1, sep=2, mask=3)
END = 4
WORDS = 40


def network(kind, *, noise=0.1, **sizes):
    """A network in eval mode whose weights are far enough from their start that all of them matter."""
    module = KINDS[kind]
    sizes = {"vocabulary": WORDS, "dims": 16, "layers": 2, "heads": 2, "context": 12, **sizes}
    torch.manual_seed(1)
    config = module.Config(**sizes)
    made = bert.Bert(config, MARKS) if kind == "bert" else module.create(config, None)
    with torch.no_grad():
        for weights in made.parameters():
            weights += noise * torch.randn_like(weights)
    return made.eval()


def stream(lines):
    """Lines of ids, each with the end token behind it."""
    ids = [id for line in lines for id in (*line, END)]
    offsets = np.cumsum([0, *(len(line) + 1 for line in lines)])
    return Stream(np.array(ids, np.uint16), offsets, END, bytes=0)


def tokens(rows, columns, *, seed=0):
    """Ids (rows, columns) of ordinary words."""
    return torch.from_numpy(np.random.default_rng(seed).integers(END + 1, WORDS, (rows, columns)))


kinds, causal_kinds = pytest.mark.parametrize("kind", KINDS), pytest.mark.parametrize("kind", ["gpt", "gpt2"])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def close(found, expected, **tolerance):
    torch.testing.assert_close(found, expected, **{"atol": 1e-5, "rtol": 1e-4, **tolerance})

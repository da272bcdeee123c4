"""Generation by networks: token by token as by definition, whatever stands beside it."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from networks import network, one_thread  # noqa: F401 - a fixture

import firth
from firth import lm
from firth.cli import main
from firth.lm.neural.generate import generate
from firth.lm.sampling import Sampling

GREEDY = Sampling(temperature=0)
FREE = Sampling(temperature=1.3)
PROMPTS = [[5, 6, 7], [9], [8] * 12, list(range(5, 35)), [30, 31]]
kinds = pytest.mark.parametrize("kind", ["gpt", "gpt2"])


def lively(kind):
    return network(kind, noise=0.3)


def by_definition(made, prompt, length):
    """The likeliest token after the whole window, again and again; the window forgets half a context at a time."""
    ids, context = list(prompt), made.config.context
    for _ in range(length):
        seen = ids
        while len(seen) > context:
            seen = seen[context // 2 :]
        with torch.no_grad():
            ids.append(int(made.logits(made.hidden(torch.tensor([seen]))[-1][0, -1]).argmax()))
    return ids[len(prompt) :]


@kinds
def test_greedy_is_the_loop_over_argmax(kind):
    made = lively(kind)
    found = generate(made, PROMPTS, length=30, sampling=GREEDY, seeds=[0] * 5)
    assert found == [by_definition(made, prompt, 30) for prompt in PROMPTS]
    assert len({tuple(text) for text in found}) > 1


@kinds
@pytest.mark.parametrize("sampling", [FREE, Sampling(top_k=5), Sampling(top_p=0.7)])
def test_a_text_does_not_depend_on_the_others(kind, sampling):
    made, seeds = lively(kind), [3, 4, 5, 6, 7]
    end = generate(made, [[30, 31]], length=4, sampling=sampling, seeds=[7])[0][-1]
    together = generate(made, PROMPTS, length=30, sampling=sampling, seeds=seeds, end=end)
    alone = [
        generate(made, [prompt], length=30, sampling=sampling, seeds=[seed], end=end)[0]
        for prompt, seed in zip(PROMPTS, seeds, strict=True)
    ]
    assert together == alone
    assert len({len(text) for text in together}) > 1  # one has stopped before the others


def test_texts_of_one_prompt_differ_by_their_seeds():
    found = generate(lively("gpt2"), [[5, 6]] * 3, length=10, sampling=FREE, seeds=[1, 2, 1])
    assert found[0] == found[2] != found[1]


@kinds
def test_the_end_token_ends_a_text_and_is_left_out(kind):
    made = lively(kind)
    whole = generate(made, [[5, 6]], length=30, sampling=GREEDY, seeds=[0])[0]
    end = whole[7]
    assert generate(made, [[5, 6]], length=30, sampling=GREEDY, seeds=[0], end=end)[0] == whole[: whole.index(end)]


def test_some_tokens_are_never_drawn():
    found = generate(lively("gpt"), [[5]] * 4, length=40, sampling=FREE, seeds=range(4), never=range(20))
    assert min(map(min, found)) >= 20


def test_no_length_no_text_and_no_prompt_no_texts():
    assert generate(lively("gpt"), [[5]], length=0, seeds=[1]) == [[]]
    assert generate(lively("gpt"), [], length=5, seeds=[]) == []


def test_the_network_is_left_as_it_was():
    made = network("gpt2", noise=0.3).train()
    found = generate(made, [[5, 6]], length=20, sampling=GREEDY, seeds=[0])
    assert made.training
    assert found == generate(
        made.eval(), [[5, 6]], length=20, sampling=GREEDY, seeds=[0]
    )  # no dropout either time
    assert not made.training


def test_what_cannot_be_generated():
    with pytest.raises(firth.errors.SettingsError, match="Bert sees both sides"):
        generate(network("bert"), [[5]], length=1, seeds=[1])
    with pytest.raises(firth.errors.SettingsError, match="prompt 1 has no tokens"):
        generate(lively("gpt"), [[5], []], length=1, seeds=[1, 2])


@given(
    st.lists(st.integers(-6, 0), min_size=1, max_size=30),
    st.none() | st.integers(1, 40),
    st.none() | st.floats(0.05, 1),
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_sampling_draws_from_the_likeliest_by_their_order(logs, top_k, top_p, temperature):
    weights = np.exp(np.array(logs, float) / temperature)
    order = np.argsort(-weights, kind="stable")[:top_k]
    if top_p is not None:
        before = np.cumsum(weights[order]) - weights[order]
        order = order[before < top_p * weights[order].sum() * (1 - 1e-12)]
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    drawn = {sampling.draw(np.array(logs, float), np.random.default_rng(seed)) for seed in range(40)}
    assert drawn <= set(order.tolist())


def test_sampling_keeps_to_the_shares():
    log = np.log(np.array([0.1, 0.4, 0.2, 0.3]))
    random = np.random.default_rng(1)
    drawn = np.bincount([Sampling(top_k=3).draw(log, random) for _ in range(4000)], minlength=4) / 4000
    np.testing.assert_allclose(drawn, np.array([0, 4, 2, 3]) / 9, atol=0.03)
    drawn = np.bincount([Sampling(top_p=0.65).draw(log, random) for _ in range(4000)], minlength=4) / 4000
    np.testing.assert_allclose(drawn, np.array([0, 4, 0, 3]) / 7, atol=0.03)


# By the model that a person holds, and from the command line


LINES = ["the cat sat on the mat", "a dog ran to the cat", "the dog sat on a mat"] * 20
SMALL = {"dims": 16, "layers": 1, "heads": 2, "context": 12}


TOKENS = {"gpt": "words", "gpt2": "bytes", "nnlm": "words", "elmo": "spelled"}


@pytest.fixture(scope="module", params=TOKENS)
def model(request, tmp_path_factory):
    """A model that has learnt a little."""
    kind, tokens = request.param, TOKENS[request.param]
    settings = SMALL if kind.startswith("gpt") else {"dims": 16}
    pieces = {"vocabulary": 280} if tokens == "bytes" else {}
    text = tmp_path_factory.mktemp("text") / "text.txt"
    text.write_text("\n".join(LINES) + "\n")
    made = lm.Neural(kind, tokens=tokens, **settings, **pieces)
    return made.fit(str(text), epochs=3, batch=16, learning_rate=1e-2, progress=False)


def test_a_model_goes_on_from_the_beginning_of_a_line(model):
    prompts = ["the cat", "", "a dog ran"]
    texts = model.generate(prompts, length=15, seed=3)
    assert all(text.startswith(prompt) for text, prompt in zip(texts, prompts, strict=True))
    assert texts == [model.generate(prompt, length=15, seed=3 + row) for row, prompt in enumerate(prompts)]
    hot = [model.generate(prompts, length=15, seed=seed, sampling=Sampling(temperature=3)) for seed in (3, 9)]
    assert hot[0] != hot[1]
    assert not any("<unk>" in text for text in hot[0])


def test_a_model_says_after_a_prompt_what_it_says_after_an_end_of_line(model):
    tokens = model.tokens
    ids = [tokens.end, *tokens.encode("the cat sat")]
    with torch.no_grad():
        scores = model.network.logits(model.network.hidden(torch.tensor([ids]))[-1][0, -1])
    if tokens.unknown is not None:
        scores[tokens.unknown] = -torch.inf
    word = tokens.decode([int(scores.argmax())])
    expected = "the cat sat" + (word if tokens.kind == "bytes" else f" {word}")
    assert model.generate("the cat sat", length=1, sampling=GREEDY) == expected.rstrip(" ")


def test_generate_from_the_command_line(model, tmp_path):
    model.save(tmp_path / "run")
    call = ["lm", "generate", str(tmp_path / "run"), "the cat", "--length", "8", "--seed", "5"]
    result = CliRunner().invoke(main, [*call, "--samples", "2", "--json"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert rows == [{"text": model.generate("the cat", length=8, seed=seed), "seed": seed} for seed in (5, 6)]
    again = CliRunner().invoke(main, call)
    assert again.output == rows[0]["text"] + "\n"

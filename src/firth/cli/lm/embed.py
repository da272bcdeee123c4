"""firth lm embed: vectors of texts."""

from __future__ import annotations

from typing import Any, cast

import click
import numpy as np

from firth import lm
from firth.cli.options import as_json, command_with, option
from firth.cli.output import show
from firth.errors import SettingsError
from firth.files import atomic_write, check_writable, open_binary
from firth.words import decode

_POOLS = ("mean", "max", "last", "cls", "none")


@command_with(
    example="firth lm embed run/ texts.txt -o texts.npy\n"
    "firth lm embed path/to/hf-bert texts.txt -o tokens.npz --layer 8 --pool none"
)
@click.argument("model")
@click.argument("file", default="-")
@option("--out", "-o", required=True, metavar="OUT", help="NAME.npy; with --pool none NAME.npz")
@option("--layer", default="top", metavar="LAYER", help="top, a number from 0, mix (the mean of all) or all")
@option("--pool", type=click.Choice(_POOLS), default="mean", help="of the tokens' vectors; none keeps them")
@option("--batch", default=32, metavar="N", help="texts that are read at once")
@option("--device", metavar="NAME", default="cpu", help="where to compute: cpu, cuda or mps")
@as_json
def command(
    model: str, file: str, out: str, layer: str, pool: Any, batch: int, device: str, as_json: bool
) -> None:
    """Write the vectors that a network gives the lines of FILE (default: standard input).

    MODEL is what firth lm train wrote of a network, or a Hugging Face directory. OUT is numpy's: float32 (N, D),
    or (N, L + 1, D) for all layers. With --pool none it holds `vectors`, all tokens one after another, `offsets`,
    line i being from offsets[i] to offsets[i + 1], and `tokens`, what they are.
    """
    extension = ".npz" if pool == "none" else ".npy"
    if not out.endswith(extension):
        raise click.UsageError(f"--pool {pool} writes {extension}; name OUT so, not {out}")
    check_writable(out)
    chosen = lm.load(model)
    if isinstance(chosen, lm.NGram):
        raise SettingsError(f"{model}: an n-gram model has no vectors; take a network")
    with open_binary(file) as lines:
        texts = [decode(line).rstrip("\r\n") for line in lines]
    if not texts:
        raise SettingsError(f"{file}: there are no lines to embed")
    level: Any = int(layer) if layer.lstrip("-").isdigit() else layer
    chosen.to(device)
    if pool == "none":
        found = chosen.embed(texts, layer=level, pool=None, batch=batch)
        each = [chosen.tokens.pieces(chosen.tokens.encode(text)) for text in texts]
        arrays: dict[str, Any] = {
            "vectors": np.concatenate(found, axis=-2),
            "offsets": np.cumsum([0, *map(len, each)]),
            "tokens": np.array([piece for pieces in each for piece in pieces]),
        }
        with atomic_write(out) as written:
            np.savez(written, **arrays)
        shape = arrays["vectors"].shape
    else:
        vectors = cast(np.ndarray, chosen.embed(texts, layer=level, pool=pool, batch=batch))
        with atomic_write(out) as written:
            np.save(written, vectors)
        shape = vectors.shape
    result = {"saved": out, "texts": len(texts), "shape": list(shape)}
    show(result, f"saved {out}: {len(texts):,} texts, {' × '.join(map(str, shape))}", as_json)

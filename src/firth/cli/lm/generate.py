"""firth lm generate: go on from a beginning."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any, get_type_hints

import click

from firth import lm
from firth.cli.options import as_json, command_with, option, typed_option
from firth.lm.sampling import Sampling


def _sampling(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `Sampling`, given to the command as one."""
    fields = dataclasses.fields(Sampling)

    @functools.wraps(function)
    def wrapper(**values: Any) -> Any:
        return function(sampling=Sampling(**{each.name: values.pop(each.name) for each in fields}), **values)

    wrapped: Callable[..., Any] = wrapper
    for each in reversed(fields):
        shown = {} if each.default is not None else {"default_text": "all words"}
        hint = get_type_hints(Sampling)[each.name]
        wrapped = typed_option(each.name, hint, default=each.default, help=each.metadata["help"], **shown)(wrapped)
    return wrapped


@command_with(example='firth lm generate run/ "The city of" --samples 3 --seed 7')
@click.argument("model")
@click.argument("prompt", default="")
@option("--length", default=100, metavar="N", help="words or pieces at most; a line's end comes before")
@option("--samples", default=1, metavar="N", help="texts to generate")
@option("--seed", default=1, metavar="N", help="of everything random; the next text has the next one")
@option("--device", metavar="NAME", default="cpu", help="where a network computes: cpu, cuda or mps")
@_sampling
@as_json
def command(
    model: str,
    prompt: str,
    length: int,
    samples: int,
    seed: int,
    device: str,
    sampling: Sampling,
    as_json: bool,
) -> None:
    """Go on from PROMPT, the beginning of a line, with words drawn from what a model foresees.

    MODEL is what firth lm train wrote, a Hugging Face directory, or an ARPA file.
    """
    found = lm.load(model)
    if isinstance(found, lm.NGram):
        words = [found.generate(prompt, length=length, sampling=sampling, seed=seed + n) for n in range(samples)]
        texts = [" ".join([*prompt.split(), *each]) for each in words]
    else:
        texts = found.to(device).generate([prompt] * samples, length=length, sampling=sampling, seed=seed)
    for number, text in enumerate(texts):
        click.echo(json.dumps({"text": text, "seed": seed + number}, ensure_ascii=False) if as_json else text)

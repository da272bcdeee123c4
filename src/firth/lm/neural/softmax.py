"""Cross entropy over large vocabularies, a few rows at a time: the scores of all never exist at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_SCORES = {"cpu": 1 << 21}  # that exist at once: on a CPU, as many as its caches hold
_MOST, _ROWS = 1 << 27, 128  # elsewhere; and at least, for the sake of the products


def cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The mean of −ln softmax(hidden·weightᵀ + bias)[target], and how often the target is the likeliest.

    `hidden` (N, D), `weight` (V, D), `targets` (N,) int64, `bias` (V,). The gradient is computed with the loss.
    """
    found: tuple[Tensor, Tensor] = _CrossEntropy.apply(hidden, weight, targets, bias)  # type: ignore[no-untyped-call]
    return found


class _CrossEntropy(torch.autograd.Function):
    """d nll / d scores = softmax − one-hot: known as soon as the scores are, which are then let go."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        learns = any(ctx.needs_input_grad)
        rows = max(_SCORES.get(hidden.device.type, _MOST) // len(weight), _ROWS)
        total = hidden.new_zeros((), dtype=torch.float64 if hidden.dtype == torch.float64 else torch.float32)
        hits = torch.zeros((), dtype=torch.int64, device=hidden.device)
        if learns:
            of_hidden, of_weight = torch.empty_like(hidden), torch.zeros_like(weight)
            of_bias = None if bias is None else torch.zeros_like(bias)
        for start in range(0, len(targets), rows):
            chosen = slice(start, start + rows)
            some, wanted = hidden[chosen], targets[chosen, None]
            scores = functional.linear(some, weight, bias)
            log = torch.log_softmax(scores, -1, dtype=total.dtype)
            found = log.gather(1, wanted)
            total -= found.sum()
            hits += (found[:, 0] >= log.amax(1)).sum()
            if learns:
                error = log.exp_().scatter_add_(1, wanted, log.new_full((1, 1), -1.0).expand_as(wanted))
                error = error.to(scores.dtype)
                of_hidden[chosen] = error @ weight.to(error.dtype)
                of_weight += error.T @ some.to(error.dtype)
                if of_bias is not None:
                    of_bias += error.sum(0)
        count = max(len(targets), 1)
        if learns:
            ctx.save_for_backward(of_hidden, of_weight, of_bias)
            ctx.count = count
        ctx.mark_non_differentiable(hits)
        return total / count, hits

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        of_hidden, of_weight, of_bias = ctx.saved_tensors
        scale = outer[0] / ctx.count
        return of_hidden * scale, of_weight * scale, None, None if of_bias is None else of_bias * scale

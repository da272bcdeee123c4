"""Dropout (Srivastava et al. 2014), which on a CPU need not cost more than what it is applied to."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_SIDES = 1 << 16  # of a die


def dropout(x: Tensor, share: float) -> Tensor:
    """`x` with a share of its elements 0 and the others so much larger that its mean stays.

    torch draws a number an element on one core; here four elements share 64 bits of torch's generator. The share
    is then exact to 1/65,536.
    """
    if x.device.type != "cpu":
        return functional.dropout(x, share)
    count, low = x.numel(), round(share * _SIDES)
    dice = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(1 << 63), None).view(torch.int16)
    kept = dice[:count].view(x.shape) >= low - _SIDES // 2
    return x * kept.to(x.dtype).mul_(_SIDES / (_SIDES - low))


class Dropout(nn.Module):
    """Dropout while training, else nothing."""

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        return dropout(x, self.share) if self.training and self.share else x

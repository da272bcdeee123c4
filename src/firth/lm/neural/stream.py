"""A text as one array of token ids, and where its lines end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Stream:
    """All lines of a text one after another, each with the end token behind it.

    `ids` is uint16 or uint32 of shape (N,), mapped from disk; line s is `ids[offsets[s]:offsets[s + 1]]`, the last
    of which is `end`; `offsets` is int64 of shape (S + 1,).
    """

    ids: NDArray[np.unsignedinteger]
    offsets: NDArray[np.int64]
    end: int

    def __len__(self) -> int:
        return len(self.ids)

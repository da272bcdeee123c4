"""Smoothing: what is taken from the n-grams that were seen, and how it reaches those that were not.

All formulas speak of P(w|h), w after the history h, of which h′ is h without its first word; c(hw) is a count, V
the number of words, `</s>` and `<unk>` included. What is taken from each count, length by length, is worked out
here from the counts of counts; the loops that use it are in `cpp/ngram_estimate.cpp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from firth.errors import SettingsError, TrainingError
from firth.settings import real, whole

Combine = Literal["interpolate", "back-off", "alone"]


@dataclass(frozen=True)
class Discount:
    """Taken from a count c: `take[c]`, the last entry from there on, and `share`·c; `add` is added to each."""

    take: tuple[float, ...] = (0.0,)
    share: float = 0.0
    add: float = 0.0


@dataclass(frozen=True)
class MaximumLikelihood:
    """P(w|h) = c(hw)/c(h): nothing is left for what was not seen, and undefined after unseen histories."""

    name: ClassVar[str] = "maximum-likelihood"
    combine: ClassVar[Combine] = "alone"
    adjusted: ClassVar[bool] = False

    def discount(self, k: int, counts: Sequence[int]) -> Discount:
        """Nothing."""
        return Discount()


@dataclass(frozen=True)
class AddK:
    """P(w|h) = (c(hw) + k)/(c(h) + kV): every word was seen k times more (Lidstone; Laplace for k = 1)."""

    k: float = field(default=0.01, metadata={"help": "what is added to every count"})
    name: ClassVar[str] = "add-k"
    combine: ClassVar[Combine] = "alone"
    adjusted: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < real("k", self.k) < 1e6:
            raise SettingsError(f"k={self.k} must be above 0; 1 is Laplace's, 0.01 fits texts better")

    def discount(self, k: int, counts: Sequence[int]) -> Discount:
        """k to each."""
        return Discount(add=float(self.k))


@dataclass(frozen=True)
class JelinekMercer:
    """P(w|h) = λ c(hw)/c(h) + (1 − λ) P(w|h′), a λ for each length of n-grams (Jelinek & Mercer 1980).

    `weights` are λ₁, λ₂ … by the length of n-grams, the last one for all that are longer. None has them estimated:
    a λ is the one that predicts the text best, each occurrence left out of the counts in its turn.
    """

    weights: tuple[float, ...] | None = field(
        default=None, metadata={"help": "the weight of counts, by the length of n-grams", "default": "estimated"}
    )
    name: ClassVar[str] = "jelinek-mercer"
    combine: ClassVar[Combine] = "interpolate"
    adjusted: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.weights is not None:
            object.__setattr__(self, "weights", tuple(real("weights", each) for each in self.weights))
            if not self.weights or not all(0 < each < 1 for each in self.weights):
                raise SettingsError(f"weights={self.weights} must be numbers between 0 and 1, like (0.9, 0.7)")

    def discount(self, k: int, counts: Sequence[int]) -> Discount:
        """1 − λ of each count, for given weights."""
        if self.weights is None:
            raise TypeError("the weights are yet to be estimated")
        return Discount(share=1 - self.weights[min(k, len(self.weights)) - 1])


@dataclass(frozen=True)
class Katz:
    """P(w|h) = d c(hw)/c(h) if hw was seen, else α(h) P(w|h′); d by Good and Turing up to a count (Katz 1987).

    d_r = (r*/r − B)/(1 − B) with r* = (r + 1) n_{r+1}/n_r and B = (cutoff + 1) n_{cutoff+1}/n₁, where n_r n-grams
    occur r times. Where these are not between 0 and 1, as in small texts, the cutoff is lowered for that length; a
    history from which nothing is taken gives as much as one occurrence to what it was not seen with.
    """

    cutoff: int = field(default=5, metadata={"help": "counts above it are trusted as they are"})
    name: ClassVar[str] = "katz"
    combine: ClassVar[Combine] = "back-off"
    adjusted: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "cutoff", whole("cutoff", self.cutoff, 1, 6))

    def discount(self, k: int, counts: Sequence[int]) -> Discount:
        """r − r d_r for the counts r up to the cutoff."""
        for cutoff in range(self.cutoff, 0, -1):
            n = counts[: cutoff + 2]
            if 0 in n[1:]:
                continue
            beyond = (cutoff + 1) * n[cutoff + 1] / n[1]
            kept = (
                [((r + 1) * n[r + 1] / (r * n[r]) - beyond) / (1 - beyond) for r in range(1, cutoff + 1)]
                if (beyond < 1)
                else [0.0]
            )
            if all(0 < each <= 1 for each in kept):
                return Discount((0.0, *(r * (1 - each) for r, each in enumerate(kept, start=1)), 0.0))
        return Discount()


@dataclass(frozen=True)
class KneserNey:
    """P(w|h) = (a(hw) − D)/Σ a(h·) + γ(h) P(w|h′), interpolated (Kneser & Ney 1995).

    a(hw) is the number of occurrences for the longest n-grams and for those that begin a sentence, else the number
    of distinct words before hw. D = n₁/(n₁ + 2 n₂) for each length, unless `d` is given.
    """

    d: float | None = field(default=None, metadata={"help": "the discount of every count", "default": "estimated"})
    name: ClassVar[str] = "kneser-ney"
    combine: ClassVar[Combine] = "interpolate"
    adjusted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.d is not None and not 0 < real("d", self.d) < 1:
            raise SettingsError(f"d={self.d} must be between 0 and 1; 0.75 is customary")

    def discount(self, k: int, counts: Sequence[int]) -> Discount:
        """D from every count; raises `TrainingError` where it cannot be estimated."""
        if self.d is not None:
            return Discount((0.0, self.d))
        if not (counts[1] and counts[2]):
            raise _no_discount(k, 1 if counts[2] else 2, "d=0.75")
        return Discount((0.0, counts[1] / (counts[1] + 2 * counts[2])))


@dataclass(frozen=True)
class ModifiedKneserNey:
    """Kneser-Ney with three discounts, for the counts 1, 2, and 3 or more (Chen & Goodman 1998), as lmplz has it.

    D_r = r − (r + 1) Y n_{r+1}/n_r with Y = n₁/(n₁ + 2 n₂) for each length. `fallback`, three such numbers, stands
    in for the discounts of a length that cannot be estimated, as in tiny or artificial texts; lmplz has
    (0.5, 1, 1.5).
    """

    fallback: tuple[float, float, float] | None = field(
        default=None, metadata={"help": "discounts where a text is too small for estimates", "default": "an error"}
    )
    name: ClassVar[str] = "modified-kneser-ney"
    combine: ClassVar[Combine] = "interpolate"
    adjusted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.fallback is not None:
            fallback = tuple(real("fallback", each) for each in self.fallback)
            if len(fallback) != 3 or not all(0 < d <= r for r, d in enumerate(fallback, start=1)):
                raise SettingsError(
                    f"fallback={fallback} must be numbers up to 1, 2 and 3; lmplz has (0.5, 1, 1.5)"
                )
            object.__setattr__(self, "fallback", fallback)

    def discount(self, k: int, counts: Sequence[int]) -> Discount:
        """D₁, D₂ and D₃; raises `TrainingError` where they cannot be estimated."""
        n = counts
        if missing := [r for r in (1, 2, 3) if not n[r]]:
            if self.fallback is None:
                raise _no_discount(k, missing[0], "fallback=(0.5, 1, 1.5)")
            return Discount((0.0, *self.fallback))
        y = n[1] / (n[1] + 2 * n[2])
        found = [r - (r + 1) * y * n[r + 1] / n[r] for r in (1, 2, 3)]
        if all(0 <= d <= r for r, d in enumerate(found, start=1)):
            return Discount((0.0, *found))
        if self.fallback is None:
            shown = ", ".join(f"{each:.3f}" for each in found)
            raise TrainingError(
                f"the discounts of {k}-grams come out as {shown}, where up to 1, 2 and 3 make sense: the text is "
                "small or repeats itself; give more, remove repeated lines, or pass fallback=(0.5, 1, 1.5)"
            )
        return Discount((0.0, *self.fallback))


def _no_discount(k: int, count: int, remedy: str) -> TrainingError:
    return TrainingError(
        f"the discounts of {k}-grams cannot be estimated, for not one has the count {count}: the text is small or "
        f"repeats itself; give more, remove repeated lines, or pass {remedy}"
    )


Smoothing = MaximumLikelihood | AddK | JelinekMercer | Katz | KneserNey | ModifiedKneserNey
SMOOTHINGS: dict[str, type[Smoothing]] = {
    each.name: each for each in (ModifiedKneserNey, KneserNey, Katz, JelinekMercer, AddK, MaximumLikelihood)
}

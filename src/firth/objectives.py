"""Objectives: what is learnt from a prediction, and what probability the learnt model then gives to a word.

Each is a small frozen dataclass. It says what the native loop needs (output rows, a noise distribution, a tree,
a bias) and owns the formula of P(w | h), which differs from one objective to the next. The command line's flags
are made from the fields: a field's metadata is the flag's help.

Symbols as in Rong 2014: h hidden vector, u_w output vector, s_w = u_w·h, q noise distribution, K negatives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from firth._core import NoiseTable, TreeTable
from firth.errors import SettingsError
from firth.extend import carry_tree, same_words
from firth.settings import real, whole
from firth.vocab import Vocabulary

WRITTEN = 1 << 17  # words whose paths in the tree are written down, which takes 8 MB

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]


class _Objective:
    """What holds unless an objective says otherwise: an output row a word, and a softmax over their scores."""

    name: ClassVar[str]

    def output_rows(self, vocab: Vocabulary) -> int:
        """How many output rows there are."""
        return len(vocab)

    def start_bias(self, vocab: Vocabulary) -> float | None:
        """Where every output row's bias starts; None where there are no biases."""
        return None

    def carry(self, old: Floats, before: Vocabulary, new: Floats, after: Vocabulary) -> None:
        """Give the output rows `new` of a model over `after` what those over `before`, `old`, knew."""
        words = same_words(before, after)
        new[words.after] = old[words.before]

    def noise(self, vocab: Vocabulary) -> NoiseTable | None:
        """The distribution that negatives are drawn from, if any are."""
        return None

    def tree(self, vocab: Vocabulary) -> TreeTable | None:
        """The paths that predictions follow, if they do."""
        return None

    def probabilities(self, hidden: Floats, output: Floats, bias: Floats | None, vocab: Vocabulary) -> Doubles:
        """P(w | h) of every word, shape (V,).

        `hidden` is (N,), `output` (output_rows, N) and `bias` (output_rows,) or None.
        """
        scores = np.asarray(output @ hidden, dtype=np.float64)
        return _softmax(scores if bias is None else scores + bias)


def _softmax(scores: Doubles) -> Doubles:
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class _Sampled(_Objective):
    """What objectives share that draw noise words."""

    fewest: ClassVar[int] = 1  # negatives
    negatives: int = field(
        default=5, metadata={"help": "words drawn from the noise distribution for each prediction"}
    )
    exponent: float = field(
        default=0.75, metadata={"help": "the noise distribution is proportional to counts to this power"}
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "negatives", whole("negatives", self.negatives, self.fewest, 1000))
        object.__setattr__(self, "exponent", real("exponent", self.exponent))
        if not -10 <= self.exponent <= 10:
            raise SettingsError(f"exponent={self.exponent} must be from -10 to 10; 0.75 is customary")

    def noise(self, vocab: Vocabulary) -> NoiseTable | None:
        """The distribution that negatives are drawn from."""
        return NoiseTable(vocab.noise(self.exponent), self.negatives)


@dataclass(frozen=True)
class NegativeSampling(_Sampled):
    """E = −log σ(u_o·h) − Σ_k log σ(−u_k·h), the k drawn from q ∝ counts^exponent (Mikolov et al. 2013b).

    Its optimum is u·h = log P(w|h) − log(K·q(w)), so P(w|h) ∝ q(w)·exp(s_w) (Levy & Goldberg 2014).
    """

    name: ClassVar[str] = "negative-sampling"
    fewest: ClassVar[int] = 0

    def probabilities(self, hidden: Floats, output: Floats, bias: Floats | None, vocab: Vocabulary) -> Doubles:
        """P(w | h) ∝ q(w)·exp(s_w), shape (V,)."""
        return _softmax(output @ hidden + np.log(vocab.noise(self.exponent)))


@dataclass(frozen=True)
class HierarchicalSoftmax(_Objective):
    """A Huffman tree over the counts; P(w|h) = Π over w's path of σ(±θ·h), which sums to 1 over the words.

    Output rows are the V−1 inner nodes (Morin & Bengio 2005; Mikolov et al. 2013a).
    """

    name: ClassVar[str] = "hierarchical-softmax"

    def output_rows(self, vocab: Vocabulary) -> int:
        """One an inner node."""
        return len(vocab) - 1

    def carry(self, old: Floats, before: Vocabulary, new: Floats, after: Vocabulary) -> None:
        """The inner nodes of the new tree predict what the old tree's did, as well as may be."""
        if len(before) > 1:
            carry_tree(old, before, new, after)

    def tree(self, vocab: Vocabulary) -> TreeTable | None:
        """The Huffman tree."""
        return TreeTable(vocab.huffman().up, written=WRITTEN)

    def probabilities(self, hidden: Floats, output: Floats, bias: Floats | None, vocab: Vocabulary) -> Doubles:
        """P(w | h) = Π σ(±θ·h), shape (V,)."""
        if len(vocab) == 1:
            return np.ones(1)
        scores = np.asarray(output @ hidden, dtype=np.float64)
        turns = -np.logaddexp(0.0, np.stack([-scores, scores]))
        return np.asarray(np.exp(vocab.huffman().path_sums(turns)))


@dataclass(frozen=True)
class Softmax(_Objective):
    """The whole softmax, O(V·N) a prediction: exact, and the yardstick of the others. P(w|h) = softmax(s)."""

    name: ClassVar[str] = "softmax"


@dataclass(frozen=True)
class NCE(_Sampled):
    """Noise-contrastive estimation: the logistic form on s_w + b_w − log(K·q(w)) (Gutmann & Hyvärinen 2012).

    It estimates the normalised model, hence the biases b, which start at −log V. P(w|h) ∝ exp(s_w + b_w).
    """

    name: ClassVar[str] = "nce"

    def start_bias(self, vocab: Vocabulary) -> float | None:
        """−log V: every word equally probable."""
        return -float(np.log(len(vocab)))


@dataclass(frozen=True)
class SampledSoftmax(_Sampled):
    """Softmax over target and sample on s_w + b_w − log(K·q(w)), accidental hits of the target removed.

    Bengio & Senécal 2008, Jean et al. 2015. P(w|h) = softmax(s + b).
    """

    name: ClassVar[str] = "sampled-softmax"

    def start_bias(self, vocab: Vocabulary) -> float | None:
        """Zero."""
        return 0.0


Objective = NegativeSampling | HierarchicalSoftmax | Softmax | NCE | SampledSoftmax
OBJECTIVES: dict[str, type[Objective]] = {
    kind.name: kind for kind in (NegativeSampling, HierarchicalSoftmax, Softmax, NCE, SampledSoftmax)
}

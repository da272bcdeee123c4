"""Firth learns vectors for words, documents, graph nodes and items, and shows what they mean.

model = firth.Word2Vec(dim=100, context=firth.SkipGram(window=5), objective=firth.NegativeSampling(5))
model.fit("wiki.txt")
model.vectors.most_similar("king")
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from firth import lm
from firth.checkpoint import Checkpoint
from firth.contexts import CBOW, SkipGram
from firth.corpus import Corpus
from firth.errors import (
    CorpusError,
    FirthError,
    FirthWarning,
    FormatError,
    MissingExtraError,
    SettingsError,
    TrainingError,
    UnknownWordError,
    VocabularyError,
)
from firth.files import read_directory
from firth.models.callbacks import EarlyStopping
from firth.models.saved import KIND
from firth.models.word2vec import Word2Vec
from firth.objectives import NCE, HierarchicalSoftmax, NegativeSampling, SampledSoftmax, Softmax
from firth.vectors import Vectors
from firth.vocab import Vocabulary

__all__ = [
    "CBOW",
    "NCE",
    "Checkpoint",
    "Corpus",
    "CorpusError",
    "EarlyStopping",
    "FirthError",
    "FirthWarning",
    "FormatError",
    "HierarchicalSoftmax",
    "MissingExtraError",
    "NegativeSampling",
    "SampledSoftmax",
    "SettingsError",
    "SkipGram",
    "Softmax",
    "TrainingError",
    "UnknownWordError",
    "Vectors",
    "Vocabulary",
    "VocabularyError",
    "Word2Vec",
    "lm",
    "load",
]


def load(path: str | Path) -> Vectors | Word2Vec | lm.NGram | lm.Neural | lm.Task:
    """Open what Firth saves or reads: a model's directory gives the model, vectors in any format `Vectors`.

    An ARPA file, or a directory that Hugging Face's libraries wrote, gives a language model.
    """
    if lm.is_model(path):
        return lm.load(path)
    kind = read_directory(path).config.get("kind") if Path(path).is_dir() else None
    if kind == lm.TASK:
        return lm.Task.load(path)
    return Word2Vec.load(path) if kind == KIND else Vectors.load(path)


def __getattr__(name: str) -> str:
    if name == "__version__":
        return version("firth")
    raise AttributeError(f"module 'firth' has no attribute {name!r}")

"""What models know, in numbers: analogies, similarities that people judged, classes of texts, texts foreseen."""

from firth.evaluate.analogies import AnalogyResult, AnalogyScore, analogies
from firth.evaluate.classify import ClassifyResult, MeanOfWords, ProbeRun, TextEmbedder, classify
from firth.evaluate.labelled import Labelled, read_labelled
from firth.evaluate.perplexity import LanguageModel, Perplexity, TokenScores, perplexity
from firth.evaluate.polysemy import PolysemyResult, SenseScore, StaticWords, WordEmbedder, polysemy
from firth.evaluate.sets import EvaluationError
from firth.evaluate.similarity import PairResult, word_pairs

__all__ = [
    "AnalogyResult",
    "AnalogyScore",
    "ClassifyResult",
    "EvaluationError",
    "Labelled",
    "LanguageModel",
    "MeanOfWords",
    "PairResult",
    "Perplexity",
    "PolysemyResult",
    "ProbeRun",
    "SenseScore",
    "StaticWords",
    "TextEmbedder",
    "TokenScores",
    "WordEmbedder",
    "analogies",
    "classify",
    "perplexity",
    "polysemy",
    "read_labelled",
    "word_pairs",
]

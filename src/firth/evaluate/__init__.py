"""What models know, in numbers: analogies solved, similarities that people judged, and texts foreseen."""

from firth.evaluate.analogies import AnalogyResult, AnalogyScore, analogies
from firth.evaluate.perplexity import LanguageModel, Perplexity, TokenScores, perplexity
from firth.evaluate.sets import EvaluationError
from firth.evaluate.similarity import PairResult, word_pairs

__all__ = [
    "AnalogyResult",
    "AnalogyScore",
    "EvaluationError",
    "LanguageModel",
    "PairResult",
    "Perplexity",
    "TokenScores",
    "analogies",
    "perplexity",
    "word_pairs",
]

"""What vectors know, in numbers: analogies solved, and similarities that people judged."""

from firth.evaluate.analogies import AnalogyResult, AnalogyScore, analogies
from firth.evaluate.sets import EvaluationError
from firth.evaluate.similarity import PairResult, word_pairs

__all__ = ["AnalogyResult", "AnalogyScore", "EvaluationError", "PairResult", "analogies", "word_pairs"]

"""Vectors of words: stored, read, written and asked questions."""

from firth.vectors.analogies import Method
from firth.vectors.store import Neighbour, Vectors

__all__ = ["Method", "Neighbour", "Vectors"]

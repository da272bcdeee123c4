"""Vectors of words: stored, read, written and asked questions."""

from firth.vectors.store import Neighbour, Vectors

__all__ = ["Neighbour", "Vectors"]

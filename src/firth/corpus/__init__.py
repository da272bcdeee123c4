"""Text, counted and encoded once into mapped arrays of ids: what training sees."""

from firth.corpus.corpus import UNKNOWN, Corpus, Source

__all__ = ["UNKNOWN", "Corpus", "Source"]

"""Text, counted and encoded once into mapped arrays of ids: what training sees."""

from firth.corpus.corpus import UNKNOWN, Corpus, Source
from firth.corpus.reading import Reading, ReadingOptions, Tokenize

__all__ = ["UNKNOWN", "Corpus", "Reading", "ReadingOptions", "Source", "Tokenize"]

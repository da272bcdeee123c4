"""Models: thin compositions of a corpus, a context, an objective and the one loop."""

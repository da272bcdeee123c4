"""n-gram models: counting, smoothing, scoring, ARPA files."""

_core.__suffix__:
    class InvalidByte(ValueError):
        """A byte that is not UTF-8: its line and column, from 1, and its value."""

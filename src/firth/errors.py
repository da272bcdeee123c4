"""Errors that tell the value, the cause and the remedy in one line."""


class FirthError(Exception):
    """Base of every error that Firth raises on purpose; its text is fit to show to a user as it stands."""


class SettingsError(FirthError, ValueError):
    """A setting has a value that cannot work."""


class CorpusError(FirthError):
    """A corpus cannot be read, or holds nothing to learn from."""


class VocabularyError(FirthError):
    """A vocabulary cannot be read, or is left empty."""


class FormatError(FirthError):
    """A file of vectors or a saved model is not what it claims to be."""


class TrainingError(FirthError):
    """Training cannot go on."""


class UnknownWordError(FirthError, KeyError):
    """A word is not in the vocabulary."""

    __str__ = Exception.__str__  # KeyError shows the repr of its argument


class MissingExtraError(FirthError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, purpose: str, extra: str):
        super().__init__(f"{purpose} needs an optional dependency; pip install 'firth[{extra}]'")


class FirthWarning(UserWarning):
    """Something was recognised and put right, and the user should know."""

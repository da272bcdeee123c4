"""What tests share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from firth import crew

settings.register_profile("firth", deadline=None)  # machines may be busy
settings.load_profile("firth")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real texts and test sets, which the project does not ship."""
    folder = Path(os.environ.get("FIRTH_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"needs the data folder: {folder} is missing; FIRTH_DATA names another")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """No test touches the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FIRTH_CACHE", str(folder))
    return folder


@pytest.fixture
def often(monkeypatch) -> None:
    """Whoever watches looks up a thousand times a second, so that there are rests within short epochs too."""
    monkeypatch.setattr(crew, "POLL_SECONDS", 0.001)


@pytest.fixture(scope="session")
def pieces() -> dict[str, Any]:
    """Small tokenizers of the kinds that GPT, GPT-2 and BERT have."""
    import checkpoints

    return {kind: checkpoints.trained(kind) for kind in checkpoints.KINDS}


@pytest.fixture
def checkpoint(pieces, tmp_path) -> Callable[..., Any]:
    """Makes a small checkpoint of `transformers`: the model, and its folder."""
    import checkpoints

    def make(kind: str, **settings: Any) -> tuple[Any, Path]:
        model = checkpoints.theirs(kind, checkpoints.TINY, vocabulary=len(pieces[kind]), **settings)
        return model, checkpoints.save(tmp_path / kind, model, pieces[kind])

    return make

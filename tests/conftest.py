"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real texts and test sets, which the project does not ship."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FIRTH_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set FIRTH_DATA")
    return folder

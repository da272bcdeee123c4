import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data that the project does not ship."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("FIRTH_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set FIRTH_DATA to the folder that holds text/ and eval/")
    return folder

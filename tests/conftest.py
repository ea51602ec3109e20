"""What all tests share: one browser, and the built book."""

from pathlib import Path

import pytest
from browser import browser, pytest_collection_modifyitems, pytest_terminal_summary  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built pages."""
    folder = ROOT / "book/_build/html"
    if not (folder / "index.html").exists():
        pytest.fail("the book is not built: run `make book` first (`make test` does)")
    return folder

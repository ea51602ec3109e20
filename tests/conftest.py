"""What all tests share: one browser, the built book, one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browser import browser, pytest_collection_modifyitems, pytest_terminal_summary  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built pages."""
    folder = ROOT / "book/_build/html"
    if not (folder / "index.html").exists():
        pytest.fail("the book is not built: run `make book` first (`make test` does)")
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread of torch, which trains small networks faster and lets runs repeat bit for bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

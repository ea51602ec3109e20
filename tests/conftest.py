"""What all tests share: one browser, the built book, one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browser import browser, pytest_collection_modifyitems, pytest_terminal_summary  # noqa: F401
from firefox import firefox  # noqa: F401
from hypothesis import settings

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the long form of the tests that have one: `make soak`")


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether the long form is wanted."""
    return request.config.getoption("--soak")


def pytest_configure(config: pytest.Config) -> None:
    # Made-up inputs are the same in every run of the tests, and new ones in every soak.
    settings.register_profile("test", deadline=None, derandomize=True, database=None)
    settings.register_profile("soak", deadline=None, max_examples=50_000, database=None, print_blob=True)
    settings.load_profile("soak" if config.getoption("--soak") else "test")

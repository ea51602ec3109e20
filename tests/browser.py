"""A real browser for tests: Chromium or Chrome as it is installed, driven without a window.

A conftest takes these names over with `from browser import ...`. BROWSER names the program to use; BROWSER=none leaves
out every test that asks for the fixture `browser`, and says so in one line at the end.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_left_out = pytest.StashKey[int]()


def find() -> str:
    """The path of the browser. Raises pytest.UsageError if there is none."""
    wanted = os.environ.get("BROWSER", "")
    path = next(filter(None, map(shutil.which, [wanted] if wanted else NAMES)), None)
    if path is None:
        raise pytest.UsageError(
            f"no browser for the tests of the pages ({wanted or ', '.join(NAMES)}): install Chromium "
            "(apt install chromium), name one in BROWSER, or set BROWSER=none to leave these tests out"
        )
    return path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a browser: none of its tests if BROWSER=none, else one clear error before the first test."""
    needing = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    if not needing:
        return
    if os.environ.get("BROWSER") != "none":
        find()
        return
    config.stash[_left_out] = config.stash.get(_left_out, 0) + len(needing)
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what was left out, once."""
    if count := config.stash.get(_left_out, 0):
        terminalreporter.write_line(f"BROWSER=none: {count} tests in a browser were left out")
        config.stash[_left_out] = 0


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for the session; a test opens a page of its own."""
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        yield program
        program.close()

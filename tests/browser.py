"""Real browsers for tests: Chromium or Chrome, and Firefox, as they are installed, driven without a window.

A conftest takes these names over with `from browser import ...`. BROWSER and FIREFOX name the programs to use;
BROWSER=none and FIREFOX=none leave out every test that asks for the fixture `browser` or `firefox`, and say so in one
line at the end.
"""

import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Program(NamedTuple):
    variable: str  # of the environment; names the program, or none
    title: str
    package: str  # Debian's
    names: tuple[str, ...]


CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PROGRAMS = {  # by fixture
    "browser": Program("BROWSER", "Chromium", "chromium", CHROMIUM),
    "firefox": Program("FIREFOX", "Firefox", "firefox-esr", ("firefox-esr", "firefox")),
}
_left_out = pytest.StashKey[dict[str, int]]()


def find(fixture: str = "browser") -> str:
    """The path of the program behind a fixture. Raises pytest.UsageError if there is none."""
    variable, title, package, names = PROGRAMS[fixture]
    wanted = os.environ.get(variable, "")
    path = next(filter(None, map(shutil.which, [wanted] if wanted else names)), None)
    if path is None:
        raise pytest.UsageError(
            f"no {title} for the tests of the pages ({wanted or ', '.join(names)}): "
            f"install it (apt install {package}), name one in {variable}, "
            f"or set {variable}=none to leave these tests out"
        )
    return path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a program: none of its tests if its variable says none, else one clear error before the first test."""
    for fixture, program in PROGRAMS.items():
        needing = [item for item in items if fixture in getattr(item, "fixturenames", ())]
        if not needing:
            continue
        if os.environ.get(program.variable) != "none":
            find(fixture)
            continue
        left_out = config.stash.setdefault(_left_out, {})
        left_out[program.variable] = left_out.get(program.variable, 0) + len(needing)
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what was left out, once."""
    left_out = config.stash.get(_left_out, {})
    for variable, count in left_out.items():
        terminalreporter.write_line(f"{variable}=none: {count} tests in a browser were left out")
    left_out.clear()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for the session; a test opens a page of its own."""
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        yield program
        program.close()

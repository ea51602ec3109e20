"""JupyterLab for real: an explorer beside its kernel, moved from either side, in a notebook that stays small."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import nbformat
import pytest
from playwright.sync_api import Browser, Page

SECONDS = 360  # at most, for what is waited for: a busy machine is no failure
ATTEMPTS = 8
CELLS = [
    """import ipywidgets
import torch
from torch import nn
from gennotes import explorers

torch.manual_seed(0)
decoder = nn.Sequential(nn.Linear(2, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
def explore(title):
    return explorers.latent(decoder, latent=2, title=title, alt="A network of one layer.")
first, second = explore("first"), explore("second")""",
    "first",
    "second",
    "print(first.z)",
    "first.z = [1.5, -1.5]",
    "link = ipywidgets.link((first, 'z'), (second, 'z'))",
]
PICTURE = "canvas => canvas.toDataURL()"


def wait_for(condition: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Ask again and again until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds} s")


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "work" / "explorer.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


@pytest.fixture
def lab(notebook: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab on this machine alone, with a token and settings of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    own = {name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    variables = {name: value for name, value in os.environ.items() if name != "GENNOTES_STATIC"}
    options = {
        "ip": "127.0.0.1",
        "port": port,
        "ServerApp.port_retries": 0,
        "IdentityProvider.token": token,
        "LabApp.workspaces_dir": tmp_path / "workspaces",
        "LabApp.user_settings_dir": tmp_path / "settings",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    for name, values in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "docmanager-extension/plugin": {"autosaveInterval": 5},  # seconds
    }.items():
        setting = tmp_path / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        setting.parent.mkdir(parents=True)
        setting.write_text(json.dumps(values))
    log = tmp_path / "lab.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=notebook.parent, env=variables | own, stdout=out, stderr=subprocess.STDOUT, text=True
        )
    try:
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert server.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=5) as answer:
                    return answer.status == 200
            except (URLError, TimeoutError):
                return False

        wait_for(answers, "JupyterLab starts")
        yield f"{address}/lab/tree/{notebook.name}?reset&token={token}"
    finally:
        server.terminate()  # and with it its kernels
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


class Notebook:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")
        page.set_default_timeout(SECONDS * 1000)
        for attempt in range(ATTEMPTS):  # on a busy machine Lab may miss its kernel's first answers, and never recover
            page.goto(address)
            self.cells.last.wait_for()
            page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()  # the kernel is there
            try:
                return self.run(0, SECONDS / ATTEMPTS)
            except TimeoutError:
                if attempt + 1 == ATTEMPTS:
                    raise

    def run(self, index: int, seconds: float = SECONDS) -> None:
        """Run a cell and wait for its number."""
        cell, before, pressed = self.cells.nth(index), self.prompt(index), 0.0

        def has_run() -> bool:
            nonlocal pressed
            now = self.prompt(index)
            if now == before and time.monotonic() > pressed + 3:  # Lab loses keys that come before its shortcuts stand
                pressed = time.monotonic()
                cell.locator(".cm-content").click()
                self.page.keyboard.press("Control+Enter")
            return now != before and now.strip("[]:").isdecimal()

        wait_for(has_run, f"cell {index} runs", seconds)
        assert cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []

    def prompt(self, index: int) -> str:
        return self.cells.nth(index).locator(".jp-InputPrompt").inner_text().strip()

    def printed(self, index: int) -> list[float]:
        return json.loads(self.cells.nth(index).locator(".jp-OutputArea").inner_text())

    def picture(self, index: int) -> str:
        return self.cells.nth(index).locator("canvas.gn-picture").evaluate(PICTURE)

    def z(self, index: int) -> list[float]:
        return json.loads(self.cells.nth(index).locator(".gn-explorer").get_attribute("data-z"))


def test_an_explorer_in_lab(browser: Browser, lab: str, notebook: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 1600}, reduced_motion="reduce")
    try:
        opened = Notebook(context.new_page(), lab)
        for index in (1, 2):
            opened.run(index)
        for index in (1, 2):
            opened.cells.nth(index).locator("canvas.gn-picture").wait_for()
        start = opened.picture(1)
        assert start == opened.picture(2)  # the same network at the same z

        # From the page: a key moves the slider, the picture and the trait; Lab's own shortcuts keep out of it.
        slider = opened.cells.nth(1).locator("input[type=range]").first
        slider.focus()
        for _ in range(8):
            opened.page.keyboard.press("ArrowRight")
        wait_for(lambda: opened.picture(1) != start, "the picture follows the key")
        assert slider.evaluate("slider => slider === document.activeElement")
        assert opened.picture(2) == start

        def python_knows() -> bool:
            opened.run(3)
            return opened.printed(3) == opened.z(1) != [0, 0]

        wait_for(python_knows, "Python reads z")
        by_key = opened.picture(1)

        # From Python: z is set, the picture follows.
        opened.run(4)
        by_python = wait_for(lambda: (now := opened.picture(1)) != by_key and now, "the picture follows Python")
        assert opened.z(1) == [1.5, -1.5]

        # Linked: the second takes over z, and then moves the first.
        opened.run(5)
        wait_for(lambda: opened.picture(2) == by_python, "the second follows the first")
        opened.cells.nth(2).locator("input[type=range]").first.focus()
        opened.page.keyboard.press("ArrowLeft")
        wait_for(lambda: opened.z(1) == opened.z(2) != [1.5, -1.5], "the first follows the second")
        wait_for(lambda: opened.picture(1) == opened.picture(2) != by_python, "and so does its picture")

        # What Lab saves by itself: the views, and neither weights nor pictures.
        written = notebook.stat().st_mtime_ns
        wait_for(lambda: notebook.stat().st_mtime_ns != written, "the notebook is saved")
        text = wait_for(notebook.read_text, "it is written")
        assert "application/vnd.jupyter.widget-view+json" in text
        assert len(text) < 100_000
        assert "base64" not in text
        assert "weights" not in text
        assert "text/html" not in text
    finally:
        context.close()

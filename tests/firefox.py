"""Firefox for tests, as it is installed, driven over WebDriver BiDi: as much of that protocol as opens a page."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import find
from websocket import create_connection

SECONDS = 60  # that an answer may take


class Firefox:
    """One window, and what its console said since the page was opened."""

    def __init__(self, address: str) -> None:
        self.socket = create_connection(f"{address}/session", suppress_origin=True, timeout=SECONDS)
        self.number = 0
        self.console: list[str] = []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self.window = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; what the console says meanwhile is kept."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer["type"] == "event":
                self.console.append(f"{answer['params']['level']}: {answer['params']['text']}")
            elif answer["id"] == self.number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, address: str) -> None:
        """Open a page and wait until it is loaded."""
        self.console.clear()
        self.call("browsingContext.navigate", context=self.window, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, or of the promise that it is, as JSON."""
        answer = self.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self.window},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def press(self, key: str) -> None:
        """Press a key on what has the focus."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.call("input.performActions", context=self.window, actions=[keyboard])


@pytest.fixture(scope="session")
def firefox() -> Iterator[Firefox]:
    """One Firefox for the session, with a profile of its own that is thrown away."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        (Path(profile) / "user.js").write_text('user_pref("ui.prefersReducedMotion", 1);\n')
        command = [find("firefox"), "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", profile]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as program:
            try:
                address = next(filter(None, (re.search(r"ws://\S+", line) for line in program.stderr)))[0]
                window = Firefox(address)
                yield window
                window.socket.close()
            finally:
                program.terminate()
                program.communicate(timeout=SECONDS)

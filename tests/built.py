"""The built pages for tests and tools: which there are, and how a reader opens one in a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, ConsoleMessage, Page

ROOT = Path(__file__).resolve().parent.parent
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())


def _files(branch: dict[str, Any]) -> Iterator[str]:
    for entry in (*branch.get("parts", ()), *branch.get("chapters", ()), *branch.get("sections", ())):
        if "file" in entry:
            yield entry["file"]
        yield from _files(entry)


START = TOC["root"]
PAGES = [START, *_files(TOC)]  # as the table of contents names them: book/vae, book/appendix/kl
CHAPTERS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]
WITH_EXPLORER = [START, *(page for page in CHAPTERS if "explorers." in (ROOT / f"{page}.ipynb").read_text())]


class Visit:
    """A page that is open, and what went wrong while it was."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.trouble: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.trouble.append(f"failed: {request.url}"))
        page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        page.on("console", self._hear)
        page.on("response", lambda answer: answer.status < 400 or self.trouble.append(f"{answer.status}: {answer.url}"))
        self.base = base

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(f"{message.type}: {message.text}")

    def external(self) -> list[str]:
        """Requests to anywhere but the book."""
        return [url for url in self.requests if not url.startswith((self.base, "data:", "blob:"))]

    def settle(self) -> None:
        """Wait until everything is loaded, the mathematics set and what follows from both drawn."""
        self.page.wait_for_load_state("load")
        self.page.evaluate("() => window.MathJax?.startup?.promise.then(() => null)")
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def visit(
    browser: Browser, base: str, path: str, width: int = 1280, scheme: str = "light", **context: Any
) -> Iterator[Visit]:
    """Open a page as a new reader would, with an empty cache; `context` holds further options of Playwright's."""
    fresh = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, **context)
    try:
        opened = Visit(fresh.new_page(), base)
        opened.page.goto(f"{base}/{path}")
        opened.settle()
        yield opened
    finally:
        fresh.close()

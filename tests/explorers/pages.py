"""Pages with explorers for tests: from a file as a reader opens them, and under a stand-in for JupyterLab's model."""

import base64
import json
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

from gennotes.explorers import Explorer
from gennotes.explorers.host import bundle, read

PIXELS = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
  return { width: canvas.width, height: canvas.height, data: btoa(text) };
}"""


class Opened:
    """A page with explorers, and everything that it asked for or complained of."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)

    def z(self) -> np.ndarray:
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return np.array(json.loads(self.page.locator(".gn-explorer").first.get_attribute("data-z")))

    def rgba(self, canvas: str) -> np.ndarray:
        """All values (H, W, 4) of the first canvas that the selector finds."""
        found = self.page.locator(canvas).first.evaluate(PIXELS)
        values = np.frombuffer(base64.b64decode(found["data"]), np.uint8).astype(int)
        return values.reshape(found["height"], found["width"], 4)

    def pixels(self, canvas: str = "canvas.gn-picture") -> np.ndarray:
        """Grey values (H, W) of a canvas; its three colours must agree."""
        self.z()
        data = self.rgba(canvas)
        assert (data[..., 0] == data[..., 1]).all()
        assert (data[..., 0] == data[..., 2]).all()
        assert (data[..., 3] == 255).all()
        return data[..., 0]


def write(folder: Path, *pieces: str) -> str:
    file = folder / "page.html"
    file.write_text(f"<!doctype html><html lang=en><meta charset=utf-8><title>page</title>{''.join(pieces)}", "utf-8")
    return file.as_uri()


HOST = """async ([text, values]) => {
  const { default: explorer } = await import("data:text/javascript," + encodeURIComponent(text));
  const heard = {};
  window.saved = [];
  window.model = {
    get: (name) => values[name],
    set: (name, value) => { values[name] = value; heard[`change:${name}`]?.(); },
    save_changes: () => saved.push(values.z),
    on: (event, listener) => { heard[event] = listener; },
    off: (event) => { delete heard[event]; },
  };
  window.heard = heard;
  window.end = explorer.render({ model, el: document.querySelector("main") });
}"""


def hosted(browser: Browser, explorer: Explorer) -> Opened:
    """The module of an explorer in a page, under a stand-in for the model that anywidget gives it in JupyterLab."""
    page = browser.new_page()
    values = {name: getattr(explorer, name) for name in explorer.trait_names(sync=True) if not name.startswith("_")}
    values.pop("layout")
    page.set_content(f"<style>{explorer._css}</style><main></main>")
    opened = Opened.__new__(Opened)
    opened.page = page
    page.evaluate(HOST, [bundle(read(explorer.module)), values])
    return opened

"""The built pages, as files and in a browser: from disk and over http, without a network."""

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import numpy as np
import pytest
import torch
import yaml
from playwright.sync_api import Browser, Page

from gennotes import models, studies

ROOT = Path(__file__).resolve().parent.parent
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
CHAPTERS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]
WITH_EXPLORER = [TOC["root"], *CHAPTERS]
MB = 1_000_000

# ------------------------------------------------------------------------------------------------ pages as files


class Outline(HTMLParser):
    """Ids, links, what a page loads, images, and the text of scripts by type."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.data = 0  # bytes of embedded JSON: weights and recordings
        self._in_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img":
            self.images.append(given)
        self.loads += [given[key] for key in ("src", "srcset", "poster") if given.get(key)]
        if tag == "link" and given.get("rel") not in ("canonical", "author", "index", "search", "next", "prev"):
            self.loads.append(given.get("href") or "")
        self._in_data = tag == "script" and given.get("type") == "application/json"

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += len(data.encode())

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False


@pytest.fixture(scope="session")
def outlines(html: Path) -> dict[Path, Outline]:
    """The outline of every page that was built, search page and index included."""
    return {path: Outline(path.read_text()) for path in sorted(html.rglob("*.html")) if "_static" not in path.parts}


def test_every_page_is_built(html: Path) -> None:
    for page in PAGES:
        assert (html / f"{page}.html").exists()


def test_links_and_anchors_resolve(outlines: dict[Path, Outline]) -> None:
    broken = []
    for path, outline in outlines.items():
        for link in outline.links:
            address, anchor = urldefrag(link)
            if urlsplit(address).scheme:
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            missing = not target.exists()
            if missing or (anchor and target in outlines and unquote(anchor) not in outlines[target].ids):
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(outlines: dict[Path, Outline]) -> None:
    for path, outline in outlines.items():
        for address in outline.loads:
            assert urlsplit(address).scheme in ("", "data"), f"{path.name} loads {address}"


def test_images_have_a_text(outlines: dict[Path, Outline]) -> None:
    bare = [
        f"{path.name}: {image.get('src', '')[:60]}"
        for path, outline in outlines.items()
        for image in outline.images
        if not (image.get("alt") or "").strip() or re.fullmatch(r"\S+\.(png|svg|jpe?g)", image["alt"])
    ]
    assert bare == []


@pytest.mark.parametrize("page", PAGES)
def test_weight_of_a_page(page: str, html: Path, outlines: dict[Path, Outline]) -> None:
    """A chapter weighs at most 1 MB besides what its explorers embed, and these at most 4.5 MB."""
    path = html / f"{page}.html"
    data = outlines[path].data
    assert path.stat().st_size - data <= MB
    assert data <= 4.5 * MB


# ---------------------------------------------------------------------------------------------- pages in a browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session", params=["file", "http"])
def base(request: pytest.FixtureRequest, html: Path) -> Iterator[str]:
    """Where the pages are read from: the disk, or a server on this machine."""
    if request.param == "file":
        yield html.as_uri()
        return
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(html))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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

    def _hear(self, message) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(f"{message.type}: {message.text}")

    def external(self) -> list[str]:
        """Requests to anywhere but the book."""
        return [url for url in self.requests if not url.startswith((self.base, "data:", "blob:"))]

    def settle(self) -> None:
        """Wait until everything is loaded and the mathematics set."""
        self.page.wait_for_load_state("load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")


@contextmanager
def visit(browser: Browser, base: str, path: str, width: int = 1280, scheme: str = "light") -> Iterator[Visit]:
    """Open a page as a new reader would, with an empty cache."""
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    try:
        opened = Visit(context.new_page(), base)
        opened.page.goto(f"{base}/{path}")
        opened.settle()
        yield opened
    finally:
        context.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_stands_alone(browser: Browser, base: str, page: str) -> None:
    """No request elsewhere, none that fails, nothing on the console, and all mathematics typeset."""
    with visit(browser, base, f"{page}.html") as opened:
        math = opened.page.evaluate(
            """() => ({
              wanted: document.querySelectorAll('.bd-article .math').length,
              set: document.querySelectorAll('.bd-article .math > mjx-container').length,
              wrong: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(e => e.textContent),
              raw: [...document.querySelectorAll('.bd-article :is(p, li, td, dd, h1, h2, h3)')].map(e => e.innerText)
                .filter(text => /\\\\\\(|\\\\\\[|\\$\\S[^$]*\\$/.test(text)),
            })"""
        )
        assert math["set"] == math["wanted"]
        assert math["wrong"] == math["raw"] == []
        assert opened.external() == []
        assert opened.trouble == []


def test_mathematics_is_there(browser: Browser, base: str) -> None:
    with visit(browser, base, f"{TOC['root']}.html") as opened:
        assert opened.page.locator("mjx-container").count() > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_phone_need_not_scroll_sideways(browser: Browser, html: Path, page: str, scheme: str) -> None:
    with visit(browser, html.as_uri(), f"{page}.html", width=390, scheme=scheme) as opened:
        widths = opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1] == 390
        sticking_out = opened.page.evaluate(
            """() => [...document.querySelectorAll('.bd-article *')].filter(e => {
              const box = e.getBoundingClientRect();
              if (!box.width || box.right <= innerWidth + 1) return false;
              for (let p = e; p; p = p.parentElement) {
                const style = getComputedStyle(p);
                if (style.overflowX !== 'visible' || style.clipPath !== 'none') return false;
              }
              return true;
            }).map(e => e.outerHTML.slice(0, 120))"""
        )
        assert sticking_out == []


def test_search_finds_the_chapter(browser: Browser, base: str) -> None:
    with visit(browser, base, "search.html?q=evidence") as opened:
        opened.page.wait_for_selector("#search-results a[href*='vae.html']", timeout=10_000)
        assert opened.external() == opened.trouble == []


def test_search_by_keyboard(browser: Browser, base: str) -> None:
    with visit(browser, base, f"{TOC['root']}.html") as opened:
        opened.page.keyboard.press("Control+k")
        opened.page.keyboard.type("posterior")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector("#search-results li a", timeout=10_000)
        assert opened.external() == opened.trouble == []


def ground(page: Page) -> int:
    """Brightness of the page's ground, 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return round(sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3)


def test_dark_and_light(browser: Browser, base: str) -> None:
    """The page follows the reader's system, and the button overrides it."""
    with visit(browser, base, f"{CHAPTERS[0]}.html", scheme="dark") as opened:
        assert ground(opened.page) < 60
    with visit(browser, base, f"{CHAPTERS[0]}.html", scheme="light") as opened:
        assert ground(opened.page) > 200
        button = opened.page.locator(".bd-header-article .theme-switch-button")
        seen = []
        for _ in range(3):
            button.click()
            seen.append(ground(opened.page) < 60)
        assert set(seen) == {True, False}
        assert opened.trouble == []


def test_figures_keep_a_light_card_in_the_dark(browser: Browser, html: Path) -> None:
    with visit(browser, html.as_uri(), f"{CHAPTERS[0]}.html", scheme="dark") as opened:
        cards = opened.page.evaluate(
            """[...document.querySelectorAll('.bd-article .cell_output img:not(.dark-light, .gn-poster)')]
               .map(e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).filter])"""
        )
        assert cards
        assert {tuple(card) for card in cards} == {("rgb(255, 255, 255)", "none")}


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_explorers_lie_on_the_ground_of_the_page(browser: Browser, html: Path, page: str) -> None:
    """Their light letters would be lost on a light card in the dark."""
    with visit(browser, html.as_uri(), f"{page}.html", scheme="dark") as opened:
        grounds = opened.page.evaluate(
            """[...document.querySelectorAll('.gn-explorer')].flatMap(explorer => {
              const found = [];
              for (let e = explorer; e !== document.body; e = e.parentElement)
                found.push(getComputedStyle(e).backgroundColor);
              return found;
            })"""
        )
        lit = {
            ground
            for ground in grounds
            if ground != "rgba(0, 0, 0, 0)" and max(map(float, re.findall(r"[\d.]+", ground)[:3])) > 60
        }
        assert grounds
        assert lit == set()


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_weight_of_a_first_visit(browser: Browser, html: Path, page: str) -> None:
    """Scripts, styles and fonts that a page loads: at most 2.5 MB as they lie on disk, 1 MB gzipped."""
    with visit(browser, html.as_uri(), f"{page}.html") as opened:
        opened.page.evaluate("() => document.fonts.ready.then(() => null)")
        loaded = {Path(unquote(urlsplit(url).path)) for url in opened.requests if url.startswith("file:")}
    shared = [path.read_bytes() for path in loaded if path.suffix != ".html" and "_images" not in path.parts]
    assert len(shared) > 5
    assert sum(map(len, shared)) <= 2.5 * MB
    assert sum(len(gzip.compress(content)) for content in shared) <= MB


# -------------------------------------------------------------------------------------------- the reader's finger

PICTURE = "canvas => canvas.toDataURL()"


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_the_decoder_answers(browser: Browser, base: str, page: str) -> None:
    """A key on a slider and a drag on the plane each change the picture, without a kernel or a network."""
    with visit(browser, base, f"{page}.html") as opened:
        explorer = opened.page.locator(".gn-explorer").first
        explorer.scroll_into_view_if_needed()
        explorer.locator(".gn-plane").click(position={"x": 60, "y": 60})  # ends a walk
        opened.page.wait_for_timeout(200)
        # JupyterLab takes no key from an element that carries this mark.
        assert explorer.locator("input:not([data-lm-suppress-shortcuts])").count() == 0
        canvas = explorer.locator("canvas").first
        before = canvas.evaluate(PICTURE)
        slider = explorer.locator("input[type=range]").first
        if slider.is_visible():
            slider.focus()
        else:
            explorer.locator(".gn-plane").focus()
        for _ in range(8):
            opened.page.keyboard.press("ArrowRight")
        opened.page.wait_for_timeout(200)
        by_key = canvas.evaluate(PICTURE)
        box = explorer.locator(".gn-plane").bounding_box()
        opened.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
        opened.page.mouse.down()
        opened.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.25, steps=5)
        opened.page.mouse.up()
        opened.page.wait_for_timeout(200)
        by_pointer = canvas.evaluate(PICTURE)
        assert before != by_key != by_pointer
        assert opened.external() == opened.trouble == []


def decoder_in(page: Path) -> torch.nn.Module:
    """The network that a page carries, as torch's own: the chapter's decoder with the weights found in the page."""
    data = re.search(r'<script type="application/json">(.*?)</script>', page.read_text(), re.DOTALL)
    network = json.loads(data.group(1))["network"]
    flat = np.frombuffer(base64.b64decode(network["weights"]), "<f2").astype(np.float32)
    settings = studies.vae.Settings()
    vae = models.VAE(settings.latent, settings.width, settings.architecture)
    decoder = torch.nn.Sequential(vae.decoder, torch.nn.Sigmoid())
    weights = {}
    for name, tensor in decoder.state_dict().items():
        found = network["constants"][name]
        values = found.get("values", flat[found.get("start", 0) :][: tensor.numel()])
        weights[name] = torch.tensor(np.array(values, np.float32)).view(found["shape"])
    decoder.load_state_dict(weights)  # refuses a weight that is missing or of another shape
    return decoder


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_the_page_decodes_as_torch_does(browser: Browser, html: Path, page: str) -> None:
    """After every move, the pixels on the page are those that torch decodes from the z that is shown."""
    decoder = decoder_in(html / f"{page}.html")
    with visit(browser, html.as_uri(), f"{page}.html") as opened:
        explorer = opened.page.locator(".gn-explorer").first
        explorer.scroll_into_view_if_needed()
        plane = explorer.locator(".gn-plane")
        seen = []
        for x, y in ((60, 60), (100, 40), (30, 110)):
            plane.click(position={"x": x, "y": y})  # ends a walk
            opened.page.keyboard.press("ArrowUp")
            opened.page.wait_for_timeout(200)
            z = torch.tensor([json.loads(f"[{explorer.get_attribute('data-z').strip('[]')}]")])
            shown = explorer.locator("canvas").first.evaluate(
                """canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]
                     .filter((value, i) => i % 4 === 0)"""
            )
            with torch.no_grad():
                wanted = 255 * decoder(z).flatten()
            assert wanted.max() > 100  # a picture, and no black square
            assert (torch.tensor(shown) - wanted).abs().max() <= 2
            seen.append(shown)
        assert seen[0] != seen[1] != seen[2]

"""The built pages, as files and in a browser: from disk and over http, without a network."""

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import numpy as np
import onnx
import onnxruntime
import pytest
from built import CHAPTERS, PAGES, START, WITH_EXPLORER, visit
from playwright.sync_api import Browser, Locator, Page

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


def addresses(pages: list[str]) -> list[tuple[str, str]]:
    """Every page from the disk, and two of them from a server, which hands out the same files."""
    return [("file", page) for page in pages] + [("http", page) for page in pages[:2]]


@pytest.mark.parametrize(("base", "page"), addresses(PAGES), indirect=["base"])
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
    with visit(browser, base, f"{START}.html") as opened:
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
    with visit(browser, base, f"{START}.html") as opened:
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

LOOK = """explorer => JSON.stringify([
  explorer.innerText,
  [...explorer.querySelectorAll('canvas')].map(canvas => canvas.toDataURL()),
  [...explorer.querySelectorAll('svg')].map(svg => svg.innerHTML),
])"""  # what a reader sees of an explorer, besides where its controls stand
GREYS = """canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]
  .filter((value, i) => i % 4 === 0)"""


def frames(page: Page) -> None:
    """Wait until what was just done is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def drag(surface: Locator) -> None:
    box = surface.bounding_box()
    mouse = surface.page.mouse
    mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.25, steps=5)
    mouse.up()


@pytest.mark.parametrize(("base", "page"), addresses(WITH_EXPLORER), indirect=["base"])
def test_explorers_answer(browser: Browser, base: str, page: str) -> None:
    """Keys on a slider or a sheet and a drag on the plane each change what is seen, without a kernel or a network."""
    with visit(browser, base, f"{page}.html", reduced_motion="reduce") as opened:
        explorers = opened.page.locator(".gn-explorer")
        assert explorers.count() >= 1
        for explorer in explorers.all():
            explorer.scroll_into_view_if_needed()
            # JupyterLab takes no key from an element that carries this mark.
            assert explorer.locator("input:not([data-lm-suppress-shortcuts])").count() == 0
            keyed = explorer.locator(":is(input[type=range], [role=slider], [role=application]):visible").first
            seen = [explorer.evaluate(LOOK)]
            keyed.focus()
            if "gn-draw" in explorer.get_attribute("class"):
                opened.page.keyboard.press("Space")  # the pen is lowered
            for _ in range(8):
                opened.page.keyboard.press("ArrowRight")
            frames(opened.page)
            seen.append(explorer.evaluate(LOOK))
            if (plane := explorer.locator(".gn-plane:visible")).count():
                drag(plane.first)
                frames(opened.page)
                seen.append(explorer.evaluate(LOOK))
            assert len(set(seen)) == len(seen) >= 2
        assert opened.external() == opened.trouble == []


# --------------------------------------------------------------------------------------------- networks in the pages


def values_in(page: Path) -> list[dict[str, Any]]:
    """What each explorer of a page was given, in the order of the page."""
    found = re.findall(r'<script type="application/json">(.*?)</script>', page.read_text(), re.DOTALL)
    return [json.loads(text) for text in found]


def decoder_in(values: dict[str, Any]) -> dict[str, Any] | None:
    """The packed network that turns z into pixels, if the explorer shows one."""
    networks = [value for value in values.values() if isinstance(value, dict) and {"nodes", "weights"} <= set(value)]
    return next((n for n in networks if "z" in values and n["inputs"][0]["shape"] == [1, len(values["z"])]), None)


def session(network: dict[str, Any]) -> onnxruntime.InferenceSession:
    """A packed network under onnxruntime: the graph and the weights that stand in the page, run by other hands."""
    flat = np.frombuffer(base64.b64decode(network["weights"]), f"<f{2 if network['precision'] == 'float16' else 4}")
    kinds = {"float": np.float32, "int": np.int64, "bool": bool}
    tensors = []
    for name, entry in network["constants"].items():
        count = int(np.prod(entry["shape"]))
        values = entry["values"] if "values" in entry else flat[entry["start"] :][:count]
        tensors.append(
            onnx.numpy_helper.from_array(np.array(values, kinds[entry["kind"]]).reshape(entry["shape"]), name)
        )
    nodes = [
        onnx.helper.make_node(node["op"], node["inputs"], node["outputs"], **node["attributes"])
        for node in network["nodes"]
    ]
    ends = [
        [onnx.helper.make_tensor_value_info(port["name"], onnx.TensorProto.FLOAT, port["shape"]) for port in ports]
        for ports in (network["inputs"], network["outputs"])
    ]
    graph = onnx.helper.make_graph(nodes, "page", *ends, tensors)
    opset = [onnx.helper.make_opsetid("", 20)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def decode(network: dict[str, Any], *values: list[float]) -> np.ndarray:
    """Grey values, 0 to 255, flat, of a code and, where the network takes one, a class."""
    given = {port["name"]: np.array([v], np.float32) for port, v in zip(network["inputs"], values, strict=True)}
    (pixels,) = session(network).run(None, given)
    return 255 * pixels.ravel()


def shown(explorer: Locator) -> tuple[list[float], np.ndarray]:
    """The z that an explorer names, and the grey values of its picture."""
    frames(explorer.page)
    return json.loads(explorer.get_attribute("data-z")), np.array(
        explorer.locator("canvas.gn-picture").first.evaluate(GREYS)
    )


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_the_page_decodes_what_its_network_says(browser: Browser, html: Path, page: str) -> None:
    """After every move, the pixels are those that onnxruntime decodes from the z that is shown."""
    networks = [decoder_in(values) for values in values_in(html / f"{page}.html")]
    with visit(browser, html.as_uri(), f"{page}.html", reduced_motion="reduce") as opened:
        explorers = opened.page.locator(".gn-explorer").all()
        assert len(explorers) == len(networks)
        for explorer, network in zip(explorers, networks, strict=True):
            if network is None:  # an explorer of formulas: nothing to decode
                continue
            explorer.scroll_into_view_if_needed()
            plane = explorer.locator(".gn-plane")
            seen = []
            for x, y in ((60, 60), (100, 40), (30, 110)):
                plane.click(position={"x": x, "y": y})
                opened.page.keyboard.press("ArrowUp")
                z, greys = shown(explorer)
                c = json.loads(explorer.get_attribute("data-c") or "[]")  # the weights of the classes, if there are any
                wanted = decode(network, *[given for given in (z, c) if given])
                assert wanted.max() > 100  # a picture, and no black square
                assert np.abs(greys - wanted).max() <= 2
                seen.append(greys.tolist())
            assert seen[0] != seen[1] != seen[2]


def other_weights(network: dict[str, Any]) -> dict[str, Any]:
    """The same network with its weights in reverse order: none of them where it was."""
    kind = "<f2" if network["precision"] == "float16" else "<f4"
    weights = np.frombuffer(base64.b64decode(network["weights"]), kind)[::-1]
    return {**network, "weights": base64.b64encode(weights.tobytes()).decode()}


def test_other_weights_other_pixels(browser: Browser, html: Path, tmp_path: Path) -> None:
    """An explorer shows the network that the page carries, and no other: weights exchanged in the file are seen."""
    source = html / f"{START}.html"
    text = source.read_text()
    given = re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    values = json.loads(given[1])
    decoder = decoder_in(values)
    name = next(name for name, value in values.items() if value == decoder)
    other = other_weights(decoder)
    exchanged = json.dumps({**values, name: other}).replace("<", "\\u003c")
    host = re.search(r'<div id="gn-[^>]*class="gn-explorer-host">.*?</script>\s*</div>', text, re.DOTALL)[0]
    pixels = {}
    for file, piece in (("own", host), ("other", host.replace(given[1], exchanged))):
        (tmp_path / f"{file}.html").write_text(f"<!doctype html><meta charset=utf-8>{piece}")
        with visit(browser, tmp_path.as_uri(), f"{file}.html", reduced_motion="reduce") as opened:
            z, pixels[file] = shown(opened.page.locator(".gn-explorer"))
            assert z == values["z"]
    assert np.abs(pixels["own"] - decode(decoder, values["z"])).max() <= 2
    assert np.abs(pixels["other"] - decode(other, values["z"])).max() <= 2
    assert np.abs(pixels["own"] - pixels["other"]).max() > 50


def test_the_cover_shows_the_network_of_a_chapter(html: Path) -> None:
    """It was trained in this very build: a chapter's page carries the same weights."""
    (cover,) = (decoder_in(values) for values in values_in(html / f"{START}.html"))
    chapters = [decoder_in(values) for page in CHAPTERS for values in values_in(html / f"{page}.html")]
    assert cover is not None
    assert cover in chapters

"""The map of a latent space: what the reader does, and what the page then shows."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from playwright.sync_api import Browser
from torch import nn

from gennotes import data
from gennotes.explorers import MapExplorer, latent_map
from gennotes.explorers import map as module
from gennotes.explorers.host import bundle
from gennotes.figures.style import contrast_ratio

from .pages import Opened, hosted, write

SIDE = 14
CELLS = 20
FLOAT16 = 5e-3  # how far half-precision weights may move a code of the networks below


def network(sizes: list[int], last: list[nn.Module], seed: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(sizes[0], sizes[1]), nn.Tanh(), nn.Linear(sizes[1], sizes[2]), *last)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5 * 1.5)
    return net


def make_decoder(latent: int = 2, seed: int = 0) -> nn.Module:
    """z (1, L) -> pixels (1, 1, 14, 14) in [0, 1]."""
    return network([latent, 32, SIDE**2], [nn.Sigmoid(), nn.Unflatten(1, (1, SIDE, SIDE))], seed)


def make_encoder(latent: int = 2, seed: int = 1) -> nn.Module:
    """image (1, 1, 14, 14) -> code (1, L)."""
    return network([SIDE**2, 32, latent], [], seed)


def material(latent: int = 2, count: int = 40) -> dict:
    """Codes, two of them far outside, labels of three classes, and images with one bright block each."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(count, latent)).round(4)
    codes[:2] *= 9 / np.abs(codes[:2]).max(1, keepdims=True)
    images = np.zeros((count, SIDE, SIDE))
    for k, image in enumerate(images):
        image[2 + k % 5 : 9 + k % 3, 3 + k % 4 : 6 + k % 7] = 0.5 + 0.5 * k / count
    return {"codes": codes, "labels": np.array([7, 1, 3])[np.arange(count) % 3], "images": images}


WORDS = {"title": "A <small> map", "alt": 'what "z" decodes to'}


def make_map(latent: int = 2, **changes) -> MapExplorer:
    decoder, encoder = make_decoder(latent), make_encoder(latent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENNOTES_STATIC", "1")
        return latent_map(**{"decoder": decoder, "encoder": encoder, **material(latent), **WORDS, **changes})


@pytest.fixture(scope="session")
def plane_map() -> MapExplorer:
    return make_map()


def open_map(browser: Browser, folder: Path, explorer: MapExplorer) -> Iterator[Opened]:
    """The map from a file on a phone, for a reader who prefers reduced motion (z then moves at once)."""
    look = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
    context = browser.new_context(reduced_motion="reduce", has_touch=True, **look)
    result = Opened(context.new_page(), write(folder, explorer.to_html()))
    yield result
    context.close()
    assert result.complaints == []
    assert [url for url in result.requests if not url.startswith("data:")] == [result.address]


@pytest.fixture
def opened(browser: Browser, plane_map: MapExplorer, tmp_path: Path) -> Iterator[Opened]:
    yield from open_map(browser, tmp_path, plane_map)


@pytest.fixture
def opened_deep(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """A map of three dimensions."""
    yield from open_map(browser, tmp_path, make_map(3))


@torch.no_grad()
def run(net: nn.Module, values: np.ndarray) -> np.ndarray:
    return net(torch.tensor(values, dtype=torch.float32)).numpy()


def decoded(z: np.ndarray, **which) -> np.ndarray:
    return 255 * run(make_decoder(len(z), **which), z[None])[0, 0]


def differs(opened: Opened) -> float:
    """How far the large picture is from torch's decode of the z that the page names, in grey values."""
    return float(np.abs(opened.pixels() - decoded(opened.z())).max())


# ------------------------------------------------------------------------------------------------------------ moving z


def test_it_starts_at_the_mean_of_the_prior_and_shows_what_torch_decodes(opened):
    assert opened.z().tolist() == [0, 0]
    assert differs(opened) <= 2
    assert np.abs(opened.pixels() - decoded(opened.z(), seed=5)).max() > 20  # the comparison can fail
    assert not opened.page.locator(".gn-poster").is_visible()
    assert opened.page.get_by_text("2 of 40 codes lie beyond the edge.").is_visible()
    assert opened.page.locator(".gn-ring").all_text_contents() == ["1σ", "2σ", "3σ"]
    widths = [box.bounding_box()["width"] for box in opened.page.locator(".gn-ring").all()]
    plane = opened.page.locator(".gn-plane").bounding_box()["width"]
    assert np.array(widths) / plane == pytest.approx([1 / 3, 2 / 3, 1], abs=0.01)


def test_the_point_is_dragged_and_stays_on_the_plane(opened):
    box = opened.page.locator(".gn-plane").bounding_box()
    opened.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"], steps=3)
    assert opened.z() == pytest.approx([1.5, 1.5], abs=0.05)
    assert differs(opened) <= 2
    opened.page.mouse.move(box["x"] + 3 * box["width"], box["y"] - box["height"])
    assert opened.z().tolist() == [3, 3]
    opened.page.mouse.up()


def test_the_point_moves_by_touch_and_by_keys(opened):
    plane = opened.page.locator(".gn-plane")
    box = plane.bounding_box()
    opened.page.touchscreen.tap(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"])
    before = opened.z()
    assert before == pytest.approx([-1.5, -1.5], abs=0.05)
    for key in ["ArrowRight", "ArrowRight", "Shift+ArrowUp", "ArrowLeft"]:
        plane.press(key)
    assert opened.z() == pytest.approx(before + np.array([0.1, 0.5]))
    assert differs(opened) <= 2


def test_what_is_spoken_waits_for_rest(opened):
    spoken = opened.page.locator("[aria-live]")
    plane = opened.page.locator(".gn-plane")
    for _ in range(3):
        plane.press("ArrowRight")
    assert spoken.text_content() == ""
    opened.page.wait_for_function("document.querySelector('[aria-live]').textContent")
    z = opened.z()
    labels = opened.page.locator(".gn-aside .gn-tiles button").all_text_contents()
    assert spoken.text_content() == f"z 1 = {z[0]:.2f}, z 2 = {z[1]:.2f}. Nearest real images: {', '.join(labels)}."


def test_sliders_random_and_reset(opened):
    slider = opened.page.get_by_role("slider", name="z 2", exact=True)
    slider.focus()
    for _ in range(4):
        slider.press("PageUp")
    z = opened.z()
    assert z[0] == 0
    assert z[1] > 0.5
    assert slider.get_attribute("aria-valuetext") == f"z 2 = {z[1]:.2f}"
    assert opened.page.get_by_text(f"‖z‖ = {z[1]:.2f}").is_visible()
    assert differs(opened) <= 2
    opened.page.get_by_role("button", name="Random").click()
    assert opened.z().all()
    opened.page.get_by_role("button", name="Reset").click()
    assert not opened.z().any()


def test_the_walk_visits_the_means_of_the_classes(browser, plane_map, tmp_path):
    page = browser.new_page(reduced_motion="no-preference")
    opened = Opened(page, write(tmp_path, plane_map.to_html()))
    codes, labels = material()["codes"], material()["labels"]
    mean = codes[labels == 1].mean(0)  # the first class in its order
    assert np.abs(plane_map.means[0] - mean).max() < 1e-3
    assert opened.z().tolist() == [0, 0]  # nothing moves by itself
    page.get_by_role("button", name="Walk").click()
    page.wait_for_function(
        """mean => {
          const z = JSON.parse(document.querySelector(".gn-explorer").dataset.z);
          return mean.every((value, d) => Math.abs(value - z[d]) < 0.01);
        }""",
        arg=plane_map.means[0],
    )
    page.get_by_role("button", name="Pause").click()
    rest = opened.z()
    page.wait_for_timeout(200)
    assert np.array_equal(opened.z(), rest)
    assert opened.complaints == []
    page.close()


# ------------------------------------------------------------------------------------------------------------- the map


def manifold(latent: int = 2, rest: tuple[float, ...] = ()) -> np.ndarray:
    """The decoded plane as the backdrop holds it, in grey values: cell by cell, from the top left."""
    places = 3 * (2 * (np.arange(CELLS) + 0.5) / CELLS - 1)
    rows = [np.hstack([decoded(np.array([right, above, *rest])) for right in places]) for above in places[::-1]]
    return np.vstack(rows)


def backdrop(opened: Opened) -> np.ndarray:
    """How opaque the pixels of the backdrop are, once all of it is decoded."""
    opened.z()
    opened.page.wait_for_selector(".gn-manifold[data-ready]", state="attached")
    return opened.rgba(".gn-manifold")[..., 3]


def test_the_backdrop_is_the_decoded_plane(opened):
    switch = opened.page.get_by_role("switch", name="Decode the whole plane")
    assert not opened.rgba(".gn-manifold")[..., 3].any()
    switch.press("Space")
    shown, wanted = backdrop(opened), manifold()
    assert shown.shape == (CELLS * SIDE, CELLS * SIDE)
    assert np.abs(shown - wanted).max() <= 2
    cells = wanted.reshape(CELLS, SIDE, CELLS, SIDE)
    upside_down = cells[::-1].reshape(wanted.shape)
    swapped = cells.transpose(2, 1, 0, 3).reshape(wanted.shape)
    for mistake in (upside_down, swapped):
        assert np.abs(shown - mistake).max() > 20
    visible = "getComputedStyle(document.querySelector('.gn-manifold')).opacity > 0"
    opened.page.wait_for_function(visible)
    switch.press("Space")
    opened.page.wait_for_function(f"!({visible})")


def test_the_backdrop_is_the_slice_through_z(opened_deep):
    opened = opened_deep
    opened.page.get_by_role("switch").check()
    assert np.abs(backdrop(opened) - manifold(3, (0.0,))).max() <= 2
    slider = opened.page.get_by_role("slider", name="z 3", exact=True)
    slider.focus()
    for _ in range(5):
        slider.press("PageUp")
    shown, third = backdrop(opened), opened.z()[2]
    assert np.abs(shown - manifold(3, (third,))).max() <= 2
    assert np.abs(shown - manifold(3, (0.0,))).max() > 20


def test_the_reader_chooses_the_dimensions_of_the_map(opened_deep):
    opened = opened_deep
    before = opened.rgba(".gn-glyphs")
    opened.page.get_by_label("dimension across the plane").select_option("2")
    assert (opened.rgba(".gn-glyphs") != before).any()
    opened.page.locator(".gn-plane").press("ArrowRight")
    assert np.flatnonzero(opened.z()).tolist() == [2]


def test_codes_are_drawn_at_the_resolution_of_the_device(opened):
    opened.z()
    plane = opened.page.locator(".gn-plane").bounding_box()
    drawn = opened.rgba(".gn-glyphs")
    assert drawn.shape[1] == pytest.approx(2 * plane["width"], abs=1)
    opaque = drawn[..., 3] > 0
    for right, above in material()["codes"][2:]:
        column, row = (1 + right / 3) / 2 * drawn.shape[1], (1 - above / 3) / 2 * drawn.shape[0]
        around = opaque[max(0, int(row) - 8) : int(row) + 8, max(0, int(column) - 8) : int(column) + 8]
        assert around.any()


def test_one_class_is_looked_at(opened):
    def solid() -> int:
        return int((opened.rgba(".gn-glyphs")[..., 3] > 200).sum())

    opened.z()
    everything = solid()
    legend = opened.page.get_by_role("group", name="classes").get_by_role("button")
    assert legend.all_text_contents() == ["1", "3", "7"]
    counts = []
    for button in legend.all():
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        counts.append(solid())
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
    assert max(counts) < 0.7 * everything
    assert sum(counts) > 0.9 * everything
    opened.page.mouse.move(0, 0)
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Shift+Tab")  # focus by keyboard is on the last class
    assert solid() == counts[-1]


def test_letters_can_be_read_in_dark_and_light(opened):
    def ratios() -> list[float]:
        opened.z()
        paper = opened.page.locator(".gn-plane").evaluate("e => getComputedStyle(e).backgroundColor")
        letters = opened.page.locator(".gn-legend button")
        colours = [letter.evaluate("e => getComputedStyle(e).color") for letter in letters.all()]
        return [contrast_ratio(rgb(colour), rgb(paper)) for colour in colours]

    def rgb(css: str) -> list[float]:
        return [int(part) / 255 for part in css[4:-1].split(",")]

    light, drawn = ratios(), opened.rgba(".gn-glyphs")
    opened.page.evaluate(
        """() => document.documentElement.style.cssText =
          "--pst-color-surface: #14181d; --pst-color-text-base: #e8ebee" """
    )
    dark = ratios()
    assert min(light + dark) >= 4.5
    assert (opened.rgba(".gn-glyphs") != drawn).any()


# --------------------------------------------------------------------------------------------------------- real images


@pytest.mark.parametrize("place", [(0.5, 0.5), (0.2, 0.7), (0.9, 0.1)])
def test_the_nearest_real_images_are_those_of_numpy(opened, place):
    given = material()
    box = opened.page.locator(".gn-plane").bounding_box()
    opened.page.mouse.click(box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"])
    z = opened.z()
    nearest = np.linalg.norm(given["codes"] - z, axis=1).argsort(kind="stable")[:5]
    buttons = opened.page.locator(".gn-aside .gn-tiles button")
    shown = [int(button.get_attribute("data-index")) for button in buttons.all()]
    assert shown == nearest.tolist()
    for mistake in (np.abs(given["codes"] - z)[:, 0], -np.linalg.norm(given["codes"] - z, axis=1)):
        assert shown != mistake.argsort(kind="stable")[:5].tolist()
    assert buttons.all_text_contents() == [str(label) for label in given["labels"][nearest]]
    for k, index in enumerate(nearest):
        tile = opened.pixels(f".gn-aside .gn-tiles button:nth-child({k + 1}) canvas")
        assert np.abs(tile - 255 * given["images"][index]).max() <= 1
    buttons.nth(3).click()
    assert np.array_equal(opened.z(), given["codes"][nearest[3]])
    assert differs(opened) <= 2
    assert buttons.first.get_attribute("data-index") == str(nearest[3])


# ----------------------------------------------------------------------------------------------------------- a drawing


def prepared(drawing: np.ndarray, side: int, box: float = 20 / 28, middle: float = 0.5) -> np.ndarray:
    """`prepare` of drawing.js by other means: sums up to each pixel's edge, read between the edges."""
    length = len(drawing)
    rows, columns = np.nonzero(drawing >= 0.1)
    ink = drawing[rows, columns]
    step = max(np.ptp(rows), np.ptp(columns)) + 1
    step = step / (box * side)
    sums = np.zeros((length + 1, length + 1))
    sums[1:, 1:] = drawing.cumsum(0).cumsum(1)
    edges = np.arange(side + 1) - side / 2 - middle

    def read(line: np.ndarray, centre: float) -> np.ndarray:
        return np.interp(centre + edges * step, np.arange(length + 1), line)

    across = np.stack([read(line, (ink * (columns + 0.5)).sum() / ink.sum()) for line in sums])
    both = np.stack([read(line, (ink * (rows + 0.5)).sum() / ink.sum()) for line in across.T], 1)
    return np.diff(np.diff(both, axis=0), axis=1) / step**2


def drawings() -> dict[str, np.ndarray]:
    """Fields as a reader may leave them."""
    y, x = np.mgrid[:280, :280]
    rng = np.random.default_rng(0)
    stroke = np.clip(12.5 - np.abs(x - 60 - 0.4 * y), 0, 1) * (y > 30) * (y < 250)
    corner = ((x > 240) & (y < 50) & (x - y < 250)).astype(float)
    ring = np.clip(11 - np.abs(np.hypot(x - 120, 1.5 * (y - 150)) - 80), 0, 1)
    dot = (np.hypot(x - 200, y - 70) < 12).astype(float)
    fields = {"stroke": stroke, "corner": corner, "ring": ring, "dot": dot, "noise": rng.random((280, 280))}
    return {name: field.astype(np.float32).astype(float) for name, field in fields.items()}  # as the page holds them


@pytest.fixture(scope="module")
def prepare_in_page(browser):
    page = browser.new_page()
    text = bundle('import { prepare } from "./drawing.js";\nwindow.prepare = prepare;')
    page.set_content(f'<script type="module">{text}</script>')
    yield lambda drawing, side: page.evaluate(
        """([values, side]) => {
          const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
          const found = prepare(new Float32Array(bytes.buffer), side);
          return found && Array.from(found);
        }""",
        [base64.b64encode(drawing.astype(np.float32).tobytes()).decode(), side],
    )
    page.close()


@pytest.mark.parametrize("name", drawings())
@pytest.mark.parametrize("side", [28, 14])
def test_a_drawing_is_prepared_as_the_reference_does(prepare_in_page, name, side):
    drawing = drawings()[name]
    found = np.array(prepare_in_page(drawing, side)).reshape(side, side)
    assert np.abs(found - prepared(drawing, side)).max() < 1e-4
    for mistake in ({"box": 1.0}, {"middle": 0.0}):
        assert np.abs(found - prepared(drawing, side, **mistake)).max() > 0.05


def test_a_prepared_digit_has_the_size_and_the_place_of_mnist(prepare_in_page):
    """MNIST's digits are 20 pixels high or wide, and their centres of mass lie in the middle pixel."""

    def centre(image: np.ndarray) -> np.ndarray:
        places = np.arange(28) + 0.5
        return np.array([image.sum(0) @ places, image.sum(1) @ places]) / image.sum()

    def longest(image: np.ndarray) -> int:
        rows, columns = np.nonzero(image > 0.02)
        return int(max(np.ptp(rows), np.ptp(columns)) + 1)

    digits = data.load("mnist-5k").test.pixels()[:20, 0].cpu().numpy()
    for digit in digits:
        drawing = np.kron(np.roll(digit, (3, -2), (0, 1)), np.ones((10, 10)))
        found = np.array(prepare_in_page(drawing, 28)).reshape(28, 28)
        assert centre(found) == pytest.approx([14.5, 14.5], abs=0.1)
        assert np.abs(centre(found) - centre(digit)).max() < 0.65  # MNIST moved by whole pixels
        assert abs(longest(found) - longest(digit)) <= 1
    assert prepare_in_page(np.zeros((280, 280)), 28) is None


def draw_stroke(opened: Opened, places: list[tuple[float, float]]) -> None:
    field = opened.page.locator(".gn-field")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    opened.page.mouse.move(*at[0])
    opened.page.mouse.down()
    for place in at[1:]:
        opened.page.mouse.move(*place, steps=4)
    opened.page.mouse.up()


def expected_code(opened: Opened) -> np.ndarray:
    """What torch's encoder gives for the field as it is, prepared by the reference."""
    image = prepared(opened.pixels(".gn-field") / 255, SIDE)
    return run(make_encoder(), image[None, None])[0]


def test_a_drawing_is_encoded_as_torch_encodes_it(opened):
    draw_stroke(opened, [(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)])
    z, wanted = opened.z(), expected_code(opened)
    assert np.abs(z - wanted).max() < FLOAT16
    field = opened.pixels(".gn-field") / 255
    squeezed = field.reshape(SIDE, 20, SIDE, 20).mean((1, 3))  # neither scaled nor centred
    assert np.abs(z - run(make_encoder(), squeezed[None, None])[0]).max() > 10 * FLOAT16
    assert np.abs(z - wanted[::-1]).max() > 10 * FLOAT16
    assert np.abs(opened.pixels(".gn-copies canvas") - 255 * prepared(field, SIDE)).max() <= 1
    copy = opened.pixels(".gn-copies > :nth-child(2) canvas")
    assert np.abs(copy - decoded(z)).max() <= 2
    mark = opened.page.locator(".gn-yours")
    assert mark.is_visible()
    plane, box = opened.page.locator(".gn-plane").bounding_box(), mark.bounding_box()
    right = (box["x"] + box["width"] / 2 - plane["x"]) / plane["width"]
    assert 3 * (2 * right - 1) == pytest.approx(np.clip(z[0], -3, 3), abs=0.05)
    opened.page.get_by_role("button", name="Reset").click()
    assert np.array_equal(opened.pixels(".gn-copies > :nth-child(2) canvas"), copy)  # it stays beside the drawing


def test_strokes_are_taken_back_one_by_one(opened):
    draw_stroke(opened, [(0.3, 0.2), (0.7, 0.2)])
    first, code = opened.pixels(".gn-field"), opened.z()
    draw_stroke(opened, [(0.5, 0.2), (0.5, 0.8)])
    assert (opened.z() != code).any()
    opened.page.get_by_role("button", name="Undo").click()
    assert np.array_equal(opened.pixels(".gn-field"), first)
    assert np.array_equal(opened.z(), code)
    opened.page.get_by_role("button", name="Clear").click()
    assert not opened.pixels(".gn-field").any()
    assert not opened.pixels(".gn-copies canvas").any()
    assert opened.page.locator(".gn-yours").is_hidden()
    assert np.array_equal(opened.z(), code)  # z rests where it is


def test_a_finger_draws(opened):
    field = opened.page.locator(".gn-field")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    opened.page.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"])
    opened.z()
    rows, columns = np.nonzero(opened.pixels(".gn-field"))
    assert [columns.mean() / 280, rows.mean() / 280] == pytest.approx([0.3, 0.6], abs=0.02)
    assert np.abs(opened.z() - expected_code(opened)).max() < FLOAT16


def test_a_real_image_is_put_on_the_field_by_keyboard(opened, plane_map):
    given = material()
    opened.page.get_by_role("button", name="put a real 3 on the field").press("Enter")
    z = opened.z()
    assert np.abs(z - expected_code(opened)).max() < FLOAT16
    index = plane_map.samples[1]
    assert given["labels"][index] == 3
    field = opened.pixels(".gn-field").reshape(SIDE, 20, SIDE, 20).mean((1, 3))
    differences = [np.abs(field - 255 * image).mean() for image in given["images"]]
    assert np.argmin(differences) == index  # drawn larger, with soft edges


def test_without_an_encoder_there_is_no_field(browser, tmp_path):
    for opened in open_map(browser, tmp_path, make_map(encoder=None)):
        assert opened.page.locator(".gn-field").count() == 0
        assert differs(opened) <= 2


# ------------------------------------------------------------------------------------------- hosts, readers, networks


def test_other_weights_give_other_pictures_and_codes(browser, plane_map, tmp_path):
    other = make_map(decoder=make_decoder(seed=7), encoder=make_encoder(seed=8))
    seen = []
    for number, explorer in enumerate((plane_map, other)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for opened in open_map(browser, folder, explorer):
            first = opened.pixels()
            opened.page.get_by_role("button", name="put a real 1 on the field").click()
            opened.page.get_by_role("switch").check()
            seen.append((first, opened.z(), backdrop(opened)))
    assert np.abs(seen[1][0] - decoded(np.zeros(2), seed=7)).max() <= 2
    for before, after in zip(*seen, strict=True):
        assert np.abs(before - after).max() > 0.1


def test_python_and_the_page_follow_each_other(browser, plane_map):
    opened = hosted(browser, plane_map)
    page = opened.page
    page.evaluate("model.set('z', [0.5, -1.25])")  # as a change in Python arrives
    assert opened.z().tolist() == [0.5, -1.25]
    assert differs(opened) <= 2
    page.locator(".gn-plane").press("ArrowRight")
    page.wait_for_function("saved.length > 0 && saved.at(-1)[0] !== 0.5")
    assert page.evaluate("saved.at(-1)") == opened.z().tolist()
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


def test_z_is_a_trait():
    one, two = make_map(z=[1.0, 2.0]), make_map()
    assert one.z == [1.0, 2.0]
    link = traitlets.link((one, "z"), (two, "z"))
    one.z = [0.25, -0.5]
    assert two.z == [0.25, -0.5]
    link.unlink()
    with pytest.raises(traitlets.TraitError, match="give a list of 2 finite numbers"):
        one.z = [0.0]


def test_it_fits_a_narrow_phone_and_can_be_reached_without_a_pointer(opened):
    page = opened.page
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        active = "document.activeElement"
        reached.append(page.evaluate(f"{active}.getAttribute('aria-label') ?? {active}.textContent"))
        assert page.evaluate(f"{active} === document.body || getComputedStyle({active}).outlineStyle !== 'none'")
        assert page.evaluate(f"{active} === document.body || {active}.dataset.lmSuppressShortcuts === 'true'")
    for name in ("Walk", "show only 7", "z 1", "Undo", "put a real 7 on the field"):
        assert name in reached
    assert any(name.startswith("z 1 = ") for name in reached)  # the plane


def test_without_scripts_the_poster_is_shown(browser, plane_map, tmp_path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(write(tmp_path, plane_map.to_html()))
    poster = page.get_by_role("img", name='what "z" decodes to')
    assert poster.is_visible()
    assert poster.bounding_box()["height"] > 100
    context.close()


def test_long_names_stand_in_the_legend_and_numbers_on_the_map():
    names = np.array(["coat", "bag", "boot"])[np.arange(40) % 3]
    explorer = make_map(labels=names)
    assert explorer.names == ["bag", "boot", "coat"]
    assert explorer.signs == ["0", "1", "2"]
    assert json.dumps(explorer.classes[:3]) == "[2, 0, 1]"


GIVEN = material()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"codes": np.zeros((40, 1))}, r"codes has shape \(40, 1\); give finite codes of shape \(N, L\) with N ≥ 1"),
        ({"codes": np.full((40, 2), np.nan)}, "give finite codes"),
        ({"codes": np.zeros((40, 3))}, r"decoder does not take z of shape \(1, 3\)"),
        ({"labels": [1, 2]}, r"labels has shape \(2,\); give one for each code, \(40,\)"),
        ({"images": GIVEN["images"][:, :7]}, r"images has shape \(40, 7, 14\); give one for each code, \(40, 14, 14\)"),
        ({"images": 255 * GIVEN["images"]}, r"values from 0 to 252; give values in \[0, 1\]"),
        ({"spread": 0}, "spread is 0; give one positive number"),
        ({"spread": [3.0, 3.0]}, "give one positive number"),
        ({"z": [0.0]}, r"z is \[0.0\]; give 2 finite numbers, as many as codes has columns"),
        ({"title": ""}, "title or alt is empty"),
        ({"encoder": make_encoder(3)}, r"encoder gives \(1, 3\); it must give the mean of the code alone, \(1, 2\)"),
        ({"encoder": nn.Linear(3, 2)}, r"encoder does not take an image of shape \(1, 1, 14, 14\)"),
        ({"decoder": make_decoder()[:4]}, r"decoder gives \(1, 196\)"),
    ],
)
def test_input_that_does_not_fit_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        make_map(**values)


def test_an_encoder_with_two_outputs_is_refused():
    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x.flatten(1)[:, :2], x.flatten(1)[:, 2:4]

    with pytest.raises(ValueError, match="encoder gives a tuple; it must give the mean of the code alone"):
        make_map(encoder=Both())


def test_a_map_that_is_too_long_for_a_page_is_refused(monkeypatch):
    monkeypatch.setattr(module, "PAGE_LIMIT", 10_000)
    with pytest.raises(ValueError, match=r"needs .* characters \(decoder .*, encoder .*, images .*limit is 10,000"):
        make_map()

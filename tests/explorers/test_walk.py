"""The walk through a latent space: what the reader does, and what the page then shows."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from playwright.sync_api import Browser
from torch import Tensor, nn

from gennotes.explorers import WalkExplorer, walk

from .pages import Opened, hosted, write
from .shown import module

NAMES = ["cat", "dog", "emu"]
L, D = 6, 4


class Conditional(nn.Module):
    """z (1, 6) and the weights of three classes (1, 3) to pixels (1, 1, 7, 5) in [0, 1], far from grey."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(L + classes, 32), nn.Tanh(), nn.Linear(32, 35), nn.Sigmoid())
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.6)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return self.layers(torch.cat([z, c], 1)).unflatten(1, (1, 7, 5))


class Plain(Conditional):
    def __init__(self) -> None:
        super().__init__(0)

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z, z[:, :0])


DIRECTIONS = np.linalg.qr(np.random.default_rng(1).normal(size=(L, L)))[0][:D]
WORDS = {"latent": L, "directions": DIRECTIONS, "title": "A <small> walk", "alt": 'seven by five "pixels"'}


@pytest.fixture(scope="module")
def conditional() -> Conditional:
    return Conditional()


@pytest.fixture(scope="module")
def explorer(conditional: Conditional) -> WalkExplorer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENNOTES_STATIC", "1")
        return walk(conditional, classes=NAMES, **WORDS)


@pytest.fixture
def opened(browser: Browser, explorer: WalkExplorer, tmp_path: Path) -> Iterator[Opened]:
    """Two explorers on one page, from a file, for a reader who prefers reduced motion (z then moves at once)."""
    context = browser.new_context(reduced_motion="reduce", has_touch=True, viewport={"width": 390, "height": 844})
    result = Opened(context.new_page(), write(tmp_path, explorer.to_html(), explorer.to_html()))
    yield result
    context.close()
    assert result.complaints == []
    assert [url for url in result.requests if not url.startswith("data:")] == [result.address]


def c(opened: Opened) -> np.ndarray:
    opened.z()
    return np.array(json.loads(opened.page.locator(".gn-explorer").first.get_attribute("data-c")))


def grey(generator: nn.Module, *inputs: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        given = [torch.tensor(values, dtype=torch.float32)[None] for values in inputs]
        return 255 * generator(*given)[0, 0].numpy()


def differs(opened: Opened, generator: nn.Module) -> float:
    """How far the large picture is from torch's for the z and c that the page names, in grey values."""
    return float(np.abs(opened.pixels() - grey(generator, opened.z(), c(opened))).max())


def row(opened: Opened, name: str) -> list[np.ndarray]:
    """The pictures of a row of tiles."""
    group = f".gn-explorer >> nth=0 >> [aria-label='{name}'] canvas"
    return [opened.pixels(f"{group} >> nth={i}") for i in range(opened.page.locator(group).count())]


def arc(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """By the plane that a and b span: the direction turns by a share of the angle, the length changes evenly."""
    first = a / np.linalg.norm(a)
    second = b - (b @ first) * first
    angle = share * np.arctan2(np.linalg.norm(second), b @ first)
    turned = np.cos(angle) * first + np.sin(angle) * second / np.linalg.norm(second)
    return turned * (np.linalg.norm(a) + share * (np.linalg.norm(b) - np.linalg.norm(a)))


def test_it_starts_at_a_and_shows_what_torch_makes(opened, explorer, conditional):
    assert np.array_equal(opened.z(), explorer.kept[0])
    assert c(opened).tolist() == [1, 0, 0]
    assert opened.pixels().shape == (7, 5)
    assert differs(opened, conditional) <= 2
    other = grey(conditional, opened.z(), np.array([0, 1, 0]))
    assert np.abs(opened.pixels() - other).max() > 20  # the comparison can fail
    assert opened.page.locator(".gn-poster:visible").count() == 0


def test_every_class_is_shown_for_the_same_z(opened, conditional):
    def largest() -> float:
        pictures = row(opened, "this z in every class")
        assert len(pictures) == len(NAMES)
        return max(
            float(np.abs(one - grey(conditional, opened.z(), alone)).max())
            for one, alone in zip(pictures, np.eye(3), strict=True)
        )

    assert largest() <= 2
    before = row(opened, "this z in every class")[1]
    opened.page.get_by_role("button", name="Random").first.click()
    assert largest() <= 2
    assert np.abs(row(opened, "this z in every class")[1] - before).max() > 20


@pytest.mark.parametrize("way", ["pointer", "keyboard"])
def test_a_class_is_chosen(opened, conditional, way):
    z = opened.z()
    button = opened.page.get_by_role("button", name="class emu").first
    if way == "pointer":
        button.click()
    else:
        button.focus()
        button.press("Enter")
    assert c(opened).tolist() == [0, 0, 1]
    assert np.array_equal(opened.z(), z)
    assert differs(opened, conditional) <= 2
    assert button.get_attribute("aria-pressed") == "true"
    assert opened.page.get_by_label("first class of the blend").first.input_value() == "2"
    assert opened.page.get_by_role("slider", name="share of the second class").first.input_value() == "0"


def test_two_classes_are_blended(opened, conditional):
    slider = opened.page.get_by_role("slider", name="share of the second class").first
    opened.page.get_by_label("second class of the blend").first.select_option("emu")
    assert c(opened).tolist() == [1, 0, 0]
    slider.focus()
    for _ in range(25):
        slider.press("ArrowRight")
    assert c(opened) == pytest.approx([0.75, 0, 0.25])
    assert slider.get_attribute("aria-valuetext") == "25 %"
    assert differs(opened, conditional) <= 2
    opened.page.get_by_label("first class of the blend").first.select_option("emu")  # they change places
    assert c(opened) == pytest.approx([0.25, 0, 0.75])
    box = slider.bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert c(opened).tolist() == [1, 0, 0]


@pytest.mark.parametrize("direction", [0, 3])
def test_a_slider_moves_z_along_its_direction(opened, conditional, direction):
    before = opened.z()
    slider = opened.page.get_by_role("slider", name=f"a {direction + 1}", exact=True).first
    slider.focus()
    for _ in range(4):
        slider.press("PageDown")
    places = DIRECTIONS @ opened.z()
    assert places[direction] < DIRECTIONS[direction] @ before - 0.5
    moved = opened.z() - before
    assert moved == pytest.approx((moved @ DIRECTIONS[direction]) * DIRECTIONS[direction], abs=1e-4)
    assert slider.get_attribute("aria-valuetext") == f"a {direction + 1} = {places[direction]:.2f}"
    assert differs(opened, conditional) <= 2
    box = slider.bounding_box()
    opened.page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert DIRECTIONS[direction] @ opened.z() > 2


def test_the_point_moves_along_two_directions(opened, conditional):
    box = opened.page.locator(".gn-plane").first.bounding_box()
    before = DIRECTIONS @ opened.z()
    opened.page.touchscreen.tap(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    places = DIRECTIONS @ opened.z()
    assert places[:2] == pytest.approx([-1.5, 1.5], abs=0.05)
    assert places[2:] == pytest.approx(before[2:], abs=1e-3)
    opened.page.locator(".gn-plane").first.press("Shift+ArrowDown")
    assert (DIRECTIONS @ opened.z())[:2] == pytest.approx([-1.5, 1.0], abs=0.05)
    assert differs(opened, conditional) <= 2


def test_the_way_from_a_to_b_is_an_arc(opened, explorer, conditional):
    a, b = np.array(explorer.kept)
    pictures = row(opened, "from A to B")
    assert len(pictures) == 9
    for i in (0, 3, 8):
        assert np.abs(pictures[i] - grey(conditional, arc(a, b, i / 8), np.array([1, 0, 0]))).max() <= 2
    straight = (a + b) / 2
    assert np.abs(arc(a, b, 0.5) - straight).max() > 0.1  # the comparison can fail
    opened.page.get_by_role("button", name="4 of 8 from A to B").first.click()
    assert opened.z() == pytest.approx(arc(a, b, 0.5), abs=1e-6)
    slider = opened.page.get_by_role("slider", name="share of B").first
    assert slider.input_value() == "0.5"
    slider.focus()
    slider.press("ArrowRight")
    assert opened.z() == pytest.approx(arc(a, b, 0.51), abs=1e-6)
    box = slider.bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert opened.z() == pytest.approx(b, abs=1e-6)
    assert differs(opened, conditional) <= 2


def test_samples_are_kept_with_their_class(opened, explorer, conditional):
    page = opened.page
    page.get_by_role("button", name="Random").first.click()
    page.get_by_role("button", name="class dog").first.click()
    liked = opened.z()
    page.get_by_role("button", name="Keep as B").first.click()
    assert page.locator("[aria-live]").first.text_content() == "kept as B"
    page.get_by_role("button", name="A", exact=True).first.click()
    assert opened.z() == pytest.approx(explorer.kept[0])
    assert c(opened).tolist() == [1, 0, 0]
    page.get_by_role("button", name="2 of 8 from A to B").first.click()
    assert opened.z() == pytest.approx(arc(np.array(explorer.kept[0]), liked, 0.25), abs=1e-6)
    assert c(opened) == pytest.approx([0.75, 0.25, 0])
    assert differs(opened, conditional) <= 2
    last = row(opened, "from A to B")[-1]
    assert np.abs(last - grey(conditional, liked, np.array([0, 1, 0]))).max() <= 2
    page.get_by_role("button", name="Reset").first.click()
    assert not opened.z().any()
    page.get_by_role("button", name="Keep as A").first.press("Enter")  # the zero code has no direction
    page.get_by_role("button", name="4 of 8 from A to B").first.press("Enter")
    assert opened.z() == pytest.approx(liked / 2)


def test_it_fits_a_narrow_phone_and_can_be_reached_without_a_pointer(opened):
    page = opened.page
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        outline, label = page.evaluate(
            "[getComputedStyle(document.activeElement).outlineStyle,"
            " document.activeElement.ariaLabel ?? document.activeElement.textContent]"
        )
        reached.append(label)
        assert outline in ("auto", "solid")
    assert {"Random", "class dog", "second class of the blend", "share of B", "Keep as A", "a 1"} <= set(reached)


def test_what_nobody_named_is_called_as_asked(browser, tmp_path, monkeypatch, conditional):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    explorer = walk(conditional, classes=["a", "b", "c"], called="category", **WORDS)
    page = browser.new_page()
    opened = Opened(page, write(tmp_path, explorer.to_html()))
    page.get_by_role("button", name="category c").click()
    assert c(opened).tolist() == [0, 0, 1]
    assert row(opened, "this z in every category")
    assert page.get_by_label("first category of the blend").input_value() == "2"
    assert page.get_by_role("slider", name="share of the second category").input_value() == "0"
    shown = page.locator(".gn-explorer").first
    assert "in every category" in shown.inner_text()
    labels = [element.get_attribute("aria-label") or "" for element in shown.locator("[aria-label]").all()]
    assert "class" not in shown.inner_text() + " ".join(labels)
    page.close()


def test_without_classes_there_is_nothing_to_blend(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    plain = Plain()
    opened = Opened(browser.new_page(reduced_motion="reduce"), write(tmp_path, walk(plain, **WORDS).to_html()))
    opened.page.get_by_role("button", name="Random").click()
    assert np.abs(opened.pixels() - grey(plain, opened.z())).max() <= 2
    assert np.abs(row(opened, "from A to B")[8] - grey(plain, walk(plain, **WORDS).kept[1])).max() <= 2
    assert opened.page.locator("select").count() == 2  # those of the plane
    assert opened.complaints == []
    opened.page.close()


def test_a_walk_keeps_to_the_arc_and_stops_at_a_touch(browser, explorer, tmp_path):
    page = browser.new_page(viewport={"width": 800, "height": 900}, reduced_motion="no-preference")
    opened = Opened(page, write(tmp_path, explorer.to_html()))
    page.get_by_role("button", name="Walk").click()
    page.wait_for_timeout(300)
    first = opened.z()
    page.wait_for_timeout(200)
    assert (opened.z() != first).any()
    page.get_by_role("button", name="Pause").click()
    rests = opened.z()
    page.wait_for_timeout(200)
    assert np.array_equal(opened.z(), rests)
    assert opened.complaints == []
    page.close()


def test_spherical_equals_the_arc_and_planted_mistakes_do_not(browser):
    rng = np.random.default_rng(0)
    cases = [(rng.normal(size=64), rng.normal(size=64), share) for share in (0, 0.2, 0.5, 1)]
    given = [[a.tolist(), b.tolist(), share] for a, b, share in cases]

    def largest(*edits: tuple[str, str]) -> float:
        page = module(browser, "parts.js", ["spherical"], *edits)
        found = page.evaluate("cases => cases.map(([a, b, share]) => m.spherical(a, b, share))", given)
        page.close()
        return max(float(np.abs(np.array(one) - arc(*case)).max()) for one, case in zip(found, cases, strict=True))

    assert largest() < 1e-12
    assert largest(("start + share * (end - start)", "start")) > 1e-3
    assert largest(("(a * value) / start", "a * value")) > 1e-3


def test_without_scripts_the_poster_is_shown(browser, explorer, tmp_path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(write(tmp_path, explorer.to_html()))
    poster = page.get_by_role("img", name='seven by five "pixels"')
    assert poster.is_visible()
    assert poster.bounding_box()["height"] > 100
    context.close()


def test_python_and_the_page_follow_each_other(browser, explorer, conditional):
    opened = hosted(browser, explorer)
    page = opened.page
    page.evaluate("model.set('c', [0, 0.5, 0.5])")  # as a change in Python arrives
    page.evaluate("z => model.set('z', z)", explorer.kept[1])
    assert np.array_equal(opened.z(), explorer.kept[1])
    assert c(opened).tolist() == [0, 0.5, 0.5]
    assert differs(opened, conditional) <= 2
    page.get_by_role("button", name="class cat").press("Enter")
    page.wait_for_function("model.get('c')[0] === 1")
    page.wait_for_function("saved.length > 0")
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


def test_z_and_c_are_traits(conditional):
    explorer = walk(conditional, classes=NAMES, **WORDS)
    explorer.z, explorer.c = [0.5] * L, [0.5, 0.5, 0]
    with pytest.raises(traitlets.TraitError, match="give a list of 6 finite numbers"):
        explorer.z = [0.0] * D
    for wrong in ([1.0, 0.0], [0.5, 0.6, 0.0], [1.5, -0.5, 0.0]):
        with pytest.raises(traitlets.TraitError, match="give 3 weights from 0 to 1 that add to 1"):
            explorer.c = wrong


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"latent": 0}, "latent is 0"),
        (
            {"latent": 5, "directions": np.eye(5)},
            r"decoder does not take z of shape \(1, 5\) and c of shape \(1, 3\).*check latent=5",
        ),
        ({"directions": np.eye(5)}, r"directions has shape \(5, 5\); give \(D, 6\) with D from 1 to 6"),
        ({"directions": np.zeros((0, L))}, "with D from 1 to 6"),
        ({"directions": 2 * np.eye(L)}, "orthonormal rows by up to 3; give"),
        ({"directions": np.ones((2, L)) / L**0.5}, "give orthonormal rows"),
        ({"classes": ["cat", "dog"]}, r"decoder does not take z of shape \(1, 6\) and c of shape \(1, 2\)"),
        ({"classes": None}, r"decoder does not take z of shape \(1, 6\): .*missing"),
        ({"classes": ["cat", "cat", "emu"]}, "give at least two different names"),
        ({"classes": ["cat"]}, "give at least two different names"),
        ({"kept": np.zeros((3, L))}, r"kept has shape \(3, 6\); give two finite codes, \(2, 6\)"),
        ({"kept": np.full((2, L), np.nan)}, "two finite codes"),
        ({"spread": 0.0}, "spread is 0.0; give one positive number"),
        ({"alt": ""}, "title, alt or called is empty"),
        ({"called": ""}, "title, alt or called is empty"),
    ],
)
def test_input_that_does_not_fit_is_refused(conditional, values, words):
    with pytest.raises(ValueError, match=words):
        walk(conditional, **{"classes": NAMES, **WORDS, **values})

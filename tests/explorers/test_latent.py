"""The explorer of a decoder: what the reader does, and what the page then shows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from playwright.sync_api import Browser
from torch import nn

from gennotes.explorers import LatentExplorer, latent

from .pages import Opened, hosted, write


@pytest.fixture
def opened(browser: Browser, explorer: LatentExplorer, tmp_path: Path) -> Iterator[Opened]:
    """Two explorers on one page, from a file, for a reader who prefers reduced motion (z then moves at once)."""
    context = browser.new_context(reduced_motion="reduce", has_touch=True, viewport={"width": 390, "height": 844})
    result = Opened(context.new_page(), write(tmp_path, explorer.to_html(), explorer.to_html()))
    yield result
    context.close()
    assert result.complaints == []
    assert [url for url in result.requests if not url.startswith("data:")] == [result.address]


def decoded(decoder: nn.Module, z: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return 255 * decoder(torch.tensor(z, dtype=torch.float32)[None])[0, 0].numpy()


def differs(opened: Opened, decoder: nn.Module) -> float:
    """How far the canvas is from torch's decode of the z that the page names, in grey values."""
    return float(np.abs(opened.pixels() - decoded(decoder, opened.z())).max())


def test_it_starts_at_the_first_anchor_and_shows_what_torch_decodes(opened, decoder, anchors):
    assert np.array_equal(opened.z(), anchors[0])
    assert opened.pixels().shape == (7, 5)
    assert differs(opened, decoder) <= 2
    assert opened.page.locator(".gn-poster:visible").count() == 0
    assert opened.page.locator("canvas").count() == 2
    assert np.abs(opened.pixels() - decoded(decoder, anchors[1])).max() > 20  # the comparison can fail
    assert np.abs(opened.pixels().T.reshape(7, 5) - decoded(decoder, anchors[0])).max() > 20


@pytest.mark.parametrize("dimension", [4, 0])
def test_a_slider_moves_its_dimension_by_keyboard(opened, decoder, anchors, dimension):
    before = opened.pixels()
    slider = opened.page.get_by_role("slider", name=f"z {dimension + 1}", exact=True).first
    slider.focus()
    for _ in range(4):
        slider.press("PageUp")
    z = opened.z()
    assert z[dimension] > anchors[0, dimension] + 0.5
    assert np.array_equal(np.delete(z, dimension), np.delete(anchors[0], dimension))
    assert slider.get_attribute("aria-valuetext") == f"z {dimension + 1} = {z[dimension]:.2f}"
    assert (opened.pixels() != before).any()
    assert differs(opened, decoder) <= 2


def test_a_slider_moves_by_pointer(opened, decoder):
    box = opened.page.get_by_role("slider", name="z 5", exact=True).first.bounding_box()
    opened.page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert opened.z()[4] > 2
    assert differs(opened, decoder) <= 2


def test_the_point_is_dragged_on_the_plane(opened, decoder, anchors):
    box = opened.page.locator(".gn-plane").first.bounding_box()
    opened.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"], steps=3)
    z = opened.z()
    assert z[[4, 1]] == pytest.approx([1.5, 1.5], abs=0.05)  # order: 4 across, 1 up
    assert np.array_equal(np.delete(z, [4, 1]), np.delete(anchors[0], [4, 1]))
    assert differs(opened, decoder) <= 2
    opened.page.mouse.move(box["x"] + 3 * box["width"], box["y"] - box["height"])
    assert opened.z()[[4, 1]].tolist() == [3, 3]  # it stays on the plane
    opened.page.mouse.up()
    opened.page.mouse.move(box["x"], box["y"])
    assert opened.z()[[4, 1]].tolist() == [3, 3]


def test_the_point_moves_by_touch(opened, decoder):
    box = opened.page.locator(".gn-plane").first.bounding_box()
    opened.page.touchscreen.tap(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"])
    assert opened.z()[[4, 1]] == pytest.approx([-1.5, -1.5], abs=0.05)
    assert differs(opened, decoder) <= 2


def test_the_point_moves_by_arrow_keys(opened, decoder, anchors):
    plane = opened.page.locator(".gn-plane").first
    plane.focus()
    for key in ["ArrowRight", "ArrowRight", "Shift+ArrowUp", "ArrowLeft"]:
        plane.press(key)
    z = opened.z()
    assert z[[4, 1]] == pytest.approx(anchors[0, [4, 1]] + [0.1, 0.5])
    assert differs(opened, decoder) <= 2
    spoken = f"z 5 = {z[4]:.2f}, z 2 = {z[1]:.2f}"
    assert opened.page.locator("[aria-live]").first.text_content() == spoken
    assert plane.get_attribute("aria-label").startswith(spoken)


def test_the_reader_chooses_the_dimensions_of_the_plane(opened):
    across = opened.page.get_by_label("dimension across the plane").first
    up = opened.page.get_by_label("dimension up the plane").first
    assert (across.input_value(), up.input_value()) == ("4", "1")
    across.select_option("1")  # the one that goes up: they change places
    assert (across.input_value(), up.input_value()) == ("1", "4")
    across.select_option("7")
    before = opened.z()
    opened.page.locator(".gn-plane").first.press("ArrowRight")
    assert np.flatnonzero(opened.z() != before).tolist() == [7]


def test_buttons(opened, decoder, anchors):
    page = opened.page
    page.get_by_role("button", name="move z to the code of c").first.click()
    assert np.array_equal(opened.z(), anchors[2])
    pressed = page.locator(".gn-anchors").first.locator("[aria-pressed=true]")
    assert pressed.get_attribute("aria-label") == "move z to the code of c"
    page.get_by_role("button", name="Reset").first.click()
    assert not opened.z().any()
    page.get_by_role("button", name="Random").first.click()
    assert opened.z().all()
    assert differs(opened, decoder) <= 2


def test_it_fits_a_narrow_phone_and_can_be_reached_without_a_pointer(opened):
    page = opened.page
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 390, "height": 700})
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.tagName + getComputedStyle(document.activeElement).outlineStyle")
        )
    assert reached[:4] == ["BUTTONauto", "BUTTONauto", "BUTTONauto", "DIVsolid"] or reached[:4] == [
        "BUTTONsolid"
    ] * 3 + ["DIVsolid"]
    assert {"SELECT", "INPUT"} <= {name.removesuffix("solid") for name in reached}


def variant(explorer: LatentExplorer, **values) -> LatentExplorer:
    names = ["network", "order", "z", "spread", "anchors", "thumbnails", "labels", "title", "alt", "poster"]
    return LatentExplorer(**{**{name: getattr(explorer, name) for name in names}, **values})


def test_the_cover_walks_by_itself_until_it_is_touched(browser, explorer, decoder, tmp_path):
    address = write(tmp_path, variant(explorer, walk=True, compact=True).to_html())
    page = browser.new_page(viewport={"width": 800, "height": 700}, reduced_motion="no-preference")
    opened = Opened(page, address)
    page.wait_for_timeout(400)
    first = opened.z()
    page.wait_for_timeout(200)
    assert (opened.z() != first).any()
    assert page.get_by_role("button", name="Pause").count() == 1
    assert page.get_by_role("button", name="Reset").count() == 0
    assert not page.locator("input").first.is_visible()
    page.locator(".gn-plane").click(position={"x": 30, "y": 30})
    touched = opened.z()
    page.wait_for_timeout(200)
    assert np.array_equal(opened.z(), touched)
    assert differs(opened, decoder) <= 2
    page.get_by_role("button", name="Walk").click()
    page.wait_for_timeout(300)
    assert (opened.z() != touched).any()
    assert opened.complaints == []
    page.close()


def test_reduced_motion_stops_the_walk(browser, explorer, anchors, tmp_path):
    page = browser.new_page(reduced_motion="reduce")
    opened = Opened(page, write(tmp_path, variant(explorer, walk=True).to_html()))
    page.wait_for_timeout(300)
    assert np.array_equal(opened.z(), anchors[0])
    page.close()


def test_without_scripts_the_poster_is_shown(browser, explorer, tmp_path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(write(tmp_path, explorer.to_html()))
    poster = page.get_by_role("img", name='seven by five "pixels"')
    assert poster.is_visible()
    assert poster.bounding_box()["height"] > 100
    context.close()


def test_what_goes_wrong_is_said_in_one_line(browser, explorer, tmp_path):
    network = {**explorer.network, "nodes": [{**explorer.network["nodes"][0], "op": "Mystery"}]}
    page = browser.new_page()
    opened = Opened(page, write(tmp_path, variant(explorer, network=network).to_html()))
    line = page.locator(".gn-explorer").text_content()
    assert line.startswith("this explorer could not start: operator Mystery")
    assert any("Mystery" in complaint for complaint in opened.complaints)
    assert page.locator(".gn-poster").is_visible()
    page.close()


def test_python_and_the_page_follow_each_other(browser, explorer, decoder, anchors):
    """The module under a stand-in for the model that anywidget gives it in JupyterLab."""
    opened = hosted(browser, explorer)
    page = opened.page
    page.evaluate("z => model.set('z', z)", anchors[2].tolist())  # as a change in Python arrives
    assert np.array_equal(opened.z(), anchors[2])
    assert differs(opened, decoder) <= 2
    page.locator(".gn-plane").press("ArrowRight")
    page.wait_for_function("saved.length > 0 && saved.at(-1)[4] !== " + str(anchors[2, 4]))
    assert page.evaluate("saved.at(-1)") == opened.z().tolist()
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


def test_z_is_a_trait(explorer):
    other = variant(explorer)
    seen = []
    other.observe(lambda change: seen.append(change["new"]), "z")
    other.z = [0.25] * 8
    assert seen == [[0.25] * 8]
    copy = variant(explorer)
    link = traitlets.link((other, "z"), (copy, "z"))
    other.z = [1.0] * 8
    assert copy.z == [1.0] * 8
    link.unlink()
    for wrong in ([0.0] * 7, [np.nan] * 8):
        with pytest.raises(traitlets.TraitError, match="give a list of 8 finite numbers"):
            other.z = wrong
    assert repr(other) == "LatentExplorer('A <small> decoder')"


def test_the_order_is_completed_and_images_default_to_decodes(explorer):
    assert explorer.order == [4, 1, 0, 2, 3, 5, 6, 7]
    assert explorer.spread == [3.0] * 8
    assert len(explorer.thumbnails) == 3


WORDS = {"latent": 8, "title": "title", "alt": "alt"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"latent": 0}, "latent is 0; give the number"),
        ({"latent": 5}, r"decoder does not take z of shape \(1, 5\).*check latent=5"),
        ({"anchors": np.zeros((3, 7))}, r"anchors has shape \(3, 7\); give finite codes of shape \(K, 8\)"),
        ({"anchors": np.zeros(8)}, r"anchors has shape \(8,\)"),
        ({"anchors": np.full((2, 8), np.inf)}, "give finite codes"),
        ({"anchors": np.zeros((2, 8)), "labels": ["one"]}, "labels has 1 entries for 2 anchors"),
        ({"anchors": np.zeros((2, 8)), "images": np.zeros((2, 7, 7))}, r"images has shape \(2, 7, 7\); .* \(2, 7, 5\)"),
        ({"anchors": np.zeros((2, 8)), "images": np.full((2, 7, 5), 255)}, r"from 255 to 255; give values in \[0, 1\]"),
        ({"images": np.zeros((2, 7, 5))}, "give one for each anchor"),
        ({"order": [0, 0]}, r"order is \[0, 0\]; give different dimensions from 0 to 7"),
        ({"order": [8]}, "from 0 to 7"),
        ({"spread": 0.0}, "spread is 0.0; give one positive number or 8 of them"),
        ({"spread": [1.0, 2.0]}, "or 8 of them"),
        ({"alt": ""}, "title or alt is empty"),
    ],
)
def test_input_that_does_not_fit_is_refused(decoder, values, words):
    with pytest.raises(ValueError, match=words):
        latent(decoder, **{**WORDS, **values})


def test_a_decoder_that_gives_no_pixels_is_refused(decoder):
    with pytest.raises(ValueError, match=r"values from .*pass nn.Sequential\(decoder, nn.Sigmoid\(\)\)"):
        latent(nn.Sequential(decoder[0], decoder[2], decoder[4]), **WORDS)
    with pytest.raises(ValueError, match=r"decoder gives \(1, 35\) for z \(1, 8\); it must give \(1, 1, H, W\)"):
        latent(decoder[:4], **WORDS)

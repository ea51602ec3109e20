"""The explorer in which a GAN trains: what the reader does, and the two hosts. Its players: test_players.py."""

import base64
import io
import itertools
from typing import Any

import numpy as np
import pytest
import traitlets
from PIL import Image

from gennotes.explorers import LiveExplorer, live
from gennotes.explorers.live import CURED, SICK

from .pages import hosted
from .shown import Shown

WORDS = {"title": "A GAN in the page", "alt": "Modes on a ring, samples, and curves of what they cover"}


@pytest.fixture
def shown(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    opened = Shown(browser, tmp_path, live(**WORDS))
    yield opened
    opened.close()


def press(shown, name: str) -> dict[str, Any]:
    shown.page.get_by_role("button", name=name, exact=True).click()
    return shown.data("values")


def wait_for(page, condition: str) -> None:
    """Until the values v that the page shows fulfil a condition."""
    values = "JSON.parse(document.querySelector('.gn-explorer').dataset.values)"
    page.wait_for_function(f"(v => {condition})({values})", timeout=60_000)


class Picture:
    """What a canvas shows. Equal pictures differ by 2 of 255 at most: a browser may draw the same dot in two ways."""

    def __init__(self, uri: str) -> None:
        with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as image:
            self.pixels = np.asarray(image.convert("RGB"), dtype=int)

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return np.abs(self.pixels - other.pixels).max() <= 2


def arena(shown) -> Picture:
    return Picture(shown.page.locator(".gn-arena").evaluate("canvas => canvas.toDataURL()"))


def test_nothing_moves_until_play_and_pause_holds(shown):
    start, picture = shown.data("values"), arena(shown)
    assert (start["updates"], start["playing"]) == (0, False)
    assert start["settings"] == {**SICK, "seed": 0}
    shown.page.wait_for_timeout(300)
    assert (shown.data("values"), arena(shown)) == (start, picture)
    assert press(shown, "Play")["playing"]
    wait_for(shown.page, "v.updates > 110")  # two points of the curves
    paused = press(shown, "Pause")
    assert arena(shown) != picture
    shown.page.wait_for_timeout(300)
    assert shown.data("values") == paused
    status = shown.page.get_by_role("status").inner_text()
    assert f"{paused['updates']:,} updates: {paused['found']} of 8 modes" in status
    assert shown.page.locator(".gn-measured dd").first.inner_text() == f"{paused['updates']:,}"
    course = shown.page.locator(".gn-panel path.gn-line.gn-of-d").get_attribute("d")
    assert course.count("L") == paused["updates"] // 50 - 1
    again = press(shown, "Restart")
    assert again == start
    assert arena(shown) == picture


def test_settings_take_effect_while_it_trains(shown):
    press(shown, "Play")
    wait_for(shown.page, "v.updates > 20")
    page = shown.page
    cured = press(shown, "Cured")
    assert cured["settings"] == {**CURED, "seed": 0}
    assert page.get_by_role("button", name="Cured").get_attribute("aria-pressed") == "true"
    page.get_by_role("combobox", name="Loss").select_option("Wasserstein")
    page.get_by_role("combobox", name="Penalty on D").select_option("gradient")
    page.get_by_role("slider", name="steps of D for one of G").press("End")
    page.get_by_role("slider", name="learning rate of G").press("Home")
    page.get_by_role("slider", name="learning rate of D").press("ArrowRight")
    page.get_by_role("slider", name="weight of the penalty").press("End")
    changed = shown.data("values")
    assert changed["updates"] >= cured["updates"] > 20
    kept = {"pack": 1, "seed": 0}
    wanted = {
        "loss": "Wasserstein",
        "penalty": "gradient",
        "d_steps": 5,
        "g_rate": 1e-5,
        "d_rate": 2.2e-3,
        "weight": 10,
    }
    assert changed["settings"] == wanted | kept
    assert page.get_by_role("button", name="Cured").get_attribute("aria-pressed") == "false"
    assert "f(x)" in page.locator(".gn-legend").inner_text()
    wait_for(page, f"v.updates > {changed['updates']}")


def test_pack_seed_and_world_start_anew(shown):
    press(shown, "Play")
    wait_for(shown.page, "v.updates > 5")
    press(shown, "Pause")
    pictures = [arena(shown)]
    for change in (
        lambda: shown.page.get_by_label("D sees").select_option("4"),
        lambda: shown.page.get_by_label("Seed").fill("12"),
        lambda: press(shown, "Grid of 25"),
    ):
        change()
        shown.page.get_by_label("Seed").press("Tab")
        assert shown.data("values")["updates"] == 0
        pictures.append(arena(shown))
    assert all(one != other for one, other in itertools.combinations(pictures, 2))
    values = shown.data("values")
    assert (values["settings"]["pack"], values["settings"]["seed"], values["world"]) == (4, 12, "grid")
    assert "of 25" in shown.page.locator(".gn-measured").inner_text()


def test_it_rests_out_of_sight(shown):
    shown.page.evaluate("document.body.style.paddingBottom = '3000px'")
    press(shown, "Play")
    wait_for(shown.page, "v.updates > 5")
    shown.page.evaluate("scrollTo(0, 2500)")
    shown.page.wait_for_timeout(400)
    resting = shown.data("values")["updates"]
    shown.page.wait_for_timeout(400)
    assert shown.data("values")["updates"] == resting
    shown.page.evaluate("scrollTo(0, 0)")
    wait_for(shown.page, f"v.updates > {resting}")


def test_a_run_that_diverges_stops_and_can_be_started_again(browser, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    page = hosted(browser, live(**WORDS)).page
    page.get_by_role("button", name="Play").click()
    page.evaluate("model.set('settings', {...model.get('settings'), d_rate: 1e30})")
    wait_for(page, "v.diverged && !v.playing")
    assert "Diverged" in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Cured").click()
    page.get_by_role("button", name="Play").click()
    wait_for(page, "!v.diverged && v.playing && v.updates > 0")
    page.evaluate("end()")
    page.close()


def test_python_and_the_page_follow_each_other(browser, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    page = hosted(browser, live(**WORDS)).page
    page.evaluate("model.set('world', 'grid')")  # as a change in Python arrives
    wait_for(page, "v.world === 'grid'")
    page.get_by_role("button", name="Cured").click()
    page.wait_for_function("saved.length > 0")
    assert page.evaluate("model.get('settings')") == {**CURED, "seed": 0}
    page.get_by_role("button", name="Play").click()
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_goes_over_the_edge(browser, tmp_path, monkeypatch, scheme):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    phone = Shown(browser, tmp_path, live(**WORDS), viewport={"width": 390, "height": 844}, color_scheme=scheme)
    press(phone, "Play")
    wait_for(phone.page, "v.updates > 5")
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
    controls = phone.page.locator(".gn-explorer :is(input, select, button)").all()
    assert len(controls) >= 14
    assert all(control.get_attribute("data-lm-suppress-shortcuts") == "true" for control in controls)
    phone.close()


def test_settings_are_checked(monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    explorer = live(start="cured", world="grid", seed=3, **WORDS)
    assert isinstance(explorer, LiveExplorer)
    assert explorer.settings == {**CURED, "seed": 3}
    assert explorer.world == "grid"
    assert len(explorer.worlds["grid"]["means"]) == 25
    assert explorer.poster.startswith("data:image/png;base64,")
    assert len(explorer.poster) < 40_000
    for change, words in (
        ({"loss": "l2"}, "loss is 'l2'; give one of minimax, non-saturating"),
        ({"pack": 3}, "pack is 3; give one of 1, 2, 4"),
        ({"d_steps": 1.5}, r"d_steps is 1\.5; give a whole number in \[1, 5\]"),
        ({"g_rate": 1}, r"g_rate is 1; give a number in \[1e-05, 0\.01\]"),
        ({"momentum": 1}, "settings has .*, momentum; give loss"),
    ):
        with pytest.raises(traitlets.TraitError, match=words):
            explorer.settings = {**explorer.settings, **change}
    with pytest.raises(traitlets.TraitError):
        explorer.world = "spiral"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"start": "well"}, "start is 'well'; give one of sick, cured"),
        ({"world": "spiral"}, "world is 'spiral'; give one of ring, grid"),
        ({"seed": 1000}, r"seed is 1000; give a whole number in \[0, 999\]"),
        ({"alt": ""}, "title or alt is empty"),
    ],
)
def test_what_does_not_fit_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        live(**{**WORDS, **values})

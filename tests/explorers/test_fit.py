"""The explorer that fits one normal to two modes: objective and gradient against torch, and what the reader does."""

import itertools
import math

import numpy as np
import pytest
import torch
import traitlets

from gennotes import divergences
from gennotes.explorers import FitExplorer, fit

from .pages import hosted
from .shown import Shown, log_density, measures

OBJECTIVES = ("forward", "reverse", "js")
WORDS = {"title": "One normal for two modes", "alt": "A density with two modes, and a normal that is fitted to it"}
TOLERANCE = 1e-5

JOBS = [
    (name, {"kind": "mixture", "mean": 0.0, "sd": sd, "gap": gap, "weight": weight}, {"mean": mean, "sd": spread})
    for name, (sd, gap, weight), (mean, spread) in itertools.product(
        OBJECTIVES,
        [(0.5, 4.0, 0.5), (0.3, 8.0, 0.2), (0.7, 2.0, 0.9), (1.0, 0.0, 0.5)],
        [(0.8, 1.0), (-2.0, 0.4), (3.0, 2.5)],
    )
]


def in_torch(name: str, p: dict, q: dict) -> tuple[float, list[float]]:
    """Objective and gradient in (mean, log sd), by automatic differentiation through a sum over a grid."""
    at = torch.linspace(-30, 30, 6001, dtype=torch.float64)  # evenly spaced: exact to rounding for normals
    mean = torch.tensor(q["mean"], dtype=torch.float64, requires_grad=True)
    log_sd = torch.tensor(math.log(q["sd"]), dtype=torch.float64, requires_grad=True)
    log_p = log_density(p, at)
    log_q = torch.distributions.Normal(mean, log_sd.exp()).log_prob(at)
    value = {
        "forward": lambda: divergences.kl(log_p, log_q, at=at, log=True),
        "reverse": lambda: divergences.kl(log_q, log_p, at=at, log=True),
        "js": lambda: divergences.js(log_p, log_q, at=at, log=True),
    }[name]()
    gradient = torch.autograd.grad(value, (mean, log_sd))
    return value.item(), [part.item() for part in gradient]


def differences(page) -> tuple[float, float]:
    """The largest differences of the objective and of the gradient, relative where a number is beyond 1."""
    given = [[name, p, {"kind": "normal", **q}] for name, p, q in JOBS]
    found = page.evaluate("jobs => jobs.map(job => [m.objective(...job), m.gradient(...job)])", given)
    worst = [0.0, 0.0]
    for (value, gradient), job in zip(found, JOBS, strict=True):
        wanted, slopes = in_torch(*job)
        worst[0] = max(worst[0], abs(value - wanted) / max(1, abs(wanted)))
        for mine, theirs in zip(gradient, slopes, strict=True):
            worst[1] = max(worst[1], abs(mine - theirs) / max(1, abs(theirs)))
    return worst[0], worst[1]


def test_objective_and_gradient_equal_torch(browser):
    page = measures(browser)
    value, gradient = differences(page)
    print(f"largest difference: objective {value:.1e}, gradient {gradient:.1e}")
    assert value < TOLERANCE
    assert gradient < TOLERANCE
    page.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weight: (logP) => -Math.exp(logP)", "weight: (logP) => Math.exp(logP)"),  # uphill
        ("Math.exp(logQ) * (logQ - logP)", "Math.exp(logP) * (logQ - logP)"),  # the mean under the other one
        ("weight: (logP, logQ) => 0.5 * Math.exp(logQ)", "weight: (logP, logQ) => Math.exp(logQ)"),  # twice as steep
        ("against((t) => t * t - 1)", "against((t) => (t * t - 1) / sd)"),  # by sd and not by its logarithm
        ("against((t) => t / sd)", "against((t) => t)"),
    ],
)
def test_the_comparison_rejects_planted_mistakes(browser, old, new):
    page = measures(browser, (old, new))
    assert not differences(page)[1] < TOLERANCE
    page.close()


@pytest.fixture(scope="module")
def descent(browser):
    """descent(objective, p, start): the values on the way, and where it ends."""
    page = measures(browser)
    run = """([name, p, q]) => {
      const values = [m.objective(name, p, q)];
      for (let step = 0; step < 1500; step++) {
        const next = m.descend(name, p, q, 0.3);
        values.push(next.value);
        q = next.q;
        if (next.slope < 1e-5) break;
      }
      return { q, values };
    }"""
    yield lambda name, p, start: page.evaluate(run, [name, p, {"kind": "normal", "mean": start[0], "sd": start[1]}])
    page.close()


MODES = {"kind": "mixture", "mean": 0.0, "sd": 0.5, "gap": 4.0, "weight": 0.3}


def test_forward_covers_with_the_moments_of_p(descent):
    """The minimum of KL(p ‖ q) over normals has the mean and the variance of p."""
    mean = 2 * (0.7 - 0.3)
    sd = math.sqrt(0.5**2 + 4 - mean**2)
    for start in ((2.0, 0.5), (-4.0, 3.0)):
        q = descent("forward", MODES, start)["q"]
        assert q["mean"] == pytest.approx(mean, abs=1e-3)
        assert q["sd"] == pytest.approx(sd, abs=1e-3)


def test_reverse_picks_the_mode_that_the_start_is_near(descent):
    for side, mass in ((-1, 0.3), (1, 0.7)):
        found = descent("reverse", MODES, (side * 1.5, 0.7))
        assert found["q"]["mean"] == pytest.approx(2 * side, abs=0.02)
        assert found["q"]["sd"] == pytest.approx(0.5, abs=0.02)
        assert found["values"][-1] == pytest.approx(-math.log(mass), abs=0.01)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_step_descends(descent, name):
    for start in ((0.8, 1.0), (-5.0, 0.2), (1.0, 3.0)):
        values = np.array(descent(name, MODES, start)["values"])
        assert (np.diff(values) <= 0).all()
        assert values[-1] < values[0]


# ------------------------------------------------------------------------------------------------- what a reader does


@pytest.fixture
def shown(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    opened = Shown(browser, tmp_path, fit(**WORDS), reduced_motion="reduce")
    yield opened
    opened.close()


def press(shown, name: str) -> dict:
    shown.page.get_by_role("button", name=name, exact=True).click()
    return shown.data("values")


def test_step_play_and_restart(shown):
    start = shown.data("values")
    p = start["p"]
    value, slopes = in_torch("forward", p, {"mean": 0.8, "sd": 1.0})
    assert start["value"] == pytest.approx(value, abs=1e-6)
    assert start["slope"] == pytest.approx(math.hypot(*slopes), abs=1e-5)
    one = press(shown, "Step")
    assert one["step"] == 1
    assert one["value"] < start["value"]
    assert one["mean"] == pytest.approx(0.8 - 0.3 * slopes[0], abs=1e-5)
    end = press(shown, "Play")
    assert end["rest"]
    assert end["mean"] == pytest.approx(0, abs=2e-3)
    assert end["sd"] == pytest.approx(math.sqrt(4.25), abs=2e-3)
    assert "at rest" in shown.page.locator(".gn-sentence").inner_text()
    again = press(shown, "Restart")
    assert again == start


def test_the_objective_is_chosen_and_the_start_decides_for_a_mode(shown):
    shown.page.get_by_role("button", name="reverse KL").click()
    assert shown.data("values")["objective"] == "reverse"
    assert press(shown, "Play")["mean"] == pytest.approx(2, abs=0.01)
    press(shown, "Restart")
    pixels = (shown.page.locator(".gn-panel").first.bounding_box()["width"] - 50) / 12
    shown.drag(shown.page.get_by_role("slider", name="mean of q"), -2.5 * pixels)
    moved = shown.data("values")
    assert moved["step"] == 0
    assert moved["mean"] == pytest.approx(-1.7, abs=0.03)
    assert press(shown, "Play")["mean"] == pytest.approx(-2, abs=0.01)
    shown.page.get_by_role("slider", name="standard deviation of q").press("End")
    assert shown.data("values")["sd"] == 3.0
    assert shown.data("values")["step"] == 0


def test_parting_and_weight_change_p_and_start_anew(shown):
    press(shown, "Step")
    shown.page.get_by_role("slider", name="parting of the modes of p").press("ArrowRight")
    shown.page.get_by_role("slider", name="weight of the left mode of p").press("End")
    values = shown.data("values")
    assert values["p"]["gap"] == pytest.approx(4.01)
    assert values["p"]["weight"] == pytest.approx(0.98)
    assert (values["step"], values["mean"], values["sd"]) == (0, 0.8, 1.0)


def test_it_plays_step_by_step_and_can_be_paused(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    moving = Shown(browser, tmp_path, fit(objective="js", **WORDS), reduced_motion="no-preference")
    moving.page.get_by_role("button", name="Play").click()
    moving.page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).step > 3")
    moving.page.get_by_role("button", name="Pause").click()
    paused = moving.data("values")
    moving.page.wait_for_timeout(200)
    assert moving.data("values") == paused
    assert not paused["rest"]
    moving.close()


def test_python_and_the_page_follow_each_other(browser, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    page = hosted(browser, fit(**WORDS)).page
    page.evaluate("model.set('q', {kind: 'normal', mean: -3, sd: 0.5})")  # as a change in Python arrives
    page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).mean === -3")
    page.get_by_role("button", name="Step").click()
    page.wait_for_function("saved.length > 0")
    assert page.evaluate("model.get('q')")["mean"] > -3
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


def test_traits_are_checked(monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    explorer = fit(objective="reverse", parting=5, weight=0.25, mode_sd=0.4, start=(-1, 2), **WORDS)
    assert isinstance(explorer, FitExplorer)
    assert explorer.p == {"kind": "mixture", "mean": 0.0, "sd": 0.4, "gap": 5.0, "weight": 0.25}
    assert explorer.q == {"kind": "normal", "mean": -1.0, "sd": 2.0}
    with pytest.raises(traitlets.TraitError, match="q is of the kind 'laplace'; give a normal"):
        explorer.q = {"kind": "laplace", "mean": 0, "scale": 1}
    with pytest.raises(traitlets.TraitError, match=r"p: sd is 0\.0; give a positive number"):
        explorer.p = {**explorer.p, "sd": 0}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"objective": "sideways"}, "objective is 'sideways'; give one of forward, reverse, js"),
        ({"parting": 9}, r"parting is 9; give a distance in \[0, 8\]"),
        ({"weight": 0}, r"weight is 0\.0; give a number between 0 and 1"),
        ({"start": (0, 0)}, r"q: sd is 0\.0; give a positive number"),
        ({"alt": ""}, "title or alt is empty"),
    ],
)
def test_what_does_not_fit_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        fit(**{**WORDS, **values})

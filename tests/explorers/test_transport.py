"""The explorer of transport: plan and distances of the page against numpy and torch, and what a reader does."""

import itertools
import math

import numpy as np
import pytest
import traitlets
from scipy import stats

from gennotes import divergences
from gennotes.explorers import TransportExplorer, transport

from .pages import hosted
from .shown import Shown, grid, log_density, measures

WORDS = {"title": "Two densities and the plan between them", "alt": "Two bell curves, and lines from one to the other"}
NORMAL = {"kind": "normal", "mean": -2.0, "sd": 0.7}
SHAPES = [
    NORMAL,
    {"kind": "normal", "mean": 1.0, "sd": 1.6},
    {"kind": "mixture", "mean": 0.5, "sd": 0.4, "gap": 3.0, "weight": 0.2},
    {"kind": "uniform", "mean": -1.0, "width": 2.5},
    {"kind": "laplace", "mean": 0.0, "scale": 0.6},
]
DISTANCES = (-7.0, -0.4, 0.0, 1.3, 8.0)
JOBS = [(p, q, d) for p, q in itertools.product(SHAPES, SHAPES) for d in DISTANCES]  # 125 pairs
PORTIONS = 25
TOLERANCE = 5e-5  # of the sums over a grid, where a density jumps


def mean(spec: dict) -> float:
    """∫ x p(x) dx by a sum over a fine grid."""
    x = grid(spec)
    return float(np.trapezoid(x * log_density(spec, x).exp(), x))


def in_numpy(p: dict, q: dict, distance: float) -> tuple[float, float]:
    """W₁ and JS with Q moved so that the means are `distance` apart, by quadrature on a grid."""
    moved = {**q, "mean": q["mean"] + distance - mean(q) + mean(p)}
    x = grid(p, moved)
    log_p, log_q = log_density(p, x), log_density(moved, x)
    return float(divergences.wasserstein(log_p, log_q, x, log=True)), float(divergences.js(log_p, log_q, x, log=True))


def quantiles(spec: dict) -> np.ndarray:
    """Where the middles of equal portions of the mass lie, by scipy; of a mixture from its distribution function."""
    shares = (np.arange(PORTIONS) + 0.5) / PORTIONS
    if spec["kind"] == "normal":
        return stats.norm(spec["mean"], spec["sd"]).ppf(shares)
    if spec["kind"] == "laplace":
        return stats.laplace(spec["mean"], spec["scale"]).ppf(shares)
    if spec["kind"] == "uniform":
        return stats.uniform(spec["mean"] - spec["width"] / 2, spec["width"]).ppf(shares)
    x = np.linspace(-10, 10, 400_001)
    left, right = (stats.norm(spec["mean"] + side * spec["gap"] / 2, spec["sd"]).cdf(x) for side in (-1, 1))
    return np.interp(shares, spec["weight"] * left + (1 - spec["weight"]) * right, x)


@pytest.fixture(scope="module")
def exact() -> list[tuple[float, float]]:
    return [in_numpy(*job) for job in JOBS]


def difference(page, exact) -> float:
    """The largest difference of W₁ and JS over all pairs, relative where a number is beyond 1."""
    found = page.evaluate("jobs => jobs.map(job => m.parted(...job))", [list(job) for job in JOBS])
    pairs = [(f[name], e[i]) for f, e in zip(found, exact, strict=True) for i, name in enumerate(("w1", "js"))]
    return max(abs(a - b) / max(1, abs(b)) for a, b in pairs)


def plan_difference(page) -> float:
    worst = 0.0
    for p, q in itertools.product(SHAPES, SHAPES):
        found = np.array(page.evaluate(f"([p, q]) => m.plan(p, q, {PORTIONS})", [p, q]))
        worst = max(worst, np.abs(found - np.stack([quantiles(p), quantiles(q)], 1)).max())
    return worst


def test_distances_equal_those_of_the_package(browser, exact):
    page = measures(browser)
    worst = difference(page, exact)
    print(f"largest difference over {len(JOBS)} pairs: {worst:.1e}")
    assert worst < TOLERANCE
    page.close()


def test_the_plan_goes_from_quantile_to_quantile(browser):
    page = measures(browser)
    assert plan_difference(page) < TOLERANCE
    page.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mean + gap * (0.5 - weight)", "mean"),  # the middle of a mixture for its mean
        ("qSpec.mean + distance - (meanOf(qSpec) - meanOf(pSpec))", "qSpec.mean + distance"),  # not apart, but moved
        ("w1: wasserstein(p, q), js: js(p, q)", "w1: wasserstein(p, q), js: kl(p, q)"),
        ("Math.abs(p.cdf(x) - q.cdf(x))", "(p.cdf(x) - q.cdf(x))"),  # a difference of means
    ],
)
def test_the_comparison_of_distances_rejects_planted_mistakes(browser, exact, old, new):
    page = measures(browser, (old, new))
    assert not difference(page, exact) < TOLERANCE
    page.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[quantile(p, u), quantile(q, u)]", "[quantile(p, u), quantile(q, 1 - u)]"),  # the order turned round
        ("(k + 0.5) / count", "k / count"),  # portions by their edges
        ("cdf(middle) < u", "cdf(middle) > u"),
    ],
)
def test_the_comparison_of_plans_rejects_planted_mistakes(browser, old, new):
    page = measures(browser, (old, new))
    assert not plan_difference(page) < TOLERANCE
    page.close()


# ------------------------------------------------------------------------------------------------- what a reader does


@pytest.fixture
def shown(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    opened = Shown(browser, tmp_path, transport(NORMAL, {**NORMAL, "mean": 2.0}, **WORDS))
    yield opened
    opened.close()


def test_equal_shapes_apart(shown):
    values = shown.data("values")
    assert values["distance"] == pytest.approx(4)
    assert values["w1"] == pytest.approx(4, abs=1e-6)
    assert values["w1_slope"] == pytest.approx(1, abs=1e-4)
    assert 0 < values["js_slope"] < 0.02
    assert 0.68 < values["js"] < math.log(2)
    text = shown.page.locator(".gn-sentence").inner_text()
    assert "W₁ = 4.000 on average" in text
    assert text.endswith("of its limit log 2.")
    ways = shown.page.locator(".gn-way").get_attribute("d")
    assert ways.count("M") == ways.count("L") == PORTIONS


def test_dragging_q_moves_the_dots_and_leaves_the_curves(shown):
    page = shown.page
    curves = page.locator(".gn-line.gn-of-term")
    before = [curves.nth(i).get_attribute("d") for i in range(2)]
    dot = page.locator(".gn-here").first
    at = float(dot.get_attribute("cx"))
    pixels = (page.locator(".gn-panel").first.bounding_box()["width"] - 50) / 12
    shown.drag(page.get_by_role("slider", name="mean of Q").first, -3 * pixels)
    values = shown.data("values")
    assert values["distance"] == pytest.approx(1, abs=0.05)
    assert values["w1"] == pytest.approx(values["distance"], abs=1e-6)
    assert float(dot.get_attribute("cx")) == pytest.approx(at - 3 * pixels / 2, abs=2)  # its axis is twice as long
    assert [curves.nth(i).get_attribute("d") for i in range(2)] == before


def test_a_shape_draws_the_curves_anew(shown):
    page = shown.page
    curve = page.locator(".gn-line.gn-of-term").last
    before = curve.get_attribute("d")
    page.get_by_role("combobox", name="kind of Q").select_option("uniform")
    assert shown.data("q")["kind"] == "uniform"
    assert curve.get_attribute("d") != before
    page.get_by_role("slider", name="width of Q").last.press("End")
    assert shown.data("q")["width"] == pytest.approx(10.8)
    page.get_by_role("button", name="Reset").click()
    assert shown.data("q") == {**NORMAL, "mean": 2.0}
    assert curve.get_attribute("d") == before


def test_keys_move_a_density_and_the_change_is_said(shown):
    handle = shown.page.get_by_role("slider", name="mean of P").first
    handle.press("ArrowRight")
    assert shown.data("p")["mean"] == pytest.approx(-1.95)
    shown.page.wait_for_timeout(900)
    assert "3.950 on average" in shown.page.locator("[aria-live]").inner_text()


def test_a_phone_shows_it_without_scrolling_sideways(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    wide = {"kind": "mixture", "mean": 1.0, "sd": 0.5, "gap": 3.0, "weight": 0.3}
    phone = Shown(browser, tmp_path, transport(NORMAL, wide, **WORDS), viewport={"width": 390, "height": 800})
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()


def test_python_and_the_page_follow_each_other(browser, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    page = hosted(browser, transport(NORMAL, {**NORMAL, "mean": 2.0}, **WORDS)).page
    page.evaluate("model.set('q', {kind: 'normal', mean: 3, sd: 0.7})")  # as a change in Python arrives
    page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).distance === 5")
    page.get_by_role("slider", name="mean of Q").first.press("Home")
    page.wait_for_function("saved.length > 0")
    assert page.evaluate("model.get('q')")["mean"] == pytest.approx(-5.52)
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


def test_traits_are_checked(monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    explorer = transport(NORMAL, NORMAL, **WORDS)
    assert isinstance(explorer, TransportExplorer)
    with pytest.raises(traitlets.TraitError, match=r"q: sd is -1\.0; give a positive number"):
        explorer.q = {**NORMAL, "sd": -1}
    with pytest.raises(traitlets.TraitError, match="p is of the kind 'bars'"):
        explorer.p = {"kind": "bars", "masses": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"p": {"kind": "bars", "masses": [0.5, 0.5]}}, "p is of the kind 'bars'; give one of normal"),
        ({"q": {**NORMAL, "sd": 0}}, r"q: sd is 0\.0; give a positive number"),
        ({"kinds": ["cauchy"]}, "kinds has 'cauchy'"),
        ({"domain": (1, 1)}, r"domain is \[1\.0, 1\.0\]; give its left end first"),
        ({"title": ""}, "title or alt is empty"),
    ],
)
def test_what_does_not_fit_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        transport(**{"p": NORMAL, "q": NORMAL, **WORDS, **values})

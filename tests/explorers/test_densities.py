"""The explorer of two densities: its values against gennotes.divergences, and what the reader does with it."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
import traitlets
from scipy import stats

from gennotes import divergences
from gennotes.explorers import DensitiesExplorer, densities
from gennotes.explorers.densities import FIELDS, density

from .pages import hosted
from .shown import Shown, compare, grid, log_density, measures, numbers

TOLERANCE = 1e-4
WORDS = {"title": "P and Q", "alt": "Two densities, and below them the integrand"}

SETTINGS = [
    {"kind": "normal", "mean": 0.0, "sd": 1.0},
    {"kind": "normal", "mean": -1.3, "sd": 0.2},
    {"kind": "normal", "mean": 4.0, "sd": 3.0},
    {"kind": "mixture", "mean": 0.0, "sd": 0.5, "gap": 4.0, "weight": 0.5},
    {"kind": "mixture", "mean": 1.0, "sd": 0.2, "gap": 8.0, "weight": 0.02},
    {"kind": "mixture", "mean": -0.5, "sd": 1.5, "gap": 0.0, "weight": 0.9},
    {"kind": "uniform", "mean": 0.0, "width": 2.0},
    {"kind": "uniform", "mean": 0.37, "width": 10.8},
    {"kind": "uniform", "mean": 3.0, "width": 0.4},
    {"kind": "laplace", "mean": 0.0, "scale": 1.0},
    {"kind": "laplace", "mean": 2.2, "scale": 0.2},
    {"kind": "laplace", "mean": -3.0, "scale": 2.0},
]
PAIRS = list(itertools.product(SETTINGS, repeat=2))


@pytest.fixture(scope="module")
def page(browser):
    opened = measures(browser)
    yield opened
    opened.close()


def in_python(p: dict, q: dict) -> dict[str, float]:
    """The same values by gennotes.divergences on a grid, with infinities where a support says so."""
    at = grid(p, q)
    log_p, log_q = log_density(p, at), log_density(q, at)
    given = {"at": at, "log": True}
    return {
        "kl_pq": divergences.kl(log_p, log_q, **given).item(),
        "kl_qp": divergences.kl(log_q, log_p, **given).item(),
        "js": divergences.js(log_p, log_q, **given).item(),
        "w1": divergences.wasserstein(log_p, log_q, **given).item(),
        "h_p": divergences.entropy(log_p, **given).item(),
        "h_q": divergences.entropy(log_q, **given).item(),
        "h_pq": divergences.cross_entropy(log_p, log_q, **given).item(),
    }


def largest(found: list[dict[str, float]], wanted: list[dict[str, float]]) -> float:
    """The largest difference, relative where a value is beyond 1; infinite unless infinities agree."""
    worst = 0.0
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            if math.isinf(value) or not math.isfinite(mine[name]):
                worst = max(worst, 0.0 if mine[name] == value else math.inf)
            else:
                worst = max(worst, abs(mine[name] - value) / max(1.0, abs(value)))
    return worst


@pytest.fixture(scope="module")
def expected():
    return [in_python(p, q) for p, q in PAIRS]


def test_values_equal_divergences_for_all_pairs_of_kinds(page, expected):
    found = compare(page, PAIRS)
    print(f"largest difference: {largest(found, expected):.1e}")  # pytest -s shows it
    assert largest(found, expected) < TOLERANCE
    assert sum(math.isinf(values["kl_pq"]) for values in found) > 30  # infinities were among them


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(logP, logQ) => logP - logQ));", "(logP, logQ) => logQ - logP));"),  # a sign
        ("return logAdd(logP, logQ) - LOG_2;", "return logAdd(logP, logQ);"),  # M without its half
        ("+ 0.5 * expectation(q, p, toMiddle)", "+ 0.5 * expectation(p, q, toMiddle)"),  # one half twice
        ("Math.abs(p.cdf(x) - q.cdf(x))", "p.cdf(x) - q.cdf(x)"),  # a difference of means
        ("-expectation(p, q, (_, logQ) => logQ)", "-expectation(q, p, (_, logQ) => logQ)"),  # a swapped order
        ("Math.log(2 * scale)", "Math.log(scale)"),  # mass of two
        ("Math.sign(t) * erf", "erf"),  # the left tail
        ("breaks: [a, b],", "breaks: [],"),  # jumps inside of a piece, with the next line
    ],
)
def test_the_comparison_rejects_planted_mistakes(browser, expected, old, new):
    edits = [(old, new)]
    if old.startswith("breaks"):
        edits.append(("...d.breaks, ...d.reach]", "...d.breaks]"))
        edits.append(("|| halvings === 0", "|| halvings <= 23"))
    planted = measures(browser, *edits)
    assert not largest(compare(planted, PAIRS), expected) < TOLERANCE
    planted.close()


def test_values_equal_closed_forms(page):
    log = math.log
    normal = {"kind": "normal", "mean": 0.5, "sd": 0.8}
    wide = {"kind": "normal", "mean": -1.0, "sd": 2.0}
    laplace, other = {"kind": "laplace", "mean": 0.0, "scale": 0.5}, {"kind": "laplace", "mean": 2.0, "scale": 1.5}
    inner, outer = {"kind": "uniform", "mean": 0.3, "width": 2.0}, {"kind": "uniform", "mean": 0.0, "width": 5.0}
    apart = {"kind": "uniform", "mean": 9.0, "width": 2.0}
    moved = {**normal, "mean": 3.75}
    values = compare(page, [(normal, wide), (laplace, other), (inner, outer), (inner, apart), (normal, moved)])
    two_normals, two_laplaces, nested, disjoint, shifted = values
    mu, var_p, zero, var_q = torch.tensor([[1.5], [0.64], [0.0], [4.0]], dtype=torch.float64)
    closed = divergences.kl_normal(mu, var_p.log(), zero, var_q.log()).item()
    assert two_normals["kl_pq"] == pytest.approx(closed, abs=1e-8)
    assert two_normals["h_p"] == pytest.approx(0.5 * log(2 * math.pi * math.e * 0.64), abs=1e-8)
    ratio = 1 / 3
    assert two_laplaces["kl_pq"] == pytest.approx(log(3) + ratio * math.exp(-4) + 2 / 1.5 - 1, abs=1e-8)
    assert two_laplaces["h_p"] == pytest.approx(1 + log(1.0), abs=1e-8)
    assert nested["kl_pq"] == pytest.approx(log(2.5), abs=1e-8)
    assert nested["kl_qp"] == math.inf
    assert nested["h_q"] == pytest.approx(log(5.0), abs=1e-8)
    assert nested["h_pq"] == pytest.approx(log(5.0), abs=1e-8)
    assert disjoint["js"] == pytest.approx(log(2.0), abs=1e-8)
    assert disjoint["w1"] == pytest.approx(8.7, abs=1e-8)
    assert shifted["w1"] == pytest.approx(3.25, abs=1e-6)


def test_far_tails_are_finite_and_only_a_support_makes_infinity(page):
    """At 50 standard deviations q is 0 in float64, and KL is not infinite."""
    far = {"kind": "normal", "mean": 10.0, "sd": 0.2}
    near = {"kind": "normal", "mean": 0.0, "sd": 0.2}
    uniform = {"kind": "uniform", "mean": 10.0, "width": 0.4}
    normals, mixed = compare(page, [(near, far), (uniform, near)])
    assert normals["kl_pq"] == pytest.approx(1250, abs=1e-4)
    assert normals["js"] == pytest.approx(math.log(2), abs=1e-6)
    assert normals["h_pq"] == pytest.approx(1250 + 0.5 * math.log(2 * math.pi * math.e * 0.04), abs=1e-4)
    assert math.isfinite(mixed["kl_pq"])
    assert mixed["kl_qp"] == math.inf


def test_the_normal_distribution_function(page):
    t = np.linspace(-12, 12, 241)
    assert np.abs(np.array(page.evaluate("t => t.map(m.normalCdf)", t.tolist())) - stats.norm.cdf(t)).max() < 1e-14


BARS = [
    ([0.1, 0.2, 0.4, 0.2, 0.1], [0.3, 0.3, 0.2, 0.1, 0.1]),
    ([0.5, 0.5, 0.0], [0.25, 0.25, 0.5]),
    ([0.25, 0.25, 0.5], [0.5, 0.5, 0.0]),
    ([1.0, 0.0], [0.0, 1.0]),
]


def bars_in_python(p: list[float], q: list[float]) -> dict[str, float]:
    a, b = torch.tensor(p, dtype=torch.float64), torch.tensor(q, dtype=torch.float64)
    named = {"kl_pq": divergences.kl(a, b), "kl_qp": divergences.kl(b, a), "js": divergences.js(a, b)}
    named |= {"w1": divergences.wasserstein(a, b), "h_pq": divergences.cross_entropy(a, b)}
    named |= {"h_p": divergences.entropy(a), "h_q": divergences.entropy(b)}
    return {name: value.item() for name, value in named.items()}


@pytest.mark.parametrize(
    "planted",
    [
        None,
        ("(p > 0 ? p * Math.log(p / q) : 0)", "(p > 0 && q > 0 ? p * Math.log(p / q) : 0)"),  # infinity lost
        ("(total += mass)", "mass"),  # no distribution function
        ("(p > 0 ? -p * Math.log(q) : 0)", "(p > 0 ? -q * Math.log(p) : 0)"),  # a swapped order
    ],
)
def test_bars_equal_divergences(browser, planted):
    opened = measures(browser, *([planted] if planted else []))
    pairs = [({"kind": "bars", "masses": p}, {"kind": "bars", "masses": q}) for p, q in BARS]
    difference = largest(compare(opened, pairs), [bars_in_python(p, q) for p, q in BARS])
    opened.close()
    assert not difference < TOLERANCE if planted else difference < 1e-12


def test_a_table_beside_its_product_gives_information(page):
    table = np.random.default_rng(0).dirichlet(np.ones(12)).reshape(3, 4)
    joint = torch.from_numpy(table)
    p = {"kind": "bars", "masses": table.ravel().tolist(), "shape": [3, 4]}
    (values,) = compare(page, [(p, {"kind": "product"})])
    mutual = divergences.mutual_information(joint).item()
    assert values["i_xy"] == pytest.approx(mutual, abs=1e-12)
    assert values["kl_pq"] == pytest.approx(mutual, abs=1e-12)
    assert values["h_x"] == pytest.approx(divergences.entropy(joint.sum(1)).item(), abs=1e-12)
    assert values["h_y"] == pytest.approx(divergences.entropy(joint.sum(0)).item(), abs=1e-12)
    assert values["h_xy"] == pytest.approx(divergences.entropy(joint.flatten()).item(), abs=1e-12)
    assert values["h_x_y"] == pytest.approx(divergences.conditional_entropy(joint, "columns").item(), abs=1e-12)
    assert values["h_y_x"] == pytest.approx(divergences.conditional_entropy(joint, "rows").item(), abs=1e-12)
    assert abs(values["h_x_y"] - values["h_y_x"]) > 0.01  # a swap would be seen
    assert "w1" not in values


def test_python_draws_the_same_densities():
    x = np.linspace(-8, 8, 400)
    for spec in SETTINGS:
        theirs = log_density(spec, torch.from_numpy(x)).exp().numpy()
        assert np.abs(density(spec, x) - theirs).max() < 1e-6


# ------------------------------------------------------------------------------------------------- what a reader does


@pytest.fixture(scope="module")
def static():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENNOTES_STATIC", "1")
        yield


@pytest.fixture
def show(browser, tmp_path, static):
    """show(p, q, view=…, context=…): an explorer on a page of its own."""
    opened = []

    def show(p, q, view="kl", context=None, **options):
        opened.append(Shown(browser, tmp_path, densities(p, q, view=view, **WORDS, **options), **(context or {})))
        return opened[-1]

    yield show
    for shown in opened:
        shown.close()


NORMAL, OTHER = {"kind": "normal", "mean": -1.0, "sd": 1.0}, {"kind": "normal", "mean": 1.5, "sd": 1.5}


def agree(shown) -> float:
    """How far the values on the page are from Python's for the P and Q that it names."""
    return largest([numbers(json.dumps(shown.data("values")))], [in_python(shown.data("p"), shown.data("q"))])


def test_it_shows_the_values_of_what_it_was_given(show):
    shown = show(NORMAL, OTHER)
    assert shown.data("p") == NORMAL
    assert agree(shown) < TOLERANCE
    text = shown.page.locator(".gn-measured").inner_text()
    wanted = in_python(NORMAL, OTHER)
    assert [f"{wanted[name]:.3f}" in text for name in ("kl_pq", "kl_qp", "js", "w1", "h_p", "h_pq")] == [True] * 6
    assert shown.page.locator(".gn-own").inner_text().split("\n")[-1] == f"{wanted['kl_pq']:.3f}"
    assert shown.page.locator(".gn-poster:visible").count() == 0


def test_the_top_moves_a_density_and_the_flank_widens_it(show):
    shown = show(NORMAL, OTHER)
    pixels = shown.page.evaluate("document.querySelector('.gn-panel').getBoundingClientRect().width - 50") / 12
    shown.drag(shown.page.get_by_role("slider", name="mean of P").first, 2 * pixels)
    assert shown.data("p") == {"kind": "normal", "mean": pytest.approx(1.0, abs=0.03), "sd": 1.0}
    shown.drag(shown.page.get_by_role("slider", name="standard deviation of Q").first, 1.0 * pixels)
    assert shown.data("q") == {"kind": "normal", "mean": 1.5, "sd": pytest.approx(2.5, abs=0.03)}
    assert agree(shown) < TOLERANCE
    shown.page.get_by_role("button", name="Reset").click()
    assert shown.data("p") == NORMAL
    assert shown.data("q") == OTHER


def test_the_curve_itself_can_be_taken(show):
    shown = show(NORMAL, OTHER)
    place = """([x, letter]) => {
      const path = document.querySelector(`.gn-grip.gn-of-${letter} > path`), svg = path.ownerSVGElement;
      const { left, top } = svg.getBoundingClientRect();
      for (let at = 0; at < path.getTotalLength(); at += 0.5) {
        const point = path.getPointAtLength(at);
        if (Math.abs(point.x - x) < 0.6) return [left + point.x, top + point.y];
      }
    }"""
    width = shown.page.evaluate("document.querySelector('.gn-panel').getBoundingClientRect().width")
    pixels = (width - 50) / 12
    across = lambda x: 38 + (x + 6) * pixels  # noqa: E731
    near_top = shown.page.evaluate(place, [across(-1.3), "p"])
    shown.drag(shown.page.locator(".gn-panel").first, -pixels, at=near_top)
    assert shown.data("p") == {"kind": "normal", "mean": pytest.approx(-2.0, abs=0.03), "sd": 1.0}
    left_flank = shown.page.evaluate(place, [across(-3.3), "p"])
    shown.drag(shown.page.locator(".gn-panel").first, -0.65 * pixels, at=left_flank)
    assert shown.data("p")["mean"] == pytest.approx(-2.0, abs=0.03)
    assert shown.data("p")["sd"] == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize("kind", [kind for kind in FIELDS if kind != "normal"])
def test_every_kind_has_handles_sliders_and_keys(show, kind):
    shown = show(NORMAL, OTHER)
    shown.page.get_by_label("kind of P").select_option(kind)
    before = shown.data("p")
    assert before["kind"] == kind
    assert set(before) == {"kind", *FIELDS[kind]}
    assert agree(shown) < TOLERANCE
    assert shown.page.get_by_label("kind of P").evaluate("element => element === document.activeElement")
    for handle in shown.page.locator(".gn-grip.gn-of-p .gn-handle").all():
        field = next(name for name in FIELDS[kind] if f"gn-sets-{name}" in handle.get_attribute("class"))
        before = shown.data("p")
        handle.press("ArrowRight")
        assert shown.data("p") == {**before, field: pytest.approx(before[field] + 0.05, abs=0.006)}
        handle.press("Shift+ArrowLeft")
        assert shown.data("p")[field] == pytest.approx(max(before[field] - 0.45, shown.data("p")[field]), abs=0.006)
        assert handle.get_attribute("aria-valuetext").endswith(f"{shown.data('p')[field]:.2f}".replace("-", "\u2212"))
    sliders = shown.page.locator(".gn-column.gn-of-p input")
    assert sliders.count() == len(FIELDS[kind])
    for slider, field in zip(sliders.all(), FIELDS[kind], strict=True):
        before = shown.data("p")
        slider.press("ArrowRight")
        assert shown.data("p") == {**before, field: pytest.approx(before[field] + 0.01, abs=1e-9)}
    assert agree(shown) < TOLERANCE


def test_infinity_is_shown_with_its_reason(show):
    shown = show({"kind": "uniform", "mean": 0.2, "width": 4.0}, {"kind": "uniform", "mean": 1.5, "width": 3.0})
    assert shown.data("values")["kl_pq"] == "inf"
    note = shown.page.get_by_role("status")
    assert "Q has no mass where P has, between \u22121.80 and 0.00" in note.inner_text()
    assert "P has no mass where Q has, between 2.20 and 3.00" in note.inner_text()
    assert shown.page.locator(".gn-own dd").inner_text() == "+∞"
    shown.page.get_by_label("kind of Q").select_option("normal")
    shown.settle()
    assert note.inner_text().startswith("KL(Q‖P) = +∞: P has no mass where Q has, below \u22121.80 and above 2.20")
    shown.page.get_by_label("kind of P").select_option("normal")
    shown.settle()
    assert note.inner_text() == "In nats; W₁ in units of x."


def test_the_other_integrand(show):
    shown = show(NORMAL, OTHER)
    line = shown.page.locator(".gn-line.gn-of-term")
    first = line.get_attribute("d")
    shown.page.get_by_role("button", name="q log q/p").click()
    values = shown.data("values")
    assert line.get_attribute("d") != first
    assert f"= {values['kl_qp']:.3f}" in shown.page.locator(".gn-sentence").inner_text()
    assert shown.page.locator(".gn-own dd").inner_text() == f"{values['kl_qp']:.3f}"


def heights(shown, selector: str) -> tuple[np.ndarray, np.ndarray]:
    """The points of a line as numbers of its axes, which are read off their labels."""
    path = shown.page.locator(selector)
    points = np.array([pair.split() for pair in path.get_attribute("d")[1:].replace("M", "L").split("L")], float)
    marks = path.evaluate(
        """path => [...path.ownerSVGElement.querySelectorAll(".gn-tick")].map(text =>
             [text.getAttribute("text-anchor"), Number(text.getAttribute("x")), Number(text.getAttribute("y")),
              Number(text.textContent.replace("\u2212", "-"))])"""
    )
    up = np.array([[y - 4, value] for anchor, _, y, value in marks if anchor == "end"])
    across = np.array([[x, value] for anchor, x, _, value in marks if anchor == "middle"])
    to = lambda pixels, known: np.interp(  # noqa: E731
        pixels, [-1e4, 1e4], np.polyval(np.polyfit(known[:, 0], known[:, 1], 1), [-1e4, 1e4])
    )
    return to(points[:, 0], across), to(points[:, 1], up)


@pytest.mark.parametrize("view", ["kl", "js", "entropy", "transport"])
def test_what_is_drawn_is_what_is_meant(show, view):
    """The line of each view, read off the page, against Python."""
    shown = show(NORMAL, OTHER, view)
    selector = {"kl": "term", "js": "total", "entropy": "q", "transport": "q"}[view]
    x, y = heights(shown, f".gn-panel >> nth=1 >> .gn-line.gn-of-{selector}")
    p, q = density(NORMAL, x), density(OTHER, x)
    m = (p + q) / 2
    wanted = {
        "kl": p * np.log(p / q),
        "js": 0.5 * p * np.log(p / m) + 0.5 * q * np.log(q / m),
        "entropy": -p * np.log(q),
        "transport": stats.norm(1.5, 1.5).cdf(x),
    }[view]
    assert len(x) > 300
    assert np.abs(y - wanted).max() < 0.02 * np.ptp(wanted)
    above, below = heights(shown, ".gn-panel >> nth=0 >> .gn-line.gn-of-p")
    assert np.abs(below - density(NORMAL, above)).max() < 0.01


def test_bars_are_dragged_by_their_tops_and_the_others_follow(show):
    p = {"kind": "bars", "masses": [0.1, 0.2, 0.4, 0.3]}
    shown = show(p, {"kind": "bars", "masses": [0.25, 0.25, 0.25, 0.25]})
    first = shown.page.get_by_role("slider", name="P, outcome 1").first
    shown.drag(first, 0, -40)
    masses = np.array(shown.data("p")["masses"])
    assert masses[0] > 0.13
    assert masses.sum() == pytest.approx(1)
    assert masses[1:] / masses[1] == pytest.approx(np.array([1, 2, 1.5]))
    assert largest([numbers(json.dumps(shown.data("values")))], [bars_in_python(masses.tolist(), [0.25] * 4)]) < 1e-9
    first.press("End")
    assert shown.data("p")["masses"] == pytest.approx([1, 0, 0, 0], abs=1e-9)
    first.press("ArrowDown")
    assert shown.data("p")["masses"] == pytest.approx([0.99, 0.01 / 3, 0.01 / 3, 0.01 / 3], abs=1e-9)
    other = shown.page.get_by_role("slider", name="Q, outcome 2").first
    other.press("Home")
    assert shown.data("values")["kl_pq"] == "inf"
    assert "at outcome 2" in shown.page.get_by_role("status").inner_text()


def test_information_follows_the_table(show):
    p = {"kind": "bars", "masses": [0.25, 0.25, 0.25, 0.25], "shape": [2, 2]}
    shown = show(p, {"kind": "product"}, "information")
    assert shown.data("values")["i_xy"] == pytest.approx(0, abs=1e-12)
    for outcome in ("1,2", "2,1"):
        shown.page.get_by_role("slider", name=f"P, outcome {outcome}").first.press("Home")
    assert shown.data("values")["i_xy"] == pytest.approx(math.log(2))
    widths = {name: shown.page.locator(f".gn-strip-{name}").bounding_box()["width"] for name in ("h_x", "h_xy", "i_xy")}
    assert widths["i_xy"] == pytest.approx(widths["h_x"], abs=2)
    assert widths["h_xy"] == pytest.approx(widths["h_x"], abs=2)


def test_on_a_phone_handles_are_taken_and_the_page_scrolls_beside_them(show):
    shown = show(NORMAL, OTHER, context={"viewport": {"width": 390, "height": 844}, "has_touch": True})
    page = shown.page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    action = "element => getComputedStyle(element).touchAction"
    assert page.locator(".gn-panel").first.evaluate(action) == "auto"
    holds = page.locator(".gn-hold")
    assert {hold.evaluate(action) for hold in holds.all()} == {"none"}
    box = page.locator(".gn-grip.gn-of-p > path").bounding_box()
    assert box["width"] < 0.8 * page.locator(".gn-panel").first.bounding_box()["width"]  # tails are left alone

    def swipe(element, dx: float, dy: float) -> None:
        box = element.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        places = [[{"x": x + dx * step / 8, "y": y + dy * step / 8}] for step in range(9)]
        for kind, points in zip(["touchStart", *["touchMove"] * 8, "touchEnd"], [*places, []], strict=True):
            touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(200)

    touches = shown.context.new_cdp_session(page)
    pixels = (page.locator(".gn-panel").first.bounding_box()["width"] - 50) / 12
    swipe(page.get_by_role("slider", name="mean of P").first, 2 * pixels, 60)
    assert shown.data("p")["mean"] == pytest.approx(1.0, abs=0.05)
    assert page.evaluate("scrollY") == 0
    swipe(page.locator(".gn-panel").nth(1), 0, -100)
    assert page.evaluate("scrollY") > 40


def test_jupyterlab_leaves_the_keys_alone(show):
    shown = show(NORMAL, OTHER)
    shown.page.get_by_label("kind of P").select_option("mixture")
    shown.settle()
    controls = shown.page.locator(".gn-explorer :is(input, select, button, [tabindex])").all()
    assert len(controls) > 12
    assert all(control.get_attribute("data-lm-suppress-shortcuts") == "true" for control in controls)


def test_python_and_the_page_follow_each_other(browser, static):
    """The module under a stand-in for the model that anywidget gives it in JupyterLab."""
    explorer = densities(NORMAL, OTHER, view="js", **WORDS)
    page = hosted(browser, explorer).page
    page.evaluate("model.set('p', {kind: 'laplace', mean: 0.5, scale: 2})")  # as a change in Python arrives
    page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.p).kind === 'laplace'")
    page.get_by_role("slider", name="mean of Q").first.press("ArrowRight")
    page.wait_for_function("saved.length > 0")
    assert page.evaluate("model.get('q')") == {"kind": "normal", "mean": 1.55, "sd": 1.5}
    assert page.evaluate("model.get('p')") == {"kind": "laplace", "mean": 0.5, "scale": 2}
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


def test_p_and_q_are_traits(static):
    one, two = (densities(NORMAL, OTHER, view="kl", **WORDS) for _ in range(2))
    traitlets.link((one, "p"), (two, "q"))
    one.p = {"kind": "laplace", "mean": 1, "scale": 2}
    assert two.q == {"kind": "laplace", "mean": 1.0, "scale": 2.0}
    with pytest.raises(traitlets.TraitError, match=r"sd is -1\.0; give a positive number"):
        one.p = {"kind": "normal", "mean": 0.0, "sd": -1}
    assert isinstance(one, DensitiesExplorer)
    assert one.poster.startswith("data:image/png;base64,")
    assert len(one.poster) < 40_000


@pytest.mark.parametrize(
    ("p", "q", "view", "words"),
    [
        ({"kind": "cauchy"}, OTHER, "kl", "p is of the kind 'cauchy'; give one of normal, mixture, uniform, laplace"),
        ({"kind": "normal", "mean": 0}, OTHER, "kl", "p has kind, mean; a normal has kind, mean, sd"),
        ({**NORMAL, "sd": 0}, OTHER, "kl", "p: sd is 0.0; give a positive number"),
        ({**NORMAL, "mean": math.nan}, OTHER, "kl", "p: mean is nan; give a finite number"),
        (NORMAL, {"kind": "mixture", "mean": 0, "sd": 1, "gap": -1, "weight": 0.5}, "kl", "q: gap is -1.0"),
        (NORMAL, {"kind": "mixture", "mean": 0, "sd": 1, "gap": 1, "weight": 1}, "kl", "between 0 and 1"),
        (NORMAL, {"kind": "bars", "masses": [0.5, 0.5]}, "kl", "give two densities or two rows of bars"),
        ({"kind": "bars", "masses": [0.5, 0.6]}, OTHER, "kl", "masses sum to 1.1; they must sum to 1"),
        ({"kind": "bars", "masses": [1.5, -0.5]}, OTHER, "kl", "at least 0"),
        ({"kind": "bars", "masses": [0.5, 0.5]}, {"kind": "bars", "masses": [0.2] * 5}, "kl", "p has 2 bars"),
        ({"kind": "bars", "masses": [0.5, 0.5]}, {"kind": "product"}, "kl", "give p its shape"),
        ({"kind": "bars", "masses": [0.2] * 5, "shape": [2, 2]}, {"kind": "product"}, "kl", "for 5 masses"),
        ({"kind": "bars", "masses": [0.5, 0.5], "labels": ["a"]}, OTHER, "kl", "labels has 1 entries"),
        (NORMAL, OTHER, "information", "needs a table p"),
        (NORMAL, OTHER, "pie", "view is 'pie'; give one of kl, js"),
    ],
)
def test_what_does_not_fit_is_refused(p, q, view, words):
    with pytest.raises(ValueError, match=words):
        densities(p, q, view=view, **WORDS)
    with pytest.raises(ValueError, match="title or alt is empty"):
        densities(NORMAL, OTHER, view="kl", title="", alt="")

"""The explorer of a generator against the best discriminator: values, slopes and pulls against torch, and its use."""

import itertools
import math

import pytest
import torch
import traitlets
from scipy import stats

from gennotes import divergences, losses
from gennotes.explorers import GameExplorer, game

from .pages import hosted
from .shown import Shown, grid, log_density, measures

WORDS = {"title": "A generator against the best discriminator", "alt": "Two densities, D* and the slopes of two losses"}
TOLERANCE = 1e-5
LOSSES = {"saturating": losses.saturating, "non-saturating": losses.non_saturating}


def normal(mean: float, sd: float) -> dict:
    return {"kind": "normal", "mean": mean, "sd": sd}


def mixture(mean: float, sd: float, gap: float, weight: float) -> dict:
    return {"kind": "mixture", "mean": mean, "sd": sd, "gap": gap, "weight": weight}


DATA = [normal(0, 1), normal(2.5, 0.6), mixture(0, 0.5, 4, 0.5), mixture(1, 0.8, 3, 0.2)]
GENERATORS = [normal(0, 1), normal(-2, 0.8), normal(1, 2.5), mixture(0.5, 0.7, 3, 0.6), mixture(-3, 0.4, 1, 0.5)]
PAIRS = list(itertools.product(DATA, GENERATORS))  # 20, each with two losses


def moved(q: dict, shift: torch.Tensor, growth: torch.Tensor) -> dict:
    """q moved, and widened about its mean, by numbers that may carry gradients."""
    scaled = {field: q[field] * growth.exp() for field in ("sd", "gap") if field in q}
    return {**q, **scaled, "mean": q["mean"] + shift}


def of_densities(loss: str, p: dict, q: dict) -> list[float]:
    """The descent of the generator by what theory says it is: of 2 JS, or of KL(q ‖ p) − 2 JS, through the density."""
    at = grid(p, q)
    moves = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(2)]
    there = moved(q, *moves)
    mean, sd = there["mean"], there["sd"]
    if q["kind"] == "normal":
        log_q = torch.distributions.Normal(mean, sd).log_prob(at)
    else:
        parts = [(q["weight"], mean - there["gap"] / 2), (1 - q["weight"], mean + there["gap"] / 2)]
        log_q = torch.stack([math.log(w) + torch.distributions.Normal(m, sd).log_prob(at) for w, m in parts])
        log_q = torch.logsumexp(log_q, 0)
    log_p = log_density(p, at)
    goal = 2 * divergences.js(log_p, log_q, at=at, log=True)
    if loss == "non-saturating":
        goal = divergences.kl(log_q, log_p, at=at, log=True) - goal
    return [-part.item() for part in torch.autograd.grad(goal, moves)]


def at_a_sample(loss: str, p: dict, q: dict, x: float) -> float:
    """−dL/dx by automatic differentiation of the package's loss at the logit of D*."""
    at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    logit = log_density(p, at) - log_density(q, at)
    return -torch.autograd.grad(LOSSES[loss](logit[None]), at)[0].item()


def off(found: float, wanted: float) -> float:
    return abs(found - wanted) / max(1, abs(wanted))


SAMPLES = [-4.0, -1.3, 0.2, 3.1]
ASK = """([pairs, samples]) => pairs.map(([p, q]) => {
  const [P, Q] = [m.density(p), m.density(q)];
  const of = (f) => ["saturating", "non-saturating"].map(f);
  return { value: m.value(p, q), js: m.js(P, Q), pull: of((loss) => m.pull(loss, p, q)),
           at: of((loss) => samples.map((x) => m.pullAt(loss, P, Q, x))) };
})"""


def differences(page) -> dict[str, float]:
    """The largest difference from torch of each thing that is shown, relative where a number is beyond 1."""
    worst = dict.fromkeys(("value", "identity", "pull", "at"), 0.0)

    def note(name: str, found: float, wanted: float) -> None:
        worst[name] = max(worst[name], off(found, wanted))

    for (p, q), found in zip(PAIRS, page.evaluate(ASK, [PAIRS, SAMPLES]), strict=True):
        at = grid(p, q)
        log_p, log_q = log_density(p, at), log_density(q, at)
        best = log_p - torch.logaddexp(log_p, log_q), log_q - torch.logaddexp(log_p, log_q)
        wanted = torch.trapezoid(log_p.exp() * best[0] + log_q.exp() * best[1], at).item()
        note("value", found["value"], wanted)
        note("identity", found["value"], 2 * found["js"] - math.log(4))
        for i, loss in enumerate(LOSSES):
            for mine, theirs in zip(found["pull"][i], of_densities(loss, p, q), strict=True):
                note("pull", mine, theirs)
            for x, mine in zip(SAMPLES, found["at"][i], strict=True):
                note("at", mine, at_a_sample(loss, p, q, x))
    return worst


def test_values_and_pulls_equal_torch(browser):
    page = measures(browser)
    worst = differences(page)
    print("largest differences:", {name: f"{value:.1e}" for name, value in worst.items()})
    assert max(worst.values()) < TOLERANCE
    page.close()


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("saturating: (logit) => sigmoid(logit)", "saturating: (logit) => sigmoid(-logit)", "pull"),
        ('"non-saturating": (logit) => sigmoid(-logit)', '"non-saturating": (logit) => 1', "at"),
        ("p.score(x) - q.score(x)", "q.score(x) - p.score(x)", "at"),  # away from the data
        ("against((x) => x - qSpec.mean)", "against((x) => x)", "pull"),  # about 0 and not about the mean
        ("score: (x) => (mean - x) / sd ** 2", "score: (x) => (mean - x) / sd", "at"),
        ("ofLeft * left.score(x) + (1 - ofLeft)", "weight * left.score(x) + (1 - weight)", "at"),
        ("expectation(p, q, logD) + expectation(q, p, logD)", "2 * expectation(p, q, logD)", "value"),
        ("Math.exp(q.logp(x)) * pullAt", "Math.exp(p.logp(x)) * pullAt", "pull"),  # over the data
    ],
)
def test_the_comparison_rejects_planted_mistakes(browser, old, new, seen):
    page = measures(browser, (old, new))
    assert not differences(page)[seen] < TOLERANCE
    page.close()


def test_quantiles_equal_scipy(browser):
    page = measures(browser)
    for q in (normal(-1, 0.7), normal(2, 2.0)):
        for mass in (0.05, 0.5, 0.9):
            found = page.evaluate("([q, mass]) => m.quantile(m.density(q), mass)", [q, mass])
            assert found == pytest.approx(stats.norm(q["mean"], q["sd"]).ppf(mass), abs=1e-9)
    page.close()


RUN = """([loss, p, q]) => {
  for (let step = 0; step < 400; step++) q = m.pulled(loss, p, q, 0.2, 0.2);
  return q;
}"""


def test_only_the_non_saturating_loss_comes_home_from_far_away(browser):
    page = measures(browser)
    far, goal = normal(-4, 0.8), normal(3, 0.8)
    stuck = page.evaluate(RUN, ["saturating", goal, far])
    assert stuck["mean"] == pytest.approx(-4, abs=0.1)
    home = page.evaluate(RUN, ["non-saturating", goal, far])
    assert (home["mean"], home["sd"]) == pytest.approx((3, 0.8), abs=0.01)
    near = page.evaluate(RUN, ["saturating", goal, normal(2, 0.8)])  # where the densities overlap, both do
    assert (near["mean"], near["sd"]) == pytest.approx((3, 0.8), abs=0.01)
    page.close()


# ------------------------------------------------------------------------------------------------- what a reader does

P, Q = normal(2.5, 0.8), normal(-2.5, 0.8)


@pytest.fixture
def shown(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    opened = Shown(browser, tmp_path, game(P, Q, **WORDS), reduced_motion="reduce")
    yield opened
    opened.close()


def press(shown, name: str) -> dict:
    shown.page.get_by_role("button", name=name, exact=True).click()
    return shown.data("values")


def arrows(shown) -> list[int]:
    """How many arrows each row has."""
    stems = shown.page.locator("path.gn-stems")
    return [(stems.nth(i).get_attribute("d") or "").count("M") for i in range(2)]


def test_far_apart_one_row_has_no_arrows(shown):
    values = shown.data("values")
    assert values["value"] == pytest.approx(values["bound"], abs=1e-9)
    assert values["saturating"] < 0.02 < 5 < values["non-saturating"]
    assert arrows(shown) == [0, 9]
    shown.page.get_by_role("slider", name="mean of the generator").first.press("End")
    assert shown.data("values")["q"]["mean"] > 5
    for _ in range(6):
        shown.page.get_by_role("slider", name="mean of the generator").first.press("Shift+ArrowLeft")
    assert shown.data("values")["q"]["mean"] == pytest.approx(2.52, abs=0.01)  # on the data: nothing is left to pull
    assert arrows(shown) == [0, 0]


def test_step_play_and_restart_follow_the_chosen_loss(shown):
    one = press(shown, "Step")
    assert one["steps"] == 1
    assert one["q"]["mean"] == pytest.approx(-2.5 + 0.2 * shown_pull("saturating"), abs=1e-6)
    start = press(shown, "Restart")
    assert (start["q"], start["steps"]) == (Q, 0)
    chosen = press(shown, "non-saturating")
    assert (chosen["loss"], chosen["q"]) == ("non-saturating", Q)
    assert press(shown, "Step")["q"]["mean"] == pytest.approx(-2.3)  # the longest step
    end = press(shown, "Play")
    assert end["still"]
    assert (end["q"]["mean"], end["q"]["sd"]) == pytest.approx((2.5, 0.8), abs=0.02)
    assert end["value"] == pytest.approx(-math.log(4), abs=1e-4)
    assert "it stands still" in shown.page.get_by_role("status").inner_text()


def shown_pull(loss: str) -> float:
    return of_densities(loss, P, Q)[0]


def test_a_density_is_dragged_and_changes_its_kind(shown):
    pixels = (shown.page.locator(".gn-panel").first.bounding_box()["width"] - 50) / 12
    shown.drag(shown.page.get_by_role("slider", name="mean of the generator").first, 3 * pixels)
    assert shown.data("values")["q"]["mean"] == pytest.approx(0.5, abs=0.03)
    shown.page.get_by_label("kind of the data").select_option("mixture")
    values = shown.data("values")
    assert values["p"]["kind"] == "mixture"
    assert shown.page.get_by_role("slider", name="weight of the left part of the data").count() == 1
    assert values["value"] == pytest.approx(values["bound"], abs=1e-9)


def test_it_plays_step_by_step_and_can_be_paused(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    explorer = game(P, Q, loss="non-saturating", **WORDS)
    moving = Shown(browser, tmp_path, explorer, reduced_motion="no-preference")
    moving.page.get_by_role("button", name="Play").click()
    moving.page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).steps > 3")
    moving.page.get_by_role("button", name="Pause").click()
    paused = moving.data("values")
    moving.page.wait_for_timeout(200)
    assert moving.data("values") == paused
    moving.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(browser, tmp_path, monkeypatch, theme):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": theme}
    opened = Shown(browser, tmp_path, game(mixture(0, 0.5, 4, 0.5), Q, **WORDS), **phone)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
    opened.close()


def test_python_and_the_page_follow_each_other(browser, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    page = hosted(browser, game(P, Q, **WORDS)).page
    page.evaluate("model.set('q', {kind: 'normal', mean: 1, sd: 0.5})")  # as a change in Python arrives
    page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).q.mean === 1")
    page.get_by_role("button", name="Step").click()
    page.wait_for_function("saved.length > 0")
    assert page.evaluate("model.get('q')")["mean"] > 1
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


def test_traits_are_checked(monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    explorer = game(P, Q, **WORDS)
    assert isinstance(explorer, GameExplorer)
    assert (explorer.p, explorer.q, explorer.loss) == (P, Q, "saturating")
    with pytest.raises(traitlets.TraitError, match="q is of the kind 'laplace'; give one of normal, mixture"):
        explorer.q = {"kind": "laplace", "mean": 0, "scale": 1}
    with pytest.raises(traitlets.TraitError, match=r"p: sd is 0\.0; give a positive number"):
        explorer.p = {**P, "sd": 0}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"loss": "hinge"}, "loss is 'hinge'; give one of saturating, non-saturating"),
        ({"p": {"kind": "uniform", "mean": 0, "width": 1}}, "p is of the kind 'uniform'; give one of normal, mixture"),
        ({"q": normal(0, 0)}, r"q: sd is 0\.0; give a positive number"),
        ({"domain": (1, 1)}, r"domain is \[1, 1\]; give its left end first"),
        ({"title": ""}, "title or alt is empty"),
    ],
)
def test_what_does_not_fit_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        game(**{"p": P, "q": Q, **WORDS, **values})

"""The players that train in the page: their gradients and steps against torch, draws, measures, and runs over seeds."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennotes import data, losses, metrics, models
from gennotes.explorers.live import CURED, LOSSES, PACKS, PENALTIES, SHAPE, SICK, STD

from .shown import module

NAMES = ["Adam", "Game", "Network", "Random", "coverage", "join", "separate"]
TOLERANCE = 1e-5
BATCH, CODES, WIDTH = 32, 5, 12
COMBINATIONS = list(itertools.product(LOSSES, PENALTIES, PACKS))


def players(browser, *edits: tuple[str, str]):
    """A page with the classes of players.js, edited."""
    return module(browser, "players.js", NAMES, *edits)


@pytest.fixture(scope="module")
def page(browser):
    opened = players(browser)
    yield opened
    opened.close()


def columns(x: Tensor) -> list[float]:
    """Items (B, D) as they stand in the page: a column for each."""
    return x.T.flatten().tolist()


# ------------------------------------------------------------------------------------------------ gradients and steps

RUN = """([shape, weights, real, z, shares, rules]) => {
  const world = { means: [[0, 0]], std: 1 };
  const game = new m.Game(world, shape);
  for (const name of ["G", "D"]) {
    game[name].layers.forEach((layer, l) => {
      layer.weight.set(weights[name][2 * l]);
      layer.bias.set(weights[name][2 * l + 1]);
    });
  }
  game.random = { uniform: () => shares.shift() };
  const gradients = (network) => network.layers.flatMap(({ weightGradient, biasGradient }) => [[...weightGradient], [...biasGradient]]);
  const made = game.G.forward(new Float32Array(z), shape.batch);
  const lossD = game.gradientD(new Float32Array(real), made, rules);
  const D = gradients(game.D);
  const lossG = game.gradientG(new Float32Array(z), rules);
  return { losses: [lossD, lossG], D, G: gradients(game.G) };
}"""  # noqa: E501


def network(*sizes: int) -> nn.Sequential:
    """As in the page, with weights large enough that a gradient is seen to be wrong; float64."""
    layers = [[nn.Linear(a, b), nn.LeakyReLU(0.2)] for a, b in itertools.pairwise(sizes)]
    return nn.Sequential(*itertools.chain(*layers))[:-1].double()


def in_torch(G, D, real, z, shares, loss: str, penalty: str, weight: float, pack: int) -> dict[str, Any]:
    """Both losses and gradients by automatic differentiation, the penalties by differentiating twice."""
    ofD, ofG = {
        "minimax": (losses.discriminator, losses.saturating),
        "non-saturating": (losses.discriminator, losses.non_saturating),
        "least squares": (losses.least_squares_discriminator, losses.least_squares_generator),
        "hinge": (losses.hinge_discriminator, losses.critic_generator),
        "Wasserstein": (losses.critic, losses.critic_generator),
    }[loss]
    join = models.Packed(D, pack).join
    made = G(z)
    packed_real, packed_made = join(real), join(made.detach())
    lossD = ofD(D(packed_real).squeeze(-1), D(packed_made).squeeze(-1))
    total = lossD
    if penalty == "r1":
        total = total + weight * losses.r1(lambda x: D(x).squeeze(-1), packed_real)
    if penalty == "gradient":
        x = torch.lerp(packed_real, packed_made, shares[:, None]).requires_grad_()
        (slope,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
        total = total + weight * (slope.norm(dim=1) - 1).square().mean()
    # The penalty leaves the last bias alone, and so does the loss of Wasserstein: a gradient of nothing is 0.
    gradient = torch.autograd.grad(total, list(D.parameters()), allow_unused=True, materialize_grads=True)
    lossG = ofG(D(join(made)).squeeze(-1))
    return {
        "losses": [lossD.item(), lossG.item()],
        "D": gradient,
        "G": torch.autograd.grad(lossG, list(G.parameters())),
    }


def worst_difference(page, combinations=COMBINATIONS) -> float:
    """The largest difference of a loss, or of a gradient relative to the largest number of its matrix."""
    worst = 0.0
    for loss, penalty, pack in combinations:
        torch.manual_seed(0)
        G, D = network(CODES, WIDTH, WIDTH, 2), network(2 * pack, WIDTH, WIDTH, 1)
        real, z = torch.randn(BATCH, 2).double(), torch.randn(BATCH, CODES).double()
        shares = torch.rand(BATCH // pack).double()
        wanted = in_torch(G, D, real, z, shares, loss, penalty, 0.7, pack)
        weights = {"G": G, "D": D}
        given = [
            {"seed": 0, "batch": BATCH, "codes": CODES, "width": WIDTH, "pack": pack},
            {name: [p.flatten().tolist() for p in each.parameters()] for name, each in weights.items()},
            columns(real),
            columns(z),
            shares.tolist(),
            {"loss": loss, "penalty": penalty, "weight": 0.7},
        ]
        found = page.evaluate(RUN, given)
        worst = max(worst, *np.abs(np.subtract(found["losses"], wanted["losses"])))
        for name in ("D", "G"):
            for mine, theirs in zip(found[name], wanted[name], strict=True):
                scale = max(theirs.abs().max().item(), 1e-3)
                worst = max(worst, (torch.tensor(mine) - theirs.flatten()).abs().max().item() / scale)
    return worst


def test_losses_and_gradients_of_both_players_equal_torch(page):
    worst = worst_difference(page)
    print(f"largest difference over {len(COMBINATIONS)} settings: {worst:.1e}")
    assert worst < TOLERANCE


@pytest.mark.parametrize(
    ("old", "new", "combination"),
    [
        ("slope: (s) => -sigmoid(-s) }; // −log D", "slope: (s) => sigmoid(s) }; // −log D", ("minimax", "none", 1)),
        ("slope: (s) => -sigmoid(s) }", "slope: (s) => sigmoid(s) }", ("minimax", "none", 1)),  # G up and not down
        ("slope: (s) => s - target", "slope: (s) => 2 * (s - target)", ("least squares", "none", 1)),
        ("slope: (s) => (s < 1 ? -1 : 0)", "slope: (s) => (s < 0 ? -1 : 0)", ("hinge", "none", 1)),
        ("(weight / count) * slopes[i]", "weight * slopes[i]", ("hinge", "r1", 1)),  # a sum and not a mean
        ("tangent = this.bend(l, layer", "tangent = ((_, y) => y.slice())(l, layer", ("hinge", "r1", 1)),
        ("(norm - 1)) / (norm * count)", "(norm - 1)) / count", ("Wasserstein", "gradient", 1)),
        ("this.blend(packedReal, packedMade, packs)", "packedReal", ("Wasserstein", "gradient", 1)),
        ("shares[i % count]", "shares[Math.floor(i / 2) % count]", ("Wasserstein", "gradient", 1)),  # one share an axis
        ('this.bend(l, back, this.values[l + 1], "deltas")', "back.slice()", ("hinge", "none", 1)),  # no kinks
        ("pack * size + point", "point * packs + pack", ("hinge", "none", 2)),  # points of other packs
    ],
)
def test_the_comparison_rejects_planted_mistakes(browser, old, new, combination):
    page = players(browser, (old, new))
    assert not worst_difference(page, [combination]) < TOLERANCE
    page.close()


ADAM = """([values, gradients, rate]) => {
  const layer = { weight: new Float32Array(values), weightGradient: new Float32Array(values.length), bias: new Float32Array(1), biasGradient: new Float32Array(1) };
  const adam = new m.Adam({ layers: [layer] });
  return gradients.map((gradient) => {
    layer.weightGradient.set(gradient);
    adam.step(rate);
    return [...layer.weight];
  });
}"""  # noqa: E501


def adam_difference(page) -> float:
    """The largest difference to torch's Adam over 30 steps, in units of a step's length."""
    generator = torch.Generator().manual_seed(0)
    start, rate = torch.randn(50, generator=generator), 1e-2
    gradients = torch.randn(30, 50, generator=generator) * torch.logspace(-6, 2, 50)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=rate, betas=(0.5, 0.999))
    found = torch.tensor(page.evaluate(ADAM, [start.tolist(), gradients.tolist(), rate]))
    worst = 0.0
    for gradient, mine in zip(gradients, found, strict=True):
        theirs.grad = gradient.clone()
        optimizer.step()
        worst = max(worst, (mine - theirs.detach()).abs().max().item() / rate)
    return worst


def test_adam_takes_the_steps_of_torch(page):
    worst = adam_difference(page)
    print(f"largest difference: {worst:.1e} of a step")
    assert worst < 1e-3  # weights near 3 have a spacing of 2e-7, which is 2e-5 of a step, and 30 steps add up


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1 - beta2 ** this.time", "1"),
        ("(Math.sqrt(square[i] / whole2) + 1e-8)", "Math.sqrt(square[i] / whole2 + 1e-8)"),
        ("(1 - beta1) * gradient[i]", "gradient[i]"),
        ("beta1 = 0.5", "beta1 = 0.9"),
    ],
)
def test_the_comparison_of_steps_rejects_planted_mistakes(browser, old, new):
    page = players(browser, (old, new))
    assert not adam_difference(page) < 1e-3
    page.close()


# ------------------------------------------------------------------------------------------------- draws and measures


def test_draws_have_the_moments_of_their_laws_and_a_seed_repeats_them(page):
    draws = """seed => {
      const random = new m.Random(seed);
      return ["uniform", "normal"].map((law) => Array.from({ length: 10000 }, () => random[law]()));
    }"""
    uniform, normal = map(np.array, page.evaluate(draws, 3))
    assert 0 <= uniform.min() < 2e-3
    assert 1 - 2e-3 < uniform.max() < 1
    error = 4 / np.sqrt(10_000)
    assert abs(uniform.mean() - 0.5) < error * np.sqrt(1 / 12)
    assert abs(normal.mean()) < error
    assert abs(normal.std() - 1) < error * np.sqrt(0.5)
    assert abs((normal**4).mean() - 3) < error * np.sqrt(96)
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < error
    assert page.evaluate(draws, 3)[1] == normal.tolist()
    assert page.evaluate(draws, 4)[1] != normal.tolist()


def test_points_are_those_of_the_mixture(page):
    world = {"means": data.toy("grid", "cpu").means.tolist(), "std": 0.05}
    points = page.evaluate("([world, n]) => [...new m.Random(0).points(world, n)]", [world, 8_000])
    points = torch.tensor(points).view(2, -1).T
    mixture = data.Mixture(torch.tensor(world["means"]), 0.05)
    nearest = torch.cdist(points, mixture.means).min(1)
    counts = nearest.indices.bincount(minlength=25)
    assert (counts - 320).abs().max() < 4.5 * (320 * 0.96) ** 0.5
    assert (nearest.values.square().mean() / (2 * 0.05**2)).item() == pytest.approx(1, abs=4 / 8_000**0.5)


def test_coverage_is_that_of_the_package(page):
    mixture = data.Mixture(data.toy("ring", "cpu").means, STD)
    generator = torch.Generator().manual_seed(0)
    samples = mixture.means[torch.arange(600) % 5] + 0.1 * torch.randn(600, 2, generator=generator)
    found = page.evaluate(
        "([x, n, world]) => m.coverage(new Float32Array(x), n, world)",
        [columns(samples), 600, {"means": mixture.means.tolist(), "std": STD}],
    )
    wanted = metrics.mode_coverage(samples, mixture)
    assert 1 < wanted.found < 8
    assert found["found"] == wanted.found
    assert found["share"] == pytest.approx(wanted.high_quality.item())
    assert sum(found["counts"]) == round(600 * found["share"])


@pytest.mark.parametrize("size", PACKS)
def test_packs_are_joined_as_in_the_package_and_taken_apart_again(page, size):
    x = torch.arange(16.0).view(8, 2)
    there, back = page.evaluate(
        """([x, n, size]) => {
      const packed = m.join(new Float32Array(x), n, size);
      return [[...packed], [...m.separate(packed, n, size)]];
    }""",
        [columns(x), 8, size],
    )
    assert there == columns(models.Packed(nn.Identity(), size).join(x))
    assert back == columns(x)


# -------------------------------------------------------------------------------------------------- runs over seeds

PLAY = """([world, shape, phases]) => {
  const game = new m.Game(world, shape);
  const codes = new m.Random(shape.seed + 1000).codes(shape.codes, 1000);
  for (const [rules, updates] of phases) for (let i = 0; i < updates; i++) game.update(rules);
  const { found, share } = m.coverage(game.G.forward(codes, 1000), 1000, world);
  return [found, share];
}"""
RING = {"means": data.toy("ring", "cpu").means.tolist(), "std": STD}
SEEDS = range(5)


def play(page, *phases: tuple[dict[str, Any], int]) -> tuple[list[int], list[float]]:
    """Modes found and share of high quality at the end, for each seed."""
    ends = [
        page.evaluate(PLAY, [RING, {**SHAPE, "seed": seed, "pack": 1}, [list(p) for p in phases]]) for seed in SEEDS
    ]
    print(ends)
    return [found for found, _ in ends], [share for _, share in ends]


def test_the_sick_settings_collapse(page):
    found, _ = play(page, (SICK, 1500))
    assert sum(modes <= 3 for modes in found) >= 4


def test_the_cured_settings_cover(page):
    found, share = play(page, (CURED, 1500))
    assert sum(modes == 8 for modes in found) == 5
    assert sum(quality > 0.3 for quality in share) >= 4


def test_a_run_that_collapsed_is_cured_while_it_runs(page):
    found, _ = play(page, (SICK, 800), (CURED, 2000))
    assert sum(modes == 8 for modes in found) >= 4


def test_a_run_is_repeatable(page):
    ends = [page.evaluate(PLAY, [RING, {**SHAPE, "seed": 7, "pack": 2}, [[CURED, 40]]]) for _ in range(2)]
    assert ends[0] == ends[1]

"""The studies of mode collapse: what a recipe builds, what a step does, and what the published protocol asks for."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gennotes import data, draws, losses, metrics, models, studies, train
from gennotes.models import MLP, Packed, scatter_bends
from gennotes.studies import grid, modes, modes_protocol

SEEDS = [3, 7]
SMALL = modes.Recipe(latent=4, width=8, discriminator_width=8, batch=16, steps=3)


# Bends over the data.


def bends(network: MLP) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each unit of the first layer: its slope, and how far from the origin the line lies along which it bends."""
    weight, bias = (p.detach() for p in (network.layers[0].weight, network.layers[0].bias))
    slope = weight.norm(dim=-2 if network.members else 1)
    return slope, bias.squeeze(-2 if network.members else 0).abs() / slope


def check_scattered(scatter) -> None:
    for seed in (5, SEEDS):
        network = scatter(MLP((2, 4_000, 1), seed=seed), 4.0, 12.0, seed)
        slope, distance = bends(network)
        assert_close(slope, torch.full_like(slope, 12.0))
        # Of a line through an evenly drawn point of [−4, 4]² in an even direction: E distance² = E (u · c)² = 16/3.
        assert_close(distance.square().mean(), torch.tensor(16 / 3), rtol=0.05, atol=0)
        assert (distance < 4 * 2**0.5).all()
        assert (distance > 4).any()
        way = (network.layers[0].weight if network.members else network.layers[0].weight.T[None]).detach() / 12
        assert_close(way.mT.flatten(0, 1).mean(0), torch.zeros(2), rtol=0, atol=0.04)


def test_bends_lie_all_over_the_square():
    check_scattered(scatter_bends)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda network, extent, slope, seed: network,  # torch's own weights
        lambda network, extent, slope, seed: scatter_bends(network, extent / 2, slope, seed),
        lambda network, extent, slope, seed: scatter_bends(network, extent, 2 * slope, seed),
    ],
    ids=["untouched", "half the square", "twice as steep"],
)
def test_the_check_of_the_bends_rejects(wrong):
    with pytest.raises(AssertionError):
        check_scattered(wrong)


def test_a_member_has_the_bends_of_the_network_of_its_seed():
    several = scatter_bends(MLP((2, 6, 1), seed=SEEDS), 2.0, 3.0, SEEDS)
    for i, seed in enumerate(SEEDS):
        single = scatter_bends(MLP((2, 6, 1), seed=seed), 2.0, 3.0, seed)
        x = draws.normal(5, 2, generator=torch.Generator().manual_seed(0))
        assert_close(several(x.expand(2, 5, 2))[i], single(x))


@pytest.mark.parametrize(("extent", "slope", "seed"), [(0, 1, 5), (1, -1, 5), (1, 1, [5]), (1, 1, [5, 6])])
def test_bad_bends_are_one_clear_error(extent, slope, seed):
    with pytest.raises(ValueError, match="scatter_bends got"):
        scatter_bends(MLP((2, 4, 1), seed=5), extent, slope, seed)


# Recipes.


def test_every_recipe_trains_and_counts():
    settings = modes.Settings()
    small = {
        n: replace(r, latent=4, width=8, discriminator_width=8, batch=16, steps=2) for n, r in settings.recipes.items()
    }
    found = modes.measure(replace(settings, samples=50, recipes=small), SEEDS, torch.device("cpu"))
    assert list(found) == list(settings.recipes)
    for values in found.values():
        assert len(values["found"]) == len(values["high_quality"]) == 2
        assert all(0 <= share <= 1 for share in values["high_quality"])


def test_each_lever_is_one_change_of_the_sick_recipe():
    recipes = modes.Settings().recipes
    sick = vars(recipes["sick"])
    changes = {name: {k for k, v in vars(recipe).items() if v != sick[k]} for name, recipe in recipes.items()}
    assert changes.pop("sick") == set()
    assert len(changes.pop("cured")) > 2
    assert len(changes.pop("Wasserstein, penalty")) > 1  # a critic has a loss, a penalty and steps of its own
    assert all(len(change) == 1 for change in changes.values())
    whole = vars(grid.Settings().recipes["whole recipe"])
    for name, recipe in grid.Settings().recipes.items():
        assert sum(v != whole[k] for k, v in vars(recipe).items()) == (name != "whole recipe")


def test_the_step_is_that_of_two_plain_players():
    """One step of each by hand, with torch's own Adam, from the same weights, codes and points."""
    generator, discriminator, _ = modes.fit(replace(SMALL, steps=1), SEEDS)
    wanted_g, wanted_d = modes.build(SMALL, SEEDS)
    batches, noise = data.toy("ring", "cpu").batches(16), draws.Generators(SEEDS, "cpu")
    x = torch.stack([batches.at(0, seed).x for seed in SEEDS])
    of_g, of_d = (torch.optim.Adam(m.parameters(), lr, SMALL.betas) for m, lr in ((wanted_g, 1e-3), (wanted_d, 1e-4)))
    fake = wanted_g(modes.codes(SMALL, 16, noise)).detach()
    losses.discriminator(wanted_d(x), wanted_d(fake)).sum().backward()
    of_d.step()
    losses.non_saturating(wanted_d(wanted_g(modes.codes(SMALL, 16, noise)))).sum().backward()
    of_g.step()
    for made, wanted in ((generator, wanted_g), (discriminator, wanted_d)):
        assert_close(dict(made.named_parameters()), dict(wanted.named_parameters()))


def test_the_discriminators_see_what_the_recipe_says():
    _, plain = modes.build(SMALL, SEEDS)
    _, packed = modes.build(replace(SMALL, pack=4), SEEDS)
    _, told = modes.build(replace(SMALL, deviation=True), SEEDS)
    points = torch.zeros(2, 16, 2)
    assert [tuple(d(points).shape) for d in (plain, packed, told)] == [(2, 16), (2, 4), (2, 16)]
    assert isinstance(packed, Packed)
    generator, _ = modes.build(replace(SMALL, bend="tanh"), SEEDS)
    assert any(isinstance(layer, nn.Tanh) for layer in generator.modules())


def test_codes_have_the_deviation_of_the_recipe():
    z = modes.codes(replace(SMALL, spread=20.0), 4_000, draws.Generators(SEEDS, "cpu"))
    assert z.shape == (2, 4_000, 4)
    assert z.std().item() == pytest.approx(20, rel=0.02)


def test_a_divergence_that_is_infinite_is_written_as_none():
    settings = modes.Settings(samples=20, recipes={"far": replace(SMALL, spread=1e6, steps=1)})
    values = modes.measure(settings, SEEDS, torch.device("cpu"))["far"]
    assert values["found"] == [0, 0]
    assert values["reverse_kl_nats"] == [None, None]


# The published protocol.


def test_the_networks_are_the_published_ones():
    settings = modes_protocol.Settings()
    assert (settings.updates * settings.packs) / settings.points == 400  # epochs
    generator, run = modes_protocol.fit("ring", 2, 1, replace(settings, points=500), SEEDS, torch.device("cpu"))
    assert isinstance(generator, models.NormalisedMLP)
    assert not generator.training
    assert sum(p.numel() for p in generator.parameters()) == 2 * (2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + 2 * 400 + 2)
    assert run.history.settings["batch"] == 2 * 200  # 100 packs of 2, two seeds
    assert run.history.settings["lr"] == {"generator": 1e-4, "discriminator": 1e-4}


def test_batches_are_drawn_from_the_fixed_points():
    x = torch.arange(20.0).view(10, 2)
    points = modes_protocol.Points(x, torch.arange(10), 64)
    first, again, other = points.at(3, 1), points.at(3, 1), points.at(4, 1)
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    assert torch.equal(first.x, x[first.y])
    assert len(first.y.unique()) > 8  # with replacement, from all of them


def test_both_players_move_from_the_weights_before_the_step():
    """The generator's gradient is taken at the discriminator as it was, so that a rate of D changes nothing for G."""
    settings = modes_protocol.Settings(points=200, packs=8)
    one, _ = modes_protocol.fit("ring", 1, 1, settings, SEEDS, torch.device("cpu"))
    kept = train.Player.minimise

    def deaf(player, loss):
        if player.name == "generator":
            kept(player, loss)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Player, "minimise", deaf)
        alone, _ = modes_protocol.fit("ring", 1, 1, settings, SEEDS, torch.device("cpu"))
    assert_close(dict(one.named_parameters()), dict(alone.named_parameters()))


def test_the_short_form_is_said_to_be_one():
    settings = modes_protocol.Settings(points=200, packs=8, short_updates=2, sizes=(1, 2), samples=40)
    found = modes_protocol.measure(settings, SEEDS, torch.device("cpu"))
    assert found["updates"] == 2
    assert [list(found[toy]) for toy in ("ring", "grid")] == [["1", "2"]] * 2


def test_the_recorded_studies_hold_what_the_chapter_says(request):
    book = request.config.rootpath / "book" / "measurements"
    ring, fine = (studies.read(name, book)["values"] for name in ("modes", "grid"))
    assert sum(found <= 3 for found in ring["sick"]["found"]) >= 7
    assert sum(found == 8 for found in ring["cured"]["found"]) >= 7
    whole = fine["whole recipe"]
    good = [n >= 24 and q >= 0.85 for n, q in zip(whole["found"], whole["high_quality"], strict=True)]
    assert sum(good) > len(good) / 2


def test_what_the_study_counts_is_what_the_measure_counts():
    generator, _, _ = modes.fit(SMALL, SEEDS)
    noise = draws.Generators([seed + 10_000 for seed in SEEDS], "cpu")
    with torch.no_grad():
        wanted = metrics.mode_coverage(generator(modes.codes(SMALL, 30, noise)), data.toy("ring", "cpu"))
    assert_close(modes.coverage(SMALL, generator, SEEDS, 30), wanted)

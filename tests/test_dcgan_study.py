"""The study of the DCGAN and of the small net: what a recipe builds, what a step does, and what is measured of it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gennotes import data, draws, losses, models, studies, train
from gennotes.studies import dcgan, dcgan_guidelines

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = dcgan.Recipe(latent=4, categories=0, hidden=(8,), width=2, batch=8, r1_images=4, steps=3)
CPU = torch.device("cpu")


# Shifts.


def moves(x: Tensor, moved: Tensor, most: int) -> list[tuple[int, int]]:
    """By how much each image was moved down and to the right, found by trying all; fails where none fits."""
    side, found = x.shape[-1], []
    for before, after in zip(x, moved, strict=True):
        fits = []
        for down in range(-most, most + 1):
            for right in range(-most, most + 1):
                wanted = torch.full_like(before, -1.0)
                for i in range(max(0, down), min(side, side + down)):
                    for j in range(max(0, right), min(side, side + right)):
                        wanted[:, i, j] = before[:, i - down, j - right]
                if torch.equal(after, wanted):
                    fits.append((down, right))
        assert len(fits) == 1, f"{len(fits)} moves fit"
        found += fits
    return found


def check_shifts(shifted: Callable[[Tensor, int, torch.Generator], Tensor]) -> None:
    noise = torch.Generator().manual_seed(0)
    x = draws.uniform(200, 2, 6, 6, generator=noise)
    found = moves(x, shifted(x, 1, noise), 1)
    counts = [found.count((i, j)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    assert min(counts) > 200 / 9 - 4 * (200 * 8 / 81) ** 0.5, "not every move is as likely"


def rolled(x: Tensor, most: int, noise: torch.Generator) -> Tensor:
    start = torch.randint(-most, most + 1, (len(x), 2), generator=noise).tolist()
    return torch.stack([torch.roll(image, move, (1, 2)) for image, move in zip(x, start, strict=True)])


def together(x: Tensor, most: int, noise: torch.Generator) -> Tensor:
    return torch.cat([dcgan.shifted(x[i : i + 1], most, torch.Generator().manual_seed(0)) for i in range(len(x))])


def test_an_image_is_moved_by_whole_pixels_and_black_comes_in() -> None:
    check_shifts(dcgan.shifted)
    x = draws.uniform(3, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    assert dcgan.shifted(x, 0, torch.Generator()) is x


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (rolled, "moves fit"),
        (together, "as likely"),
        (lambda x, most, noise: dcgan.shifted(x.mT, most, noise), "moves fit"),
        (lambda x, most, noise: dcgan.shifted(x + 1, most, noise) - 1, "moves fit"),
        (lambda x, most, noise: dcgan.shifted(x, 2 * most, noise), "moves fit"),
    ],
    ids=["round the edge", "all alike", "turned", "grey comes in", "too far"],
)
def test_the_check_of_shifts_rejects_mistakes(wrong: Callable, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_shifts(wrong)


def test_a_gradient_moves_back_with_its_pixel() -> None:
    x = draws.uniform(5, 1, 6, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    moved = dcgan.shifted(x, 2, torch.Generator().manual_seed(1))
    (slope,) = torch.autograd.grad(moved.square().sum(), x)
    inside = slope != 0
    assert torch.equal(slope[inside], 2 * x.detach()[inside])
    assert inside.sum() == (moved != -1).sum()


# Recipes and steps.


def test_a_recipe_without_hidden_layers_and_deviation_is_the_dcgan() -> None:
    generator, discriminator = dcgan.build(replace(dcgan.PLAIN, width=4), seed=3)
    z, x = torch.ones(2, 100), torch.zeros(2, 1, 28, 28)
    assert torch.equal(generator(z), models.DCGANGenerator(width=4, seed=3)(z))
    assert torch.equal(discriminator(x), models.DCGANDiscriminator(width=4, seed=1_003)(x))


def test_the_networks_are_those_of_the_recipe() -> None:
    recipe = replace(TINY, resize=True, pooling=True, generator_slope=0.1, discriminator_slope=0.0)
    generator, discriminator = dcgan.build(replace(recipe, discriminator_batch_norm=False), 0)
    kinds = [{type(layer) for layer in network.layers} for network in (generator, discriminator)]
    assert models.ResizeConv2d in kinds[0]
    assert nn.LeakyReLU in kinds[0]
    assert nn.BatchNorm2d in kinds[0]
    assert {nn.MaxPool2d, nn.ReLU, models.MinibatchStd} <= kinds[1]
    assert not {nn.BatchNorm1d, nn.BatchNorm2d} & kinds[1]
    _, normalised = dcgan.build(replace(TINY, spectral_norm=True, generator_batch_norm=False), 0)
    assert hasattr(normalised.layers[0], "parametrizations")


def test_each_ablation_is_one_change() -> None:
    for whole, recipes in (
        ("whole recipe", dcgan.ablated(dcgan.SMALL)),
        ("as the paper", dcgan_guidelines.broken(dcgan.PLAIN)),
    ):
        first = vars(recipes[whole])
        changes = {name: {k for k, v in vars(recipe).items() if v != first[k]} for name, recipe in recipes.items()}
        assert changes.pop(whole) == set()
        for name, changed in changes.items():
            assert len(changed) == 1 + ("rates" in name and len(changed) == 2), name


def by_hand(recipe: dcgan.Recipe, seed: int, r1: float, detached: bool = True) -> nn.Module:
    """The generator after one step of each player, with torch's own Adam."""
    generator, discriminator = dcgan.build(recipe, seed)
    noise = torch.Generator().manual_seed(seed)
    x = data.load("mnist-5k", "cpu").train.batches(recipe.batch, -1.0, 1.0).at(0, seed).x
    rates = ((generator, recipe.generator_lr), (discriminator, recipe.discriminator_lr))
    of_g, of_d = (torch.optim.Adam(network.parameters(), lr, recipe.betas) for network, lr in rates)
    fake = generator(torch.randn(recipe.batch, recipe.latent, generator=noise))
    real, made = discriminator(x), discriminator(fake.detach())
    loss = -torch.sigmoid(real).log().mean() - (1 - torch.sigmoid(made)).log().mean()
    if r1:
        some = x[: recipe.r1_images].clone().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(some).sum(), some, create_graph=True)
        loss = loss + r1 / 2 * slope.square().sum((1, 2, 3)).mean()
    loss.backward()
    of_d.step()
    of_g.zero_grad()
    (-torch.sigmoid(discriminator(fake)).log().mean()).backward()
    of_g.step()
    return generator


def agrees(recipe: dcgan.Recipe, wanted: nn.Module) -> bool:
    found, _, _ = dcgan.fit(recipe, 5, device="cpu")
    pairs = zip(found.parameters(), wanted.parameters(), strict=True)
    return all(torch.allclose(a, b, rtol=0, atol=1e-5) for a, b in pairs)


def test_a_step_is_that_of_two_plain_players() -> None:
    recipe = replace(TINY, steps=1, average=None)
    assert agrees(recipe, by_hand(recipe, 5, r1=1.0))
    assert agrees(replace(recipe, r1=0.0), by_hand(recipe, 5, r1=0.0))
    # What the check rejects: another weight of R1, R1 at all images, other rates.
    assert not agrees(recipe, by_hand(recipe, 5, r1=1e3))
    assert not agrees(replace(recipe, generator_lr=1e-3), by_hand(recipe, 5, r1=1.0))
    assert not agrees(replace(recipe, betas=(0.5, 0.9), steps=2), by_hand(recipe, 5, r1=1.0))


def test_no_gradient_goes_from_the_discriminators_step_to_the_generator() -> None:
    generator, discriminator = dcgan.build(TINY, 0)
    fake, noise = generator(torch.randn(8, 4, generator=torch.Generator().manual_seed(0))), torch.Generator()
    loss = dcgan.step_discriminator(TINY, discriminator, fake.detach(), fake, noise)
    weights = list(generator.parameters())
    assert all(g is None for g in torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=True))
    loss = dcgan.step_generator(TINY, discriminator, fake, noise)
    assert all(g is not None for g in torch.autograd.grad(loss, weights, allow_unused=True))


def test_every_image_that_the_discriminator_sees_is_shifted() -> None:
    seen: list[Tensor] = []

    def judge(x: Tensor) -> Tensor:
        seen.append(x)
        return x.mean((1, 2, 3))

    x = draws.uniform(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    recipe = replace(TINY, shift=2, r1=0.0)
    dcgan.step_discriminator(recipe, judge, x, x, torch.Generator().manual_seed(0))
    dcgan.step_generator(recipe, judge, x, torch.Generator().manual_seed(1))
    assert len(seen) == 3
    assert all(moves(x, moved, 2) for moved in seen)
    assert not torch.equal(seen[0], seen[1])


def test_the_average_is_what_is_drawn_from_and_shown() -> None:
    generator, discriminator, run = dcgan.fit(TINY, 0, device="cpu", shown=3, snapshot_every=1)
    assert not generator.training
    assert not discriminator.training
    assert run.history.snapshots["images"].shape == (4, 3, 1, 28, 28)
    codes = draws.normal(3, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert_close(torch.from_numpy(run.history.snapshots["images"][-1]), generator(codes))
    live, _, _ = dcgan.fit(replace(TINY, average=None), 0, device="cpu")
    assert not torch.equal(next(generator.parameters()), next(live.parameters()))


def test_the_large_recipes_train_at_64_pixels() -> None:
    for recipe in dcgan.Settings().large.values():
        assert recipe.image_size == 64
        assert recipe.data == "mnist"
        hidden = (8,) * len(recipe.hidden)
        small = replace(recipe, data="mnist-5k", hidden=hidden, width=2, batch=4, r1_images=2, steps=2)
        generator, _, run = dcgan.fit(small, 0, device="cpu")
        assert run.step == 2
        assert dcgan.samples(generator, 3, 0).shape == (3, 1, 64, 64)


# Images of other sizes.


def test_pictures_of_32_have_a_black_frame_and_of_64_the_same_ink() -> None:
    plain = data.load("mnist-5k", "cpu")
    assert dcgan.pictures("mnist-5k", 28, "cpu").train.x.shape == plain.train.x.shape
    framed = dcgan.pictures("mnist-5k", 32, "cpu").test
    assert torch.equal(framed.x[:, :, 2:-2, 2:-2], plain.test.x)
    assert framed.x.long().sum() == plain.test.x.long().sum()
    doubled = dcgan.pictures("mnist-5k", 64, "cpu").validation
    assert torch.equal(doubled.y, plain.validation.y)
    assert_close(doubled.pixels().mean((1, 2, 3)), plain.validation.pixels().mean((1, 2, 3)), rtol=0.02, atol=0)


# What is measured.


def test_the_training_images_are_at_no_distance_from_themselves_and_one_image_is_far() -> None:
    digits = data.load("mnist-5k", "cpu").train
    own = dcgan.quality(digits.pixels(), TINY, overlap=400)
    assert own["frechet"] == pytest.approx(0, abs=1e-6)
    assert own["precision"] == own["recall"] == 1
    assert own["entropy_nats"] == pytest.approx(math.log(10), abs=1e-3)
    assert sum(own["shares"]) == pytest.approx(1)
    floor = dcgan.floor(TINY, 400, CPU)
    assert own["frechet_held_out"] == pytest.approx(floor["frechet"])
    one = dcgan.quality(digits.pixels()[:1].expand(300, -1, -1, -1), TINY, overlap=400)
    assert one["entropy_nats"] == 0
    assert one["frechet"] > 100 * floor["frechet"]
    assert one["recall"] < 0.1
    assert one["precision"] == 1
    half = dcgan.quality(digits[digits.y < 5].pixels(), TINY, overlap=400)
    assert half["entropy_nats"] == pytest.approx(math.log(5), abs=0.05)
    assert half["recall"] < 0.8


def test_samples_are_pixels_of_codes_that_depend_on_the_seed() -> None:
    generator = dcgan.build(TINY, 0)[0].eval()
    images = dcgan.samples(generator, 7, 1)
    assert images.shape == (7, 1, 28, 28)
    assert images.min() >= 0
    z = draws.normal(7, 4, generator=torch.Generator().manual_seed(10_001))
    assert_close(images, (generator(z).detach() + 1) / 2)
    assert not torch.equal(images, dcgan.samples(generator, 7, 2))


def test_categories_that_draw_one_digit_each_are_pure() -> None:
    """Real digits in place of samples, each given to the category that its code chooses."""
    digits = data.load("mnist-5k", "cpu").train
    recipe = replace(TINY, latent=12, categories=10)
    generator = dcgan.build(recipe, 0)[0]
    chosen = generator.chosen(dcgan.codes(generator, 300, 4))
    pure = torch.cat([digits[digits.y == 9 - k][i : i + 1].pixels() for i, k in enumerate(chosen.tolist())])
    table = dcgan.sorted_by_class(generator, recipe, pure, 4)
    assert table.sum() == 300
    assert table.flip(1).diag().sum() > 0.97 * 300  # but for what the classifier misreads
    assert dcgan.sorting(generator, recipe, pure, 4) == {
        "purity": pytest.approx(table.amax(1).sum().item() / 300),
        "classes": 10,
    }
    mixed = dcgan.sorting(generator, recipe, pure.flip(0), 4)
    assert mixed["purity"] < 0.4
    assert dcgan.sorting(dcgan.build(TINY, 0)[0], TINY, pure, 4) == {"purity": None, "classes": None}


def test_the_study_has_an_entry_a_seed_and_none_where_a_run_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    kept = dcgan.fit

    def fails(recipe: dcgan.Recipe, seed: int, **given: object) -> tuple:
        if recipe.latent == 5 and seed == 7:
            raise train.Diverged(1, "generator", None)
        return kept(recipe, seed, **given)

    monkeypatch.setattr(dcgan, "fit", fails)
    sorted_ = replace(TINY, categories=3)
    settings = dcgan.Settings(30, 30, {"a": TINY, "d": sorted_}, {"b": replace(TINY, latent=5)}, {"c": TINY})
    found = json.loads(json.dumps(dcgan.measure(settings, [3, 7], CPU)))
    assert set(found["floor"]) == set(dcgan.QUANTITIES[:-4]) - {"frechet_held_out"}
    assert {name: list(group) for name, group in found["runs"].items()} == {
        "whole": ["a", "d"],
        "ablation": ["b"],
    }
    for table in (found["runs"]["whole"]["a"], found["runs"]["ablation"]["b"]):
        assert set(table) == set(dcgan.QUANTITIES)
        assert all(len(values) == 2 for values in table.values())
    assert found["runs"]["ablation"]["b"]["frechet"][1] is None
    assert found["runs"]["ablation"]["b"]["frechet"][0] > 0
    assert found["runs"]["whole"]["a"]["purity"] == [None, None]
    assert all(0 < share <= 1 for share in found["runs"]["whole"]["d"]["purity"])
    assert all(1 <= count <= 3 for count in found["runs"]["whole"]["d"]["classes"])
    short = dcgan_guidelines.Settings(30, 30, {"a": TINY})
    again = dcgan_guidelines.measure(short, [3], CPU)
    assert again["a"]["frechet"] == found["runs"]["whole"]["a"]["frechet"][:1]


def test_the_loss_of_the_discriminator_is_the_papers() -> None:
    judge = lambda x: x.mean((1, 2, 3))  # noqa: E731
    x, y = torch.ones(2, 1, 4, 4), -torch.ones(2, 1, 4, 4)
    found = dcgan.step_discriminator(replace(TINY, r1=0.0), judge, x, y, torch.Generator())
    assert_close(found, losses.discriminator(judge(x), judge(y)))
    assert found < dcgan.step_discriminator(replace(TINY, r1=0.0), judge, y, x, torch.Generator())


def test_the_recorded_study_holds_what_the_chapter_says(request: pytest.FixtureRequest) -> None:
    found = studies.read("dcgan", request.config.rootpath / "book" / "measurements")["values"]
    small, plain = found["runs"]["whole"]["small net"], found["runs"]["whole"]["plain DCGAN"]
    assert all(10 * s <= p for s, p in zip(small["frechet"], plain["frechet"], strict=True))
    assert all(s <= p for s, p in zip(small["cpu_seconds"], plain["cpu_seconds"], strict=True))
    assert found["floor"]["frechet"] < min(small["frechet"])
    assert max(small["frechet"]) < 2

"""Conditional networks take their condition where they say, and the study measures what it says."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gennotes import data, features, models
from gennotes.models import ConditionalDiscriminator, ConditionalGenerator, one_hot
from gennotes.studies import cgan

TINY = cgan.Recipe(steps=3, hidden=(16,), width=4, batch=8, latent=4, embedded=3)


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# ------------------------------------------------------------------------------------------------------ the networks


@pytest.mark.parametrize("condition", models.cgan.GENERATOR_CONDITIONS)
def test_a_generator_makes_images_that_depend_on_the_class(condition):
    G = ConditionalGenerator(8, condition=condition, hidden=(16,), width=4).eval()
    z = torch.randn(3, 8, generator=noise())
    x, other = (G(z, one_hot(torch.full((3,), k))) for k in (2, 5))
    assert x.shape == (3, 1, 28, 28)
    assert x.abs().max() <= 1
    assert (x - other).abs().max() > 0.1 * x.abs().max()  # fresh weights make faint images


def check_blend(blend: nn.Module) -> None:
    """Half of two classes is given as the point half-way between their rows."""
    seen = []
    blend.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    z = torch.zeros(1, 8)
    for c in (one_hot(torch.tensor([3])), one_hot(torch.tensor([8]))):
        blend(z, c)
    blend(z, 0.5 * one_hot(torch.tensor([3])) + 0.5 * one_hot(torch.tensor([8])))
    first, second, half = seen
    torch.testing.assert_close(half, (first + second) / 2)
    assert not torch.allclose(first, second)


class Nearest(ConditionalGenerator):
    """A mistake: a blend is taken for its heaviest class."""

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return super().forward(z, one_hot(c.argmax(1)))


class Deaf(ConditionalGenerator):
    """A mistake: the condition is lost on the way."""

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return super().forward(z, torch.zeros_like(c))


def test_a_blend_of_classes_is_a_blend_of_embeddings():
    small = {"latent": 8, "hidden": (16,), "width": 4}
    check_blend(ConditionalGenerator(**small).eval())
    for mistake in (Nearest, Deaf):
        with pytest.raises(AssertionError):
            check_blend(mistake(**small).eval())


def advice(D: nn.Module) -> Tensor:
    """The gradients at one image for two classes, (2, 1, 28, 28)."""
    x = torch.randn(2, 1, 28, 28, generator=noise()).tanh()[:1].repeat(2, 1, 1, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(D(x, one_hot(torch.tensor([1, 4]))).sum(), x)
    return gradient


@pytest.mark.parametrize("condition", models.cgan.DISCRIMINATOR_CONDITIONS)
def test_what_a_discriminator_advises_depends_on_the_class_if_it_is_told(condition):
    D = ConditionalDiscriminator(condition=condition, hidden=(16,), width=4, deviation=False).eval()
    first, second = advice(D)
    assert torch.allclose(first, second, rtol=1e-4, atol=1e-8) == (condition == "none")


def test_a_class_added_behind_the_last_bend_is_caught():
    class Late(ConditionalDiscriminator):
        def forward(self, x: Tensor, c: Tensor) -> Tensor:
            return super().forward(x, c) + c @ torch.arange(10.0)

    first, second = advice(Late(condition="none", hidden=(16,), width=4, deviation=False).eval())
    torch.testing.assert_close(first, second)


def check_projection(D: ConditionalDiscriminator) -> None:
    """The logits of two classes at one image differ by the product of its features and the rows' difference."""
    x = torch.randn(5, 1, 28, 28, generator=noise()).tanh()
    D.eval()
    a, b = (D(x, one_hot(torch.full((5,), k))) for k in (1, 4))
    h = D.dense(D.convolutions(x))
    torch.testing.assert_close(a - b, h @ (D.embedding[1] - D.embedding[4]), rtol=1e-3, atol=1e-5)
    assert (a - b).std() > 0.1 * a.std()


def test_projection_is_an_inner_product():
    check_projection(ConditionalDiscriminator(hidden=(16,), width=4))

    class Summed(ConditionalDiscriminator):  # a mistake: the row is added, not multiplied
        def forward(self, x: Tensor, c: Tensor) -> Tensor:
            return self.psi(self.dense(self.convolutions(x))).squeeze(1) + (c @ self.embedding).sum(1)

    class Squared(ConditionalDiscriminator):  # a mistake: the features twice
        def forward(self, x: Tensor, c: Tensor) -> Tensor:
            h = self.dense(self.convolutions(x))
            return self.psi(h).squeeze(1) + ((c @ self.embedding) * h * h).sum(1)

    for mistake in (Summed, Squared):
        with pytest.raises(AssertionError):
            check_projection(mistake(hidden=(16,), width=4))


@pytest.mark.parametrize("build", [ConditionalGenerator, ConditionalDiscriminator])
def test_weights_depend_on_the_seed_alone(build):
    state = torch.random.get_rng_state()
    a, b, c = (build(seed=seed, hidden=(16,), width=4) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(a.embedding, b.embedding)
    assert not torch.equal(a.embedding, c.embedding)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="'projection'"):
        ConditionalDiscriminator(condition="sum")
    with pytest.raises(ValueError, match="'one-hot'"):
        ConditionalGenerator(condition="maps")
    with pytest.raises(ValueError, match="at least 2 classes"):
        ConditionalGenerator(classes=1)
    with pytest.raises(ValueError, match="latent ≥ 1"):
        ConditionalGenerator(latent=0)
    with pytest.raises(ValueError, match="hidden is empty"):
        ConditionalDiscriminator(hidden=())
    with pytest.raises(ValueError, match=r"give \(2, 10\)"):
        ConditionalGenerator(4, hidden=(8,), width=4)(torch.zeros(2, 4), torch.zeros(3, 10))
    with pytest.raises(ValueError, match="there is no way"):
        cgan.fit_points("loudly", data.toy("ring", "cpu"), 8, [0])


# ------------------------------------------------------------------------------------------------------- the measures


def leaning(angle: float) -> Tensor:
    """A stroke that leans to the right by `angle` columns a row upwards, (1, 1, 28, 28)."""
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    stroke = torch.exp(-((columns - 13.5 + angle * (rows - 13.5)) ** 2) / 4)
    return (stroke * ((rows - 13.5).abs() < 9))[None, None]


@pytest.mark.parametrize("angle", [-0.5, 0.0, 0.4])
def test_slant_is_the_angle_of_a_stroke(angle):
    assert cgan.slant(leaning(angle)).item() == pytest.approx(angle, abs=0.02)
    assert cgan.slant(leaning(angle).flip(3)).item() == pytest.approx(-angle, abs=0.02)  # a mirror turns it round
    if angle:
        for mistake in (cgan.slant(leaning(angle).flip(2)), cgan.slant(leaning(angle).transpose(2, 3))):
            assert mistake.item() != pytest.approx(angle, abs=0.05)


def test_distances_within_a_class_leave_out_those_between():
    y = torch.tensor([0, 0, 1, 1])
    found = cgan.within(torch.tensor([[0.0], [1.0], [100.0], [103.0]]), y, classes=2)
    assert found.tolist() == [1.0, 3.0]


def test_points_obey_if_their_nearest_centre_is_that_of_their_class():
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    x = torch.tensor([[[0.1, 0.0], [0.2, 0.1], [0.9, 0.0], [0.1, 0.1]]])
    assert cgan.point_agreement(x, torch.tensor([0, 0, 1, 1]), centres).tolist() == [0.75]


def test_real_digits_with_their_own_labels_agree_and_with_others_do_not():
    digits = data.load("mnist-5k", "cpu").test
    own = cgan.quality(digits.pixels(), digits.y, cgan.Recipe())
    assert own["agreement"] > 0.96
    assert own["agreement"] == pytest.approx(sum(own["by_class"]) / 10)
    assert own["diversity"] == pytest.approx(1, abs=0.15)
    other = cgan.quality(digits.pixels(), (digits.y + 1) % 10, cgan.Recipe())
    assert other["agreement"] < 0.05
    assert [row.index(max(row)) for row in own["confusion"]] == list(range(10))


# -------------------------------------------------------------------------------------------------------- the study


def test_what_d_is_told_is_what_g_was_asked_for_unless_it_is_broken(monkeypatch, one_thread):
    for paired in (True, False):
        seen = []
        right = cgan.step_discriminator

        def watched(recipe, D, real, fake, c, told, seen=seen, right=right):
            seen.append(torch.equal(c, told))
            return right(recipe, D, real, fake, c, told)

        monkeypatch.setattr(cgan, "step_discriminator", watched)
        cgan.fit(replace(TINY, paired=paired), 0)
        monkeypatch.setattr(cgan, "step_discriminator", right)
        assert seen == [paired] * TINY.steps


def test_a_class_left_out_is_not_seen_and_its_row_stays(one_thread):
    recipe = replace(TINY, left_out=7)
    assert 7 not in cgan.seen_in_training(recipe).y
    assert len(cgan.seen_in_training(recipe)) == 3_600
    before, _ = cgan.build(recipe, 0)
    after, _, _ = cgan.fit(recipe, 0)
    moved = (after.embedding - before.embedding).abs().amax(1)
    assert moved[7] < 1e-6
    assert (moved > 1e-4).sum() >= 5  # of the nine others, as many as the few batches show


def test_a_run_gives_a_number_for_every_quantity(one_thread):
    found = cgan.run(TINY, 0, 200, torch.device("cpu"))
    real = cgan.floor(TINY, torch.device("cpu"))
    assert set(found) == {*real, "shared_slant", "cpu_seconds", "seconds"}
    assert all(math.isfinite(value) for value in found.values() if isinstance(value, float))


def test_the_settings_change_one_thing_at_a_time():
    recipes = cgan.Settings().recipes
    assert recipes["chapter"] == cgan.Recipe()
    groups = {"chapter": cgan.whole(), "embedding, projection": cgan.shorter(5)}
    assert len(recipes) == sum(map(len, groups.values()))
    for first, group in groups.items():
        base = group[first]
        for name, recipe in group.items():
            changed = [f for f in vars(base) if getattr(base, f) != getattr(recipe, f)]
            assert len(changed) == (0 if recipe is base else 1), name


def test_a_conditional_gan_in_the_plane_obeys_when_it_is_told(one_thread):
    ring = data.Mixture(data.toy("ring", "cpu").means, 0.08)
    found = {}
    for way in ("both are told", "D is not told"):
        G, _ = cgan.fit_points(way, ring, 8, [0], steps=250)
        x, y = cgan.points(G, 8, [0], count=400)
        found[way] = cgan.point_agreement(x, y, ring.means).item()
    assert found["both are told"] > 0.9
    assert found["D is not told"] < 0.4


def test_the_feature_network_is_not_trained_here():
    assert not any(p.requires_grad for p in features.network("mnist-5k").parameters())

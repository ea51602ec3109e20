"""PacGAN's networks for points in the plane, packs and the deviation of a batch: single, and several side by side."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from gennotes import data, draws, losses, train
from gennotes.models import MaxoutMLP, MinibatchStd, NormalisedMLP, Packed, gan
from gennotes.train import Player

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = [NormalisedMLP, MaxoutMLP]
SEEDS = [3, 0, 11]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Instead(nn.Module):
    """A function in the place of a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


# The layers, beside the same networks written as formulas.


def generator_formula(z: Tensor, parameters: list[Tensor]) -> Tensor:
    w1, scale1, shift1, w2, scale2, shift2, w3, bias3 = parameters
    h = z
    for w, scale, shift in ((w1, scale1, shift1), (w2, scale2, shift2)):
        h = h @ w.T
        mean = h.sum(0) / len(h)
        variance = ((h - mean) ** 2).sum(0) / len(h)
        h = (scale * (h - mean) / (variance + 1e-4).sqrt() + shift).clamp(min=0)
    return h @ w3.T + bias3


def discriminator_formula(x: Tensor, parameters: list[Tensor]) -> Tensor:
    """Of units with 4 pieces each, one number at a time."""
    *hidden, last, bias = parameters
    items = x.tolist()
    for weight, offset in zip(hidden[::2], hidden[1::2], strict=True):
        w, b, units = weight.tolist(), offset.tolist(), len(offset) // 4

        def linear(row: int, item: list[float], w: list = w, b: list = b) -> float:
            return sum(p * q for p, q in zip(w[row], item, strict=True)) + b[row]

        items = [[max(linear(j * units + u, item) for j in range(4)) for u in range(units)] for item in items]
    return torch.tensor(items, dtype=torch.float64) @ last[0] + bias


def layers_are_the_papers(network: nn.Module) -> bool:
    """Outputs are those of the formulas, with random weights, scales, shifts and biases."""
    network, generator = network.double(), torch.Generator().manual_seed(0)
    parameters = [nn.init.normal_(p, 0, 0.5, generator).detach() for p in network.parameters()]
    formula = generator_formula if isinstance(network, NormalisedMLP) else discriminator_formula
    x = normal(6, 2)
    wanted = formula(x, parameters)
    found = network(x)
    return found.shape == wanted.shape and torch.allclose(found, wanted, rtol=1e-9, atol=1e-12)


def small(kind: type[nn.Module]) -> nn.Module:
    return NormalisedMLP((2, 5, 3, 2)) if kind is NormalisedMLP else MaxoutMLP((2, 5, 3, 1), pieces=4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_layers_are_those_of_the_paper(kind: type[nn.Module]) -> None:
    assert layers_are_the_papers(small(kind))


@pytest.mark.parametrize(
    ("kind", "place", "wrong"),
    [
        (NormalisedMLP, 1, nn.BatchNorm1d(5)),
        (NormalisedMLP, 1, nn.LayerNorm(5, eps=1e-4)),
        (NormalisedMLP, 2, nn.LeakyReLU(0.2)),
        (NormalisedMLP, 2, nn.Identity()),
        (NormalisedMLP, 6, nn.Sequential(nn.Linear(3, 2), nn.Tanh())),
        (MaxoutMLP, 1, Instead(lambda x: x.unflatten(-1, (-1, 4)).amax(-1))),
        (MaxoutMLP, 1, Instead(lambda x: x.unflatten(-1, (4, -1)).amin(-2))),
        (MaxoutMLP, 3, Instead(lambda x: x.unflatten(-1, (4, -1)).mean(-2))),
        (MaxoutMLP, 3, Instead(lambda x: x.unflatten(-1, (4, -1)).abs().amax(-2))),
        (MaxoutMLP, 4, nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())),
    ],
    ids=[
        "another epsilon",
        "norm over the units",
        "leaky",
        "no ReLU",
        "bounded points",
        "maxout over neighbours",
        "smallest",
        "mean",
        "largest in size",
        "probability for logit",
    ],
)
def test_the_check_of_the_layers_rejects_mistakes(kind: type[nn.Module], place: int, wrong: nn.Module) -> None:
    network = small(kind)
    network.layers[place] = wrong
    assert not layers_are_the_papers(network)


def test_the_check_of_the_layers_rejects_batch_norm_behind_relu() -> None:
    network = small(NormalisedMLP)
    network.layers[1], network.layers[2] = network.layers[2], network.layers[1]
    assert not layers_are_the_papers(network)


def averages_are_right(network: NormalisedMLP) -> bool:
    """After one batch in training, points are normalised by 0.95 · (0, 1) + 0.05 · (mean, variance B/(B − 1))."""
    z = normal(6, 2)
    network.double()(z)
    w1, scale, shift, w2, bias = (p.detach() for p in network.parameters())
    h = z @ w1.T
    mean = 0.05 * h.mean(0)
    variance = 0.95 + 0.05 * ((h - h.mean(0)) ** 2).sum(0) / 5
    h = normal(3, 2, seed=1) @ w1.T
    wanted = (scale * (h - mean) / (variance + 1e-4).sqrt() + shift).clamp(min=0) @ w2.T + bias
    return torch.allclose(network.eval()(normal(3, 2, seed=1)), wanted, rtol=1e-9, atol=1e-12)


def test_in_evaluation_points_are_normalised_by_the_running_averages() -> None:
    assert averages_are_right(NormalisedMLP((2, 5, 2)))


@pytest.mark.parametrize(
    "wrong",
    [
        nn.BatchNorm1d(5, eps=1e-4),
        nn.BatchNorm1d(5, momentum=0.05),
        nn.BatchNorm1d(5, eps=1e-4, momentum=0.95),
        nn.BatchNorm1d(5, eps=1e-4, track_running_stats=False),
    ],
    ids=["torch's pace", "torch's epsilon", "pace from the other end", "no averages"],
)
def test_the_check_of_the_running_averages_rejects_mistakes(wrong: nn.Module) -> None:
    network = NormalisedMLP((2, 5, 2))
    network.layers[1] = wrong
    assert not averages_are_right(network)


def test_the_sizes_are_those_of_the_paper_and_arguments() -> None:
    norm = [(400,), (400,)]
    four = [(400, 2), *norm, *[(400, 400), *norm] * 3]
    assert [p.shape for p in NormalisedMLP().parameters()] == [*four, (2, 400), (2,)]
    three = [(1000, 2), (1000,), *[(1000, 200), (1000,)] * 2]
    assert [p.shape for p in MaxoutMLP().parameters()] == [*three, (1, 200), (1,)]
    assert [p.shape for p in MaxoutMLP((6, 7, 3), pieces=2).parameters()] == [(14, 6), (14,), (3, 7), (3,)]
    assert MaxoutMLP((6, 7, 3), pieces=2)(torch.zeros(4, 6)).shape == (4, 3)
    assert MaxoutMLP((6, 7, 1), seed=SEEDS)(torch.zeros(3, 4, 6)).shape == (3, 4)
    assert NormalisedMLP((6, 7, 1), seed=SEEDS)(torch.zeros(3, 4, 6)).shape == (3, 4, 1)
    assert [p.shape for p in NormalisedMLP((6, 2)).parameters()] == [(2, 6), (2,)]


# The initial weights.


def weights_are_the_papers(network: nn.Module) -> bool:
    """Moments 1, 2 and 4 of each layer's weights within 5 standard errors of the normal's; biases 0, scales 1."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            unit = layer.weight.detach().double() / 0.02
            for power, moment, variance in [(1, 0, 1), (2, 1, 2), (4, 3, 96)]:
                if abs(float((unit**power).mean()) - moment) > 5 * (variance / unit.numel()) ** 0.5:
                    return False
        if isinstance(layer, nn.BatchNorm1d) and not bool((layer.weight == 1).all()):
            return False
        if getattr(layer, "bias", None) is not None and bool(layer.bias.any()):
            return False
    return True


def torchs_defaults(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear):
        layer.reset_parameters()


def variance_for_deviation(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, 0, 0.02**0.5)


def uniform_of_that_deviation(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear):
        nn.init.uniform_(layer.weight, -0.02 * 3**0.5, 0.02 * 3**0.5)


def biases_of_torch(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear) and layer.bias is not None:
        nn.init.uniform_(layer.bias, -0.03, 0.03)


def scales_around_1(layer: nn.Module) -> None:
    if isinstance(layer, nn.BatchNorm1d):
        nn.init.normal_(layer.weight, 1, 0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_the_initial_weights_are_those_of_the_paper(kind: type[nn.Module]) -> None:
    assert weights_are_the_papers(kind())


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        *((k, w) for k in KINDS for w in (torchs_defaults, variance_for_deviation, uniform_of_that_deviation)),
        *((k, biases_of_torch) for k in KINDS),
        (NormalisedMLP, scales_around_1),
    ],
)
def test_the_check_of_the_initial_weights_rejects_mistakes(kind: type[nn.Module], wrong: Callable) -> None:
    assert not weights_are_the_papers(kind().apply(wrong))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone(kind: type[nn.Module]) -> None:
    def weights(seed: int | Sequence[int]) -> Tensor:
        return nn.utils.parameters_to_vector(kind((2, 4, 4, 1), seed=seed).parameters())

    before = torch.get_rng_state()
    first, several = weights(1), weights(SEEDS)
    assert torch.equal(torch.get_rng_state(), before)
    torch.randn(10)
    assert torch.equal(first, weights(1))
    assert torch.equal(several, weights(SEEDS))
    assert not torch.equal(first, weights(2))


# Seeds side by side.

MAKERS: dict[str, Callable[[int | Sequence[int]], nn.Module]] = {
    "points": lambda seed: NormalisedMLP((2, 5, 4, 3), seed=seed),
    "maxout": lambda seed: MaxoutMLP((2, 5, 4, 1), pieces=3, seed=seed),
    "packed": lambda seed: Packed(MaxoutMLP((6, 5, 1), pieces=3, seed=seed), 3),
    "deviation": lambda seed: nn.Sequential(MinibatchStd(), MaxoutMLP((3, 5, 1), pieces=3, seed=seed)),
}


def of_member(tensor: Tensor, i: int, like: Tensor) -> Tensor:
    """Member i of a parameter or buffer, in the shape of the single network's: a linear layer's weight is turned."""
    return tensor[i].mT if like.ndim == 2 else tensor[i].reshape(like.shape)


def check_members(make: Callable[[int | Sequence[int]], nn.Module]) -> None:
    """Each member has the weights, outputs, gradients and running averages of the single network of its seed."""
    together, alone = make(SEEDS).double(), [make(seed).double() for seed in SEEDS]
    x = (normal(len(SEEDS), 6, 2) + normal(len(SEEDS), 1, 2, seed=1)).requires_grad_()  # not around one mean
    for training in (True, False):
        for name, value in together.state_dict().items():
            for i, network in enumerate(alone):
                single = network.state_dict()[name]
                assert_close(of_member(value, i, single), single, rtol=1e-12, atol=0)
        found = together.train(training)(x)
        slope = normal(*found.shape, seed=2)
        for_x, *gradients = torch.autograd.grad(found, [x, *together.parameters()], slope)
        for i, network in enumerate(alone):
            wanted = network.train(training)(x[i])
            assert_close(found[i], wanted, rtol=1e-9, atol=1e-14)
            single_x, *single = torch.autograd.grad(wanted, [x, *network.parameters()], slope[i])
            assert_close(for_x[i], single_x[i], rtol=1e-9, atol=1e-14)
            for ours, theirs in zip(gradients, single, strict=True):
                assert_close(of_member(ours, i, theirs), theirs, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_member_is_the_single_network_of_its_seed(make: Callable) -> None:
    check_members(make)


def norm_over(axes: int | tuple[int, ...]) -> Callable[[gan.BatchNorms, Tensor], Tensor]:
    def forward(norms: gan.BatchNorms, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        return norms.weight[:, None] * (x - mean) / (variance + norms.eps).sqrt() + norms.bias[:, None]

    return forward


def rows_for_members(norms: gan.BatchNorms, x: Tensor) -> Tensor:
    weight, bias = norms.weight.view(-1), norms.bias.view(-1)
    units = x.reshape(x.shape[1], -1)
    return F.batch_norm(units, None, None, weight, bias, True, eps=norms.eps).view(x.shape)


def shared_averages(norms: gan.BatchNorms, x: Tensor, right: Callable = gan.BatchNorms.forward) -> Tensor:
    norms.running_mean.copy_(norms.running_mean.mean(0).expand_as(norms.running_mean))
    return right(norms, x)


def joined_members(packed: Packed, x: Tensor, right: Callable = Packed.join) -> Tensor:
    return right(packed, x if x.ndim == 2 else x.transpose(0, 1).reshape(x.shape))


def shared_deviation(module: MinibatchStd, x: Tensor) -> Tensor:
    deviation = (x.var((-2,) if x.ndim == 2 else (0, 1), correction=0, keepdim=True) + 1e-8).sqrt()
    return torch.cat([x, deviation.mean(-1, keepdim=True).expand(*x.shape[:-1], 1)], -1)


def in_reverse(layers: Sequence[nn.Module], right: Callable = gan._side_by_side) -> nn.Module:
    return right(layers[::-1])


def first_for_all(layers: Sequence[nn.Module], right: Callable = gan._side_by_side) -> nn.Module:
    return right([layers[0]] * len(layers))


@pytest.mark.parametrize(
    ("make", "place", "name", "wrong"),
    [
        ("points", gan.BatchNorms, "forward", norm_over((0, 1))),
        ("points", gan.BatchNorms, "forward", norm_over(0)),
        ("points", gan.BatchNorms, "forward", norm_over(2)),
        ("points", gan.BatchNorms, "forward", norm_over(1)),
        ("points", gan.BatchNorms, "forward", rows_for_members),
        ("points", gan.BatchNorms, "forward", shared_averages),
        ("points", gan, "_side_by_side", in_reverse),
        ("maxout", gan, "_side_by_side", in_reverse),
        ("maxout", gan, "_side_by_side", first_for_all),
        ("packed", Packed, "join", joined_members),
        ("packed", gan, "_side_by_side", in_reverse),
        ("deviation", MinibatchStd, "forward", shared_deviation),
        ("deviation", gan, "_side_by_side", first_for_all),
    ],
    ids=[
        "one mean for all members",
        "norm over the members",
        "norm over the units",
        "no running averages",
        "rows taken for members",
        "running averages shared",
        "seeds in reverse",
        "seeds of maxout in reverse",
        "the first seed for all",
        "packs of several members",
        "seeds of packs in reverse",
        "one deviation for all members",
        "the first seed of deviations for all",
    ],
)
def test_the_comparison_of_members_rejects_mistakes(
    make: str, place: Any, name: str, wrong: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, wrong)
    with pytest.raises(AssertionError):
        check_members(MAKERS[make])


@pytest.mark.parametrize("seed", [0, SEEDS])
def test_each_parameter_gets_a_gradient(seed: int | Sequence[int]) -> None:
    generator = NormalisedMLP((2, 8, 8, 2), seed=seed).double()
    discriminator = Packed(nn.Sequential(MinibatchStd(), MaxoutMLP((5, 8, 8, 1), pieces=3, seed=seed)), 2).double()
    z = normal(32, 2) if seed == 0 else normal(len(SEEDS), 32, 2)
    discriminator(generator(z)).square().sum().backward()
    parameters = [*generator.parameters(), *discriminator.parameters()]
    sizes = [p.grad.norm() if seed == 0 else p.grad.flatten(1).norm(dim=1) for p in parameters]  # (), or (S,)
    assert all(bool((size > 1e-9 * max(s.max() for s in sizes)).all()) for size in sizes)  # rounding would be 1e-16


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_a_point_depends_on_its_batch_only_by_batch_norm_in_training(kind: type[nn.Module], training: bool) -> None:
    network = small(kind).double()
    x = normal(6, 2)
    network(x)  # moves the running averages
    network.train(training)
    alone = torch.allclose(network(x[1:3]), network(x)[1:3], rtol=1e-9, atol=0)
    assert alone == (kind is MaxoutMLP or not training)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_in_bfloat16_the_members_stay_near(make: Callable) -> None:
    network, x = make(SEEDS), normal(3, 60, 2).float()
    with torch.no_grad():
        wanted = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(x)
    assert 0 < (found.float() - wanted).abs().max() < 0.03 * wanted.abs().max()


# A whole run.


def players(seed: int | list[int]) -> dict[str, Player]:
    discriminator = Packed(nn.Sequential(MinibatchStd(), MaxoutMLP((5, 8, 8, 1), pieces=3, seed=seed)), 2)
    return {
        "generator": Player(NormalisedMLP((2, 8, 8, 2), seed=seed), lr=1e-3, betas=(0.8, 0.999), ema=0.9),
        "discriminator": Player(discriminator, lr=1e-3, betas=(0.8, 0.999)),
    }


def step(players: Mapping[str, Player], batch: data.Batch, generator: draws.AnyGenerator) -> Mapping[str, Tensor]:
    g, d = players["generator"].module, players["discriminator"].module
    fake = g(draws.normal(12, 2, generator=generator))
    loss_d, loss_g = losses.discriminator(d(batch.x), d(fake.detach())), losses.non_saturating(d(fake))
    players["discriminator"].minimise(loss_d)
    players["generator"].minimise(loss_g)
    return {"discriminator": loss_d, "generator": loss_g}


def fit(seed: int | list[int]) -> tuple[nn.Module, train.Run]:
    seats, batches = players(seed), data.toy("ring", "cpu").batches(12)
    return seats["generator"], train.fit(step, seats, batches, steps=12, seed=seed, progress=False)


def test_a_member_of_a_run_is_the_single_run_of_its_seed() -> None:
    """Losses, the average of the weights and the running averages of batch norm, within the rounding of float32."""
    generator, run = fit(SEEDS)
    z = normal(5, 2).float()
    for i, seed in enumerate(SEEDS):
        alone, single = fit(seed)
        other, _ = fit(seed + 1)
        for name in ("discriminator", "generator"):
            ours, theirs = (torch.from_numpy(h.records[name]) for h in (run.history, single.history))
            assert_close(ours[:, i], theirs, rtol=1e-4, atol=1e-5)
        made = generator.averaged(z.expand(len(SEEDS), 5, 2))[i]
        assert_close(made, alone.averaged(z), rtol=1e-3, atol=1e-5)
        assert not torch.allclose(made, other.averaged(z), rtol=0.1, atol=1e-3)


# Packs.


def check_packs(join: Callable[[Packed, Tensor], Tensor]) -> None:
    """Pack p holds the coordinates of points p·m, …, p·m + m − 1, one point after the other."""
    for size, count, features in ((1, 4, 2), (2, 6, 2), (3, 6, 2), (2, 2, 3)):
        packed = Packed(nn.Identity(), size)
        x = normal(len(SEEDS), count, features)
        for points, found in [(x[0], join(packed, x[0])[None]), (x, join(packed, x))]:
            members = points.tolist() if points.ndim == 3 else [points.tolist()]
            wanted = [[[*itertools.chain(*m[p : p + size])] for p in range(0, count, size)] for m in members]
            assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=0)


def test_a_pack_is_some_points_in_a_row() -> None:
    check_packs(Packed.join)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda packed, x: x.unflatten(-2, (packed.size, -1)).transpose(-2, -3).flatten(-2),
        lambda packed, x: x.unflatten(-2, (-1, packed.size)).mT.flatten(-2),
        lambda packed, x: x.mT.reshape(*x.shape[:-2], -1, packed.size * x.shape[-1]),
        lambda packed, x: x.flip(-2).unflatten(-2, (-1, packed.size)).flatten(-2),
    ],
    ids=["points far apart", "coordinate by coordinate", "coordinates for points", "in reverse"],
)
def test_the_check_of_packs_rejects_mistakes(wrong: Callable) -> None:
    with pytest.raises(AssertionError, match="not equal"):
        check_packs(wrong)


@pytest.mark.parametrize("seed", [0, SEEDS])
def test_a_packed_discriminator_gives_a_logit_a_pack(seed: int | Sequence[int]) -> None:
    lead = () if seed == 0 else (len(SEEDS),)
    discriminator = MaxoutMLP((6, 5, 1), seed=seed)
    packed, x = Packed(discriminator, 3), normal(*lead, 12, 2).float()
    assert packed(x).shape == (*lead, 4)
    assert torch.equal(packed(x), discriminator(x.reshape(*lead, 4, 6)))
    single = MaxoutMLP((2, 5, 1), seed=seed)
    assert torch.equal(Packed(single, 1)(x), single(x))


@pytest.mark.parametrize("seed", [0, SEEDS])
def test_a_gradient_penalty_is_of_the_joined_points(seed: int | list[int]) -> None:
    """Beside the slopes of single packs, one at a time; points themselves are refused."""
    lead = () if seed == 0 else (len(SEEDS),)
    packed = Packed(MaxoutMLP((4, 5, 1), seed=seed), 2).double()
    real = normal(*lead, 6, 2)
    with pytest.raises(ValueError, match="one number an item"):
        losses.r1(packed, real)
    found = losses.r1(packed.discriminator, packed.join(real))
    squares = torch.zeros(lead, dtype=torch.float64)
    for place in range(3):
        x = packed.join(real)[..., place : place + 1, :].requires_grad_()
        (slope,) = torch.autograd.grad(packed.discriminator(x).sum(), x)
        squares += slope.square().sum((-1, -2))
    assert_close(found, squares / 6, rtol=1e-9, atol=0)


# The deviation of a batch.


def check_deviation(append: Callable[[Tensor], Tensor]) -> None:
    """The points, then one number for all of them: Σ_f √(Σ_b (x_bf − x̄_f)²/B + 1e-8) / F, a number at a time."""
    for count, features in ((1, 2), (2, 3), (5, 4)):
        x = normal(len(SEEDS), count, features)
        for points, found in [(x[:1], append(x[0])[None]), (x, append(x))]:
            for batch, ours in zip(points.tolist(), found, strict=True):
                total = 0.0
                for column in zip(*batch, strict=True):
                    mean = sum(column) / count
                    total += math.sqrt(sum((value - mean) ** 2 for value in column) / count + 1e-8)
                wanted = [[*row, total / features] for row in batch]
                assert_close(ours, torch.tensor(wanted, dtype=torch.float64), rtol=1e-12, atol=1e-14)


def test_the_deviation_of_a_batch_is_the_formula() -> None:
    check_deviation(MinibatchStd())


def appended(statistic: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.cat([x, statistic(x).expand(*x.shape[:-1], 1)], -1)


@pytest.mark.parametrize(
    "wrong",
    [
        appended(lambda x: (x.var(-2, correction=min(1, x.shape[-2] - 1), keepdim=True) + 1e-8).sqrt().mean(-1, True)),
        appended(lambda x: (x.var(-1, correction=0, keepdim=True) + 1e-8).sqrt().mean(-2, True)),
        appended(lambda x: (x.var(-2, correction=0, keepdim=True).mean(-1, True) + 1e-8).sqrt()),
        appended(lambda x: (x.var((-1, -2), correction=0, keepdim=True) + 1e-8).sqrt()),
        appended(lambda x: x.var(-2, correction=0, keepdim=True).mean(-1, True)),
        appended(lambda x: x.std(-2, correction=0, keepdim=True).mean(-1, True) + 1e-8),
        lambda x: MinibatchStd()(x).roll(1, -1),
    ],
    ids=[
        "B - 1 for B",
        "over the features",
        "root of the mean",
        "batch and features in one",
        "variance",
        "1e-8 beside the root",
        "in front of the points",
    ],
)
def test_the_check_of_the_deviation_rejects_mistakes(wrong: Callable) -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_deviation(wrong)


def gradient_is_right(append: Callable[[Tensor], Tensor]) -> bool:
    """By differences, and finite (no change of the deviation) where all items are equal."""
    (slope,) = torch.autograd.grad(append(x := torch.ones(4, 2).requires_grad_())[:, -1].sum(), x)
    inputs = normal(2, 4, 3).requires_grad_()
    return torch.equal(slope, torch.zeros(4, 2)) and torch.autograd.gradcheck(append, inputs, raise_exception=False)


def test_the_gradient_of_the_deviation_is_finite_where_all_items_are_equal() -> None:
    assert gradient_is_right(MinibatchStd())


@pytest.mark.parametrize(
    "wrong",
    [
        appended(lambda x: x.var(-2, correction=0, keepdim=True).sqrt().mean(-1, True)),
        appended(lambda x: (x.detach().var(-2, correction=0, keepdim=True) + 1e-8).sqrt().mean(-1, True) + 0 * x.sum()),
    ],
    ids=["nothing under the root", "detached"],
)
def test_the_check_of_the_gradient_rejects_mistakes(wrong: Callable) -> None:
    assert not gradient_is_right(wrong)


# The arguments.


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: NormalisedMLP((2,)), r"sizes are \(2,\); give at least the sizes of input and output, each"),
        (lambda: NormalisedMLP((2, 0, 2)), r"sizes are \(2, 0, 2\); give"),
        (lambda: MaxoutMLP((2, -1, 1)), r"sizes are \(2, -1, 1\); give"),
        (lambda: NormalisedMLP(seed=[]), "there are no seeds; give one whole number, or one a member"),
        (lambda: MaxoutMLP(seed=[]), "there are no seeds; give"),
        (lambda: MaxoutMLP(pieces=0), "pieces=0: give the number of linear functions of a unit, at least 1"),
        (
            lambda: NormalisedMLP((2, 4, 2))(torch.zeros(4, 6, 2)),
            r"got z \(4, 6, 2\); give \(B, inputs\)",
        ),
        (
            lambda: NormalisedMLP((2, 4, 2), seed=SEEDS)(torch.zeros(6, 2)),
            r"got z \(6, 2\); give \(3, B, inputs\), a batch a member",
        ),
        (lambda: Packed(nn.Identity(), 0), "size=0: give the number of points in a pack, at least 1"),
        (
            lambda: Packed(nn.Identity(), 3)(torch.zeros(7, 2)),
            r"got points \(7, 2\) to join by 3; give \(B, D\), or \(S, B, D\) of an ensemble, with B a multiple of 3",
        ),
        (lambda: Packed(nn.Identity(), 2)(torch.zeros(2, 7, 2)), r"got points \(2, 7, 2\) to join by 2"),
        (lambda: Packed(nn.Identity(), 2)(torch.zeros(4)), r"got points \(4,\) to join by 2; give \(B, D\)"),
        (lambda: Packed(nn.Identity(), 2)(torch.zeros(4, 1, 28, 28)), r"got points \(4, 1, 28, 28\) to join by 2"),
        (
            lambda: MinibatchStd()(torch.zeros(4, 1, 28, 28)),
            r"got x \(4, 1, 28, 28\); flatten each item to give \(B, F\), or \(S, B, F\) of an ensemble",
        ),
        (lambda: MinibatchStd()(torch.zeros(4)), r"got x \(4,\); flatten"),
    ],
)
def test_arguments_out_of_range_are_refused(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()

"""Losses of adversarial players against torch's own and closed forms; every wrong variant named here is rejected."""

import inspect
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from gennotes import draws, losses
from gennotes.models import MLP


def scores(seed: int, *shape: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


REAL, FAKE = scores(0, 4, 9), scores(1, 4, 9)  # four members


def check_discriminator(loss: Callable) -> None:
    wanted = [
        F.binary_cross_entropy_with_logits(r, torch.ones_like(r))
        + F.binary_cross_entropy_with_logits(f, torch.zeros_like(f))
        for r, f in zip(REAL, FAKE, strict=True)
    ]
    assert_close(loss(REAL, FAKE), torch.stack(wanted))
    assert_close(loss(REAL[0], FAKE[0]), wanted[0])


def check_saturating(loss: Callable) -> None:
    assert_close(loss(FAKE), torch.log(1 - FAKE.sigmoid()).mean(1))


def check_non_saturating(loss: Callable) -> None:
    assert_close(loss(FAKE), -torch.log(FAKE.sigmoid()).mean(1))


def check_least_squares(loss: Callable) -> None:
    wanted = F.mse_loss(REAL[0], torch.ones(9).double()) / 2 + F.mse_loss(FAKE[0], torch.zeros(9).double()) / 2
    assert_close(loss(REAL, FAKE)[0], wanted)


def check_least_squares_generator(loss: Callable) -> None:
    assert_close(loss(FAKE)[0], F.mse_loss(FAKE[0], torch.ones(9).double()) / 2)


def check_hinge(loss: Callable) -> None:
    wanted = [
        F.hinge_embedding_loss(r, -torch.ones_like(r), margin=1.0)
        + F.hinge_embedding_loss(-f, -torch.ones_like(f), margin=1.0)
        for r, f in zip(REAL, FAKE, strict=True)
    ]
    assert_close(loss(REAL, FAKE), torch.stack(wanted))


def check_critic(loss: Callable) -> None:
    assert_close(loss(REAL, FAKE), torch.stack([f.mean() - r.mean() for r, f in zip(REAL, FAKE, strict=True)]))


def check_critic_generator(loss: Callable) -> None:
    assert_close(loss(FAKE), torch.stack([-f.mean() for f in FAKE]))


class Linear(nn.Module):
    """f(x) = slope · x / |slope vector|: the norm of its gradient is known, whatever the point."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        direction = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        self.direction = slope * direction / direction.norm()

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.direction).sum((-3, -2, -1))


def items(seed: int, *lead: int) -> Tensor:
    return scores(seed, *lead, 5, 2, 3, 4)


def check_penalty(penalty: Callable) -> None:
    """A linear critic of known slope; a quadratic one whose slope depends on the point; many draws of u."""
    for slope, wanted in ((0.25, 0.5625), (1.0, 0.0), (3.0, 4.0)):
        found = penalty(Linear(slope), items(0), items(1), torch.Generator().manual_seed(0))
        assert_close(found, torch.tensor(wanted).double())
    real, fake = torch.full((4000, 1), 1.0).double(), torch.full((4000, 1), 3.0).double()
    found = penalty(lambda x: 0.5 * x.square().sum(-1), real, fake, torch.Generator().manual_seed(0))
    wanted = ((1 + 2 * torch.linspace(0, 1, 100_001).double()) - 1).square().mean()  # x̂ uniform in [1, 3], slope x̂
    assert_close(found, wanted, rtol=0.05, atol=0)
    far = penalty(lambda x: 0.5 * x.square().sum(-1), real, fake - 2, torch.Generator().manual_seed(0))
    assert_close(far, torch.zeros(()).double())  # both ends at 1: slope 1
    one_sided = penalty(Linear(0.25), items(0), items(1), torch.Generator().manual_seed(0), one_sided=True)
    assert one_sided == 0


def check_r1(penalty: Callable) -> None:
    assert_close(penalty(Linear(3.0), items(0)), torch.tensor(4.5).double())
    x = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    assert_close(penalty(lambda x: 0.5 * x.square().sum(-1), x), torch.tensor(0.5 * (1 + 25) / 2))


def penalty(norm: Callable[[Tensor], Tensor], at: Callable | None = None, square: bool = True) -> Callable:
    """A gradient penalty with a mistake planted in its norm, its points, or its reduction."""

    def wrong(
        score: Callable, real: Tensor, fake: Tensor, generator: torch.Generator, one_sided: bool = False
    ) -> Tensor:
        u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator).to(real)
        x = (at or torch.lerp)(real, fake, u).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
        excess = norm(gradient) - 1
        excess = excess.clamp(min=0) if one_sided else excess
        return excess.square().mean() if square else excess.abs().mean()

    return wrong


flat = lambda g: g.flatten(1).norm(dim=1)  # noqa: E731

RIGHT = [
    (check_discriminator, losses.discriminator),
    (check_saturating, losses.saturating),
    (check_non_saturating, losses.non_saturating),
    (check_least_squares, losses.least_squares_discriminator),
    (check_least_squares_generator, losses.least_squares_generator),
    (check_hinge, losses.hinge_discriminator),
    (check_critic, losses.critic),
    (check_critic_generator, losses.critic_generator),
    (check_penalty, losses.gradient_penalty),
    (check_penalty, penalty(flat)),  # the planted mistakes below differ from this in one place each
    (check_r1, losses.r1),
]
WRONG = {
    "players swapped": (check_discriminator, lambda r, f: losses.discriminator(f, r)),
    "halved": (check_discriminator, lambda r, f: losses.discriminator(r, f) / 2),
    "members averaged": (check_discriminator, lambda r, f: losses.discriminator(r, f).mean()),
    "log D for log(1 - D)": (check_saturating, lambda f: losses.saturating(-f)),
    "sign of the saturating loss": (check_saturating, lambda f: -losses.saturating(f)),
    "saturating for non-saturating": (check_non_saturating, losses.saturating),
    "sum for mean": (check_non_saturating, lambda f: 9 * losses.non_saturating(f)),
    "no half": (check_least_squares, lambda r, f: 2 * losses.least_squares_discriminator(r, f)),
    "targets swapped": (check_least_squares, lambda r, f: losses.least_squares_discriminator(f, r)),
    "target 0": (check_least_squares_generator, lambda f: 0.5 * f.square().mean(-1)),
    "no half in the generator": (check_least_squares_generator, lambda f: 2 * losses.least_squares_generator(f)),
    "hinges swapped": (check_hinge, lambda r, f: losses.hinge_discriminator(f, r)),
    "margin 0": (check_hinge, lambda r, f: F.relu(-r).mean(-1) + F.relu(f).mean(-1)),
    "critic's sign": (check_critic, lambda r, f: -losses.critic(r, f)),
    "critic summed": (check_critic, lambda r, f: 9 * losses.critic(r, f)),
    "generator's sign": (check_critic_generator, lambda f: f.mean(-1)),
    "generator's mean over all": (check_critic_generator, lambda f: -f.mean()),
    "norm over channels only": (check_penalty, penalty(lambda g: g.norm(dim=1))),
    "squared norm": (check_penalty, penalty(lambda g: flat(g) ** 2)),
    "norm over the batch": (check_penalty, penalty(lambda g: g.norm())),
    "not squared": (check_penalty, penalty(flat, square=False)),
    "points outside": (check_penalty, penalty(flat, at=lambda r, f, u: r + (1 + u) * (f - r))),
    "at the data": (check_penalty, penalty(flat, at=lambda r, f, u: r)),
    "r1 without half": (check_r1, lambda s, x: 2 * losses.r1(s, x)),
    "r1 with the norm": (check_r1, lambda s, x: losses.r1(s, x).sqrt()),
}


@pytest.mark.parametrize(("check", "loss"), RIGHT)
def test_the_right_one_passes(check: Callable, loss: Callable) -> None:
    check(loss)


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_one_is_rejected(what: str) -> None:
    check, loss = WRONG[what]
    with pytest.raises(AssertionError):
        check(loss)


@pytest.mark.parametrize("loss", [losses.saturating, losses.non_saturating])
def test_gradients_over_the_logit(loss: Callable) -> None:
    """Where D is sure that a sample is fake, the saturating gradient is gone and the other is at its largest."""
    logit = torch.tensor([-40.0, 0.0, 40.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(3 * loss(logit), logit)
    wanted = -logit.sigmoid() if loss is losses.saturating else -(-logit).sigmoid()
    assert_close(gradient, wanted.detach())


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits_stay_finite(logit: float) -> None:
    given = torch.full((3,), logit)
    for loss in (losses.saturating, losses.non_saturating):
        assert loss(given).isfinite()
    assert losses.discriminator(given, given).isfinite()


def test_the_penalty_reaches_the_critic_and_nothing_else() -> None:
    """It trains the critic's weights by a second derivative; data and samples receive no gradient."""
    torch.manual_seed(0)
    f = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    real, fake = torch.randn(6, 2, requires_grad=True), torch.randn(6, 2, requires_grad=True)
    losses.gradient_penalty(f, real, fake, torch.Generator().manual_seed(0)).backward()
    assert real.grad is fake.grad is None
    assert f[0].weight.grad.abs().sum() > 0


def test_penalties_of_members_are_those_of_each_alone() -> None:
    real, fake = items(0, 3).float(), items(1, 3).float()
    curved = lambda x: (0.1 * x.square()).sum((-3, -2, -1))  # noqa: E731
    together = losses.gradient_penalty(curved, real, fake, draws.Generators([4, 5, 6], "cpu"))
    for i, seed in enumerate((4, 5, 6)):
        alone = losses.gradient_penalty(curved, real[i], fake[i], torch.Generator().manual_seed(seed))
        assert_close(together[i], alone)
    assert_close(losses.r1(curved, real)[1], losses.r1(curved, real[1]))


def test_what_does_not_fit_is_refused() -> None:
    generator = torch.Generator()
    with pytest.raises(ValueError, match="give pairs, one shape"):
        losses.gradient_penalty(Linear(1.0), items(0), items(0)[:2], generator)
    with pytest.raises(ValueError, match="one number an item"):
        losses.gradient_penalty(lambda x: x.mean(-1), items(0), items(0), generator)
    with pytest.raises(ValueError, match="one number an item"):
        losses.r1(lambda x: x, torch.randn(4, 2))
    with pytest.raises(ValueError, match="one number an item"):  # also where the gradient has a closed form
        losses.gradient_penalty(MLP((4, 8, 1)), torch.randn(5, 3, 4), torch.randn(5, 3, 4), generator)


# Scores in bfloat16, as mixed precision gives them.


OF_TWO = [losses.discriminator, losses.least_squares_discriminator, losses.hinge_discriminator, losses.critic]
OF_ONE = [losses.saturating, losses.non_saturating, losses.least_squares_generator, losses.critic_generator]


def check_narrow(loss: Callable, right: Callable) -> None:
    """Of scores in bfloat16 or float16: the loss of the same numbers in float32, to the last digit, in float32."""
    for kind in (torch.bfloat16, torch.float16):
        given = [score.to(kind) for score in ((REAL, FAKE) if right in OF_TWO else (FAKE,))]
        wanted = right.__wrapped__(*(score.float() for score in given))
        assert_close(loss(*given), wanted, rtol=0, atol=0)
        mixed = [given[0], *(score.float() for score in given[1:])]
        assert_close(loss(*mixed), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("loss", OF_TWO + OF_ONE)
def test_narrow_scores_are_taken_to_float32(loss: Callable) -> None:
    check_narrow(loss, loss)


@pytest.mark.parametrize("right", OF_TWO + OF_ONE)
@pytest.mark.parametrize(
    "wrong",
    [
        lambda loss, *scores: loss.__wrapped__(*scores),
        lambda loss, *scores: loss.__wrapped__(*scores).float(),
        lambda loss, *scores: loss(*scores).to(scores[0]),
        lambda loss, *scores: loss(*(score.double() for score in scores)),
    ],
    ids=["narrow", "widened too late", "narrowed again", "too wide"],
)
def test_the_check_of_narrow_scores_rejects(wrong: Callable, right: Callable) -> None:
    with pytest.raises(AssertionError):
        check_narrow(lambda *scores: wrong(right, *scores), right)


@pytest.mark.parametrize("loss", OF_TWO + OF_ONE)
def test_a_loss_takes_its_scores_by_name_and_says_what_it_is(loss: Callable) -> None:
    names = ["real", "fake"] if loss in OF_TWO else ["fake"]
    assert list(inspect.signature(loss).parameters) == names
    assert getattr(losses, loss.__name__) is loss
    assert loss.__doc__ == loss.__wrapped__.__doc__
    assert loss.__doc__
    for kind in (torch.float64, torch.bfloat16):
        given = {name: score.to(kind) for name, score in zip(names, (REAL, FAKE), strict=False)}
        swapped = dict(reversed(given.items()))
        assert_close(loss(**swapped), loss(*given.values()), rtol=0, atol=0)
        assert loss(**given).dtype == (torch.float64 if kind == torch.float64 else torch.float32)


# The closed form of the gradient of a network with straight pieces.


SIDES = {"relu": nn.ReLU, "leaky": lambda: nn.LeakyReLU(0.2), "inplace": lambda: nn.LeakyReLU(0.3, inplace=True)}
SIZES = [(4, 1), (4, 4, 1), (4, 4, 4, 1), (3, 7, 5, 1)]  # layers of one size, so that a mistake meets no wrong shape
MEMBERS = [None, [4, 5, 6]]


def critic(sizes: tuple[int, ...], side: str, members: list[int] | None) -> MLP:
    """A critic whose slopes are far from 0, so that no part of its gradient is lost in rounding."""
    network = MLP(sizes, SIDES[side], seed=7 if members is None else members).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    return network


def points(network: MLP, seed: int) -> Tensor:
    lead = () if network.members is None else (network.members,)
    return scores(seed, *lead, 11, network.layers[0].weight.shape[-1 if network.members is None else -2])


def generators(network: MLP) -> draws.AnyGenerator:
    return torch.Generator().manual_seed(0) if network.members is None else draws.Generators(MEMBERS[1], "cpu")


def product(
    left: Callable[[nn.Module], float] = lambda bend: getattr(bend, "negative_slope", 0.0),
    pick: Callable[[list[Tensor]], list[Tensor]] = lambda slopes: slopes,
    transpose: bool = False,
    last: Callable[[Tensor], Tensor] = lambda weight: weight,
) -> Callable[[MLP, Tensor], Tensor]:
    """The product of weights and slopes, forwards; the mistakes below differ from it in one place each."""

    def gradient(network: MLP, x: Tensor) -> Tensor:
        matrices, slopes = [], []
        for layer in network.layers:
            if isinstance(layer, nn.ReLU | nn.LeakyReLU):
                slopes.append(torch.where(x > 0, torch.ones_like(x), torch.full_like(x, left(layer))))
                x = F.leaky_relu(x, getattr(layer, "negative_slope", 0.0))
            else:
                x = layer(x)
                weight = layer.weight if network.members is None else layer.weight.mT  # (outputs, inputs)
                square = weight.shape[-1] == weight.shape[-2]
                matrices.append(weight.mT if transpose and square else weight)
        *before, end = matrices
        whole = torch.eye(before[0].shape[-1] if before else end.shape[-1]).to(x)
        for weight, slope in zip(before, pick(slopes), strict=True):
            whole = slope.unsqueeze(-1) * (weight.unsqueeze(-3) @ whole)  # (B, outputs, inputs)
        found = (last(end).unsqueeze(-3) @ whole).squeeze(-2)
        return found.expand(*x.shape[:-1], -1)

    return gradient


def by_weights(value: Tensor, network: MLP) -> Tensor:
    """The gradient of `value` over all weights, 0 where it does not depend on them."""
    weights = list(network.parameters())
    found = torch.autograd.grad(value.sum(), weights, allow_unused=True, materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in found])


def check_closed_form(closed_form: Callable[[MLP, Tensor], Tensor]) -> None:
    """The gradient is autograd's; the penalty, and its gradient over every weight, are those of a double backward."""
    for members in MEMBERS:
        for side in SIDES:
            for sizes in SIZES:
                network = critic(sizes, side, members)
                x = points(network, 0).requires_grad_()
                (wanted,) = torch.autograd.grad(network(x).sum(), x)
                assert_close(closed_form(network, x.detach()), wanted, rtol=1e-10, atol=1e-12)

                class Known:
                    """The critic as `gradient_penalty` meets it."""

                    def __init__(self, network: MLP) -> None:
                        self.network = network

                    def __call__(self, x: Tensor) -> Tensor:
                        raise AssertionError("it was differentiated")

                    def input_gradient(self, x: Tensor) -> Tensor:
                        return closed_form(self.network, x)

                for one_sided in (False, True):
                    found, right = (
                        losses.gradient_penalty(
                            score, points(network, 1), points(network, 2), generators(network), one_sided
                        )
                        for score in (Known(network), lambda x, network=network: network(x))
                    )
                    assert_close(found, right, rtol=1e-10, atol=1e-12)
                    ours, theirs = (by_weights(value, network) for value in (found, right))
                    assert one_sided or theirs.abs().max() > 1e-3
                    assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("closed_form", [MLP.input_gradient, product()])
def test_the_closed_form_is_the_gradient_and_trains_as_a_double_backward_does(closed_form: Callable) -> None:
    check_closed_form(closed_form)


@pytest.mark.parametrize(
    "wrong",
    [
        product(left=lambda bend: 0.0),
        product(left=lambda bend: 1.0),
        product(pick=lambda slopes: slopes[::-1]),
        product(pick=lambda slopes: slopes[:1] * len(slopes)),
        product(transpose=True),
        product(last=torch.Tensor.abs),
        lambda network, x: MLP.input_gradient(network, x).detach().requires_grad_(),
        lambda network, x: MLP.input_gradient(network, x.flip(-2)),
    ],
    ids=[
        "slope 0 on the left",
        "slope 1 on the left",
        "slopes in reverse",
        "slopes of the first layer",
        "transposed",
        "sign",
        "constant",
        "other points",
    ],
)
def test_the_check_of_the_closed_form_rejects(wrong: Callable) -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_closed_form(wrong)


def test_the_penalty_uses_the_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    network, asked = critic((4, 4, 1), "leaky", None), []
    closed_form = network.input_gradient
    monkeypatch.setattr(network, "input_gradient", lambda x: (asked.append(x.shape), closed_form(x))[1])
    monkeypatch.setattr(network, "forward", lambda x: pytest.fail("it was differentiated"))
    losses.gradient_penalty(network, points(network, 0), points(network, 1), generators(network))
    losses.r1(network, points(network, 0))
    assert asked == [(11, 4), (11, 4)]


@pytest.mark.parametrize("members", MEMBERS)
def test_at_a_kink_the_closed_form_takes_the_side_of_autograd(members: list[int] | None) -> None:
    for side in SIDES:
        network = critic((4, 4, 1), side, members)
        with torch.no_grad():
            network.layers[0].bias.zero_()
        x = torch.zeros_like(points(network, 0)).requires_grad_()
        (wanted,) = torch.autograd.grad(network(x).sum(), x)
        assert_close(network.input_gradient(x.detach()), wanted)
        assert (wanted == 0).all() == (side == "relu")


@pytest.mark.parametrize("members", MEMBERS)
def test_a_network_without_a_closed_form_is_differentiated(members: list[int] | None) -> None:
    """A bend that is not straight, or several outputs."""
    seed = 7 if members is None else members
    curved, several = MLP((4, 5, 1), nn.Tanh, seed=seed).double(), MLP((4, 5, 2), seed=seed).double()
    assert curved.input_gradient(points(curved, 0)) is None
    assert several.input_gradient(points(several, 0)) is None
    assert MLP((4, 5, 1), seed=seed).double().input_gradient(points(curved, 0)) is not None
    pair = points(curved, 1), points(curved, 2)
    found, wanted = (
        losses.gradient_penalty(score, *pair, generators(curved)) for score in (curved, lambda x: curved(x))
    )
    assert_close(found, wanted)
    ours, theirs = (torch.autograd.grad(value.sum(), list(curved.parameters())[:3]) for value in (found, wanted))
    assert_close(ours, theirs)
    with pytest.raises(ValueError, match="one number an item"):
        losses.gradient_penalty(several, *pair, generators(several))


@pytest.mark.parametrize("members", MEMBERS)
def test_in_mixed_precision_the_penalty_still_reaches_the_weights(members: list[int] | None) -> None:
    """Also where it comes first: casts made for the slopes, without a graph, are not taken for those of the scores."""
    network = critic((4, 16, 16, 1), "leaky", members).float()
    real, fake = points(network, 1).float(), points(network, 2).float()

    def gradients(enabled: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            penalty = losses.gradient_penalty(network, real, fake, generators(network))
            loss = (penalty + losses.critic(network(real), network(fake))).sum()
        assert penalty.dtype == loss.dtype == torch.float32
        return by_weights(loss, network)

    mixed, whole = gradients(True), gradients(False)
    assert not torch.equal(mixed, whole)
    assert (mixed - whole).norm() < 0.03 * whole.norm()

"""Losses of adversarial players against torch's own and closed forms; every wrong variant named here is rejected."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from gennotes import draws, losses


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

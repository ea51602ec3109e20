"""What each player's step may touch: `detach` in either step, gradients left over, and whom `minimise` moves."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gennotes import data, draws, losses, train
from gennotes.models import MLP
from gennotes.train import Player


def players() -> tuple[MLP, MLP]:
    return MLP((4, 8, 2), seed=0), MLP((2, 8, 1), seed=1)


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Data (16, 2) and codes (16, 4)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(16, 2, generator=generator) + 2, torch.randn(16, 4, generator=generator)


def gradients(network: nn.Module) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def discriminator_step(detach: bool) -> tuple[list[Tensor | None], list[Tensor | None], int]:
    """The gradients of D and of G after D's loss went backwards, and how many operations the graph had."""
    g, d = players()
    x, z = batch()
    fake = g(z)
    loss = losses.discriminator(d(x), d(fake.detach() if detach else fake))
    seen, front = set(), [loss.grad_fn]
    while front:
        node = front.pop()
        if node is not None and node not in seen:
            seen.add(node)
            front += [following for following, _ in node.next_functions]
    loss.backward()
    return gradients(d), gradients(g), len(seen)


def test_detach_in_the_step_of_d_saves_work_and_changes_nothing_of_d() -> None:
    with_it, kept_out, short = discriminator_step(detach=True)
    without, filled, long = discriminator_step(detach=False)
    assert_close(with_it, without, rtol=0, atol=0)
    assert kept_out == [None] * 4
    assert all(gradient.abs().max() > 0 for gradient in filled)
    assert long - short >= 4  # two layers and what stands between them


def test_detach_in_the_step_of_g_leaves_no_gradient_at_all() -> None:
    """And no error: the loss still depends on D, so that plain torch goes backwards without a word."""
    g, d = players()
    _, z = batch()
    losses.non_saturating(d(g(z).detach())).backward()
    assert gradients(g) == [None] * 4
    losses.non_saturating(d(g(z))).backward()
    assert all(gradient.abs().max() > 0 for gradient in gradients(g))


def fit(step: Callable) -> tuple[MLP, MLP, train.Run]:
    g, d = players()
    seats = {"G": Player(g, lr=1e-2), "D": Player(d, lr=1e-2)}
    return g, d, train.fit(step, seats, data.toy("ring", "cpu").batches(16), steps=3, seed=0, progress=False)


def test_minimise_says_that_a_detached_sample_teaches_g_nothing() -> None:
    def step(seats, x, generator):
        g, d = seats["G"].module, seats["D"].module
        fake = g(draws.normal(16, 4, generator=generator))
        seats["G"].minimise(losses.non_saturating(d(fake.detach())))
        return {}

    with pytest.raises(ValueError, match=r"G: the loss does not depend on layers\.0\.weight"):
        fit(step)


@pytest.mark.parametrize("detach", [True, False])
def test_each_minimise_moves_its_own_player_alone(detach: bool) -> None:
    def step(seats, x, generator):
        g, d = seats["G"].module, seats["D"].module
        fake = g(draws.normal(16, 4, generator=generator))
        before = copy.deepcopy(g.state_dict())
        seats["D"].minimise(losses.discriminator(d(x.x), d(fake.detach() if detach else fake)))
        assert_close(dict(g.state_dict()), dict(before), rtol=0, atol=0)
        before = copy.deepcopy(d.state_dict())
        seats["G"].minimise(losses.non_saturating(d(g(draws.normal(16, 4, generator=generator)))))
        assert_close(dict(d.state_dict()), dict(before), rtol=0, atol=0)
        return {}

    g, d, _ = fit(step)
    for network, fresh in zip((g, d), players(), strict=True):
        assert not torch.allclose(next(network.parameters()), next(fresh.parameters()))


def two_steps(forget: bool) -> tuple[list[Tensor], list[Tensor]]:
    """The gradient that D's second step follows in a plain loop, and the one of D's loss alone there."""
    g, d = players()
    optimisers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (d, g)]
    for seed in range(2):
        x, z = batch(seed)
        if not forget:
            optimisers[0].zero_grad()
        loss = losses.discriminator(d(x), d(g(z).detach()))
        alone = torch.autograd.grad(loss, list(d.parameters()), retain_graph=True)
        loss.backward()
        followed = gradients(d)
        optimisers[0].step()
        if forget:
            optimisers[0].zero_grad()  # behind the step: what the loss of G leaves behind comes after it
        optimisers[1].zero_grad()
        losses.non_saturating(d(g(z))).backward()
        optimisers[1].step()
    return followed, list(alone)


def test_a_plain_loop_that_clears_behind_the_step_follows_what_g_left_over() -> None:
    followed, alone = two_steps(forget=False)
    assert_close(followed, alone)
    followed, alone = two_steps(forget=True)
    with pytest.raises(AssertionError):
        assert_close(followed, alone, rtol=0.05, atol=1e-3)


def test_minimise_leaves_nothing_over() -> None:
    """No parameter holds a gradient after a step, whoever took it."""

    def step(seats, x, generator):
        g, d = seats["G"].module, seats["D"].module
        fake = g(draws.normal(16, 4, generator=generator))
        seats["D"].minimise(losses.discriminator(d(x.x), d(fake)))
        seats["G"].minimise(losses.non_saturating(d(g(draws.normal(16, 4, generator=generator)))))
        assert gradients(g) + gradients(d) == [None] * 8
        return {}

    fit(step)

"""Critics held back in two ways, what the study measures of them, and four mistakes that training hides."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennotes import data, divergences, losses, models, train
from gennotes.data import Batch
from gennotes.models import MLP
from gennotes.studies import critics

TINY = critics.Settings(width=8, batch=6, critic_steps=3, steps=4, measured_every=2, points=12)


def points(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ----------------------------------------------------------------------------------------------- how steep a network is


def test_clipping_puts_weights_and_biases_into_the_box_and_leaves_those_inside():
    net = MLP([2, 16, 1], seed=0)
    before = [p.detach().clone() for p in net.parameters()]
    models.clip_weights(net, 0.2)
    for parameter, old in zip(net.parameters(), before, strict=True):
        assert torch.equal(parameter, old.clamp(-0.2, 0.2))
    assert max(p.abs().max().item() for p in net.parameters()) == pytest.approx(0.2)


@pytest.mark.parametrize("bound", [0, -1.0, math.nan])
def test_a_bound_is_above_zero(bound):
    with pytest.raises(ValueError, match="give a number above 0"):
        models.clip_weights(MLP([2, 1], seed=0), bound)


def check_bound(bound: Callable[[nn.Module], Tensor]) -> None:
    """Exact for one layer and for a chain whose matrices turn and stretch; never below a slope that is met."""
    line = MLP([3, 1], seed=0)
    torch.testing.assert_close(bound(line), line.layers[0].weight.norm().detach())
    chain = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.no_grad():
        chain[0].weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        chain[1].weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 5.0]]))
    assert bound(chain).item() == pytest.approx(15, rel=1e-5)
    several = MLP([2, 16, 16, 1], seed=[3, 4])
    found = bound(several)
    assert found.shape == (2,)
    single = MLP([2, 16, 16, 1], seed=4)
    torch.testing.assert_close(found[1], bound(single))
    assert float(found[1]) >= float(critics.steepest(single, points(0, 500, 2)))


def test_the_bound_holds_and_is_exact_where_it_can_be():
    check_bound(models.lipschitz_bound)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda net: models.lipschitz_bound(net) / 2, id="halved"),
        pytest.param(
            lambda net: torch.stack(
                [p.detach().norm() for n, p in net.named_parameters() if n.endswith("weight")]
            ).prod(),
            id="Frobenius norms, of all members together",
        ),
        pytest.param(
            lambda net: torch.stack(
                [torch.linalg.matrix_norm(p.detach(), 2) for n, p in net.named_parameters() if n.endswith("weight")]
            ).sum(0),
            id="a sum",
        ),
    ],
)
def test_the_check_of_the_bound_rejects_mistakes(wrong):
    with pytest.raises(AssertionError):
        check_bound(wrong)


def test_a_network_without_weights_has_no_bound():
    with pytest.raises(ValueError, match="no weight"):
        models.lipschitz_bound(nn.ReLU())


def test_the_steepest_slope_is_the_largest_gradient_met():
    net, x = MLP([2, 8, 1], seed=0), points(1, 40, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).sum(), x)
    assert float(critics.steepest(net, x.detach())) == pytest.approx(float(gradient.norm(dim=1).max()))
    several = critics.steepest(MLP([2, 8, 1], seed=[0, 1]), x.detach())
    assert float(several[0]) == pytest.approx(float(gradient.norm(dim=1).max()))


# --------------------------------------------------------------------------------------------------- what is measured


def check_distance(distance: Callable[[Tensor, Tensor], float]) -> None:
    for seed in range(3):
        x, y = points(seed, 20, 2), points(seed + 9, 20, 2) * 2 + 1
        assert distance(x, y) == pytest.approx(divergences.wasserstein_points(x, y).distance.item(), abs=1e-9)


def test_the_assignment_is_the_linear_program():
    check_distance(critics.cloud_distance)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x, y: 20 * critics.cloud_distance(x, y), id="summed"),
        pytest.param(lambda x, y: float((x - y).norm(dim=1).mean()), id="pairs as they come"),
        pytest.param(lambda x, y: float(torch.cdist(x, y).min(1).values.mean()), id="nearest neighbours"),
    ],
)
def test_the_check_of_the_distance_rejects_mistakes(wrong):
    with pytest.raises(AssertionError):
        check_distance(wrong)


def test_clouds_have_as_many_points():
    with pytest.raises(ValueError, match="20 and 19 points"):
        critics.cloud_distance(points(0, 20, 2), points(0, 19, 2))


def test_what_a_loss_says_is_an_estimate_of_a_distance():
    logits = torch.zeros(9)
    assert critics.said("gan", losses.discriminator(logits, logits).numpy()) == pytest.approx(0, abs=1e-6)
    certain = torch.full((9,), 40.0)
    assert critics.said("gan", losses.discriminator(certain, -certain).numpy()) == pytest.approx(math.log(2))
    assert critics.said("penalty", losses.critic(torch.ones(9), torch.zeros(9)).numpy()) == pytest.approx(1)


def test_ranks_and_their_interval():
    x = np.arange(9.0)
    assert critics.rank_correlation(x, x**3) == pytest.approx(1)
    assert critics.rank_correlation(x, -x) == pytest.approx(-1)
    low, high = critics.interval([0.2, 0.4, 0.6, 0.8])
    assert 0.2 < low < 0.5 < high < 0.8
    assert critics.interval([0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize("method", critics.METHODS)
def test_a_member_is_measured_as_a_single_run_is(method, one_thread):
    toy = data.toy("ring", "cpu")
    alone = critics.score(method, critics.fit(method, TINY, 1)[2], toy, TINY)
    several = critics.score(method, critics.fit(method, TINY, [0, 1])[2], toy, TINY)
    for name in ("quality", "said"):
        np.testing.assert_allclose(several[name][1], alone[name][0], rtol=1e-3, atol=1e-4)
    assert np.shape(several["quality"]) == (2, 2)
    assert set(several) == set(alone)


def test_the_study_measures_every_method(one_thread):
    found = critics.measure(TINY, [0, 1], torch.device("cpu"))
    assert set(found) == {"floor", *critics.METHODS}
    assert found["floor"] > 0
    assert all(len(found[method]["rank"]) == 2 for method in critics.METHODS)


def test_a_critic_between_fixed_sets_overshoots_as_the_formula_says(one_thread):
    """On a shift the best critic is linear: s = 1 + W₁ / 2λ."""
    x = points(0, 64, 2)
    settings = replace(critics.Settings(), weight=5.0)
    f, _ = critics.fit_critic("penalty", settings, x + torch.tensor([1.0, 0.0]), x, 0, steps=400)
    value = -losses.critic(f(x + torch.tensor([1.0, 0.0])), f(x)).item()
    assert value == pytest.approx(1 + 1 / 10, abs=0.06)


# ------------------------------------------------------------------------------------------ four mistakes, each caught


def widest_weight(update: Callable) -> float:
    """The largest weight that a generator would meet, over 30 updates of a clipped critic."""
    net, met = MLP([2, 8, 1], seed=0), []

    def step(players, batch: Batch, generator):
        loss = update(players["critic"], *batch.x.chunk(2), generator)
        met.append(max(p.abs().max().item() for p in net.parameters()))
        return {"loss": loss}

    clouds = critics.Clouds(points(0, 16, 2), points(1, 16, 2) + 1)
    train.fit(step, {"critic": train.Player(net, lr=2e-3)}, clouds, steps=30, seed=0, progress=False)
    return max(met)


SMALL_BOX = replace(TINY, bound=0.01)


def test_a_generator_meets_a_critic_inside_of_its_box():
    assert widest_weight(critics.critic_step("clipping", SMALL_BOX)) <= 0.01 + 1e-9


def test_clipping_before_the_update_is_caught():
    def early(critic, real, fake, generator):
        models.clip_weights(critic.module, 0.01)
        loss = losses.critic(critic.module(real), critic.module(fake))
        critic.minimise(loss)
        return loss

    with pytest.raises(AssertionError):
        assert widest_weight(early) <= 0.01 + 1e-9


def batches_seen(monkeypatch, method: str, reuse: bool = False) -> list[Tensor]:
    """The data of each update of the critic, over a short run."""
    seen, right = [], critics.critic_step

    def watched(method: str, settings: critics.Settings) -> Callable:
        update, first = right(method, settings), []

        def step(critic, real, fake, generator):
            first.append(real)
            real = first[0] if reuse else real
            seen.append(real.clone())
            return update(critic, real, fake, generator)

        return step

    monkeypatch.setattr(critics, "critic_step", watched)
    critics.fit(method, TINY, 0)
    return seen


@pytest.mark.parametrize("method", critics.METHODS)
def test_every_update_of_a_critic_sees_fresh_points(method, monkeypatch):
    seen = batches_seen(monkeypatch, method)
    assert len(seen) == TINY.steps * TINY.critic_steps
    everything = torch.cat(seen)
    assert everything.shape == (TINY.steps * TINY.critic_steps * TINY.batch, 2)
    assert len(everything.unique(dim=0)) == len(everything)


def test_one_batch_for_all_updates_is_caught(monkeypatch):
    everything = torch.cat(batches_seen(monkeypatch, "penalty", reuse=True))
    with pytest.raises(AssertionError):
        assert len(everything.unique(dim=0)) == len(everything)


def found_slope(norm: Callable[[Tensor], Tensor] | None) -> float:
    """The slope that a penalty of weight 10 leads a linear critic to, on images shifted by a vector of length 1."""
    shift = torch.ones(1, 1, 4, 4) / 4
    images = points(0, 64, 1, 4, 4)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, bias=False), nn.Flatten(0))
    nn.init.constant_(linear[1].weight, 0.1)
    moves = torch.optim.LBFGS(linear.parameters(), max_iter=200, tolerance_grad=1e-9)

    def closure():
        moves.zero_grad()
        if norm is None:
            penalty = losses.gradient_penalty(linear, images + shift, images, torch.Generator().manual_seed(0))
        else:
            x = images.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(linear(x).sum(), x, create_graph=True)
            penalty = (norm(gradient) - 1).square().mean()
        loss = losses.critic(linear(images + shift), linear(images)) + 10 * penalty
        loss.backward()
        return loss

    moves.step(closure)
    return linear[1].weight.norm().item()


def test_the_penalty_leads_to_the_slope_of_the_formula():
    assert found_slope(None) == pytest.approx(1 + 1 / 20, abs=1e-3)


@pytest.mark.parametrize("norm", [lambda g: g.norm(dim=1), lambda g: g.norm()], ids=["channels", "whole batch"])
def test_a_norm_over_the_wrong_axes_is_caught(norm):
    assert found_slope(norm) != pytest.approx(1 + 1 / 20, abs=0.1)


def mixes(critic: nn.Module) -> bool:
    """Whether the score of a point changes with the others of its batch."""
    x = points(0, 6, 2)
    with torch.no_grad():
        return not torch.allclose(critic(x)[0], critic(torch.cat([x[:1], x[1:] + 1]))[0], atol=1e-5)


def test_the_critics_of_the_study_score_each_point_by_itself():
    _, f, _ = critics.fit("penalty", TINY, 0)
    assert not mixes(f.train())


@pytest.mark.parametrize("mixing", [nn.BatchNorm1d(8), models.MinibatchStd()], ids=["batch norm", "minibatch"])
def test_a_critic_that_mixes_samples_is_caught(mixing):
    width = 9 if isinstance(mixing, models.MinibatchStd) else 8
    assert mixes(nn.Sequential(nn.Linear(2, 8), mixing, nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0)))

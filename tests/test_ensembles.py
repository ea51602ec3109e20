"""Seeds side by side: member i of an ensemble is the single run with seed i."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gennotes import data, draws, losses, train
from gennotes.data import Batch
from gennotes.models import MLP
from gennotes.train import Player

SEEDS = [3, 0, 11]
STEPS = 12
Step = Callable[[Mapping[str, Player], Batch, Any], Mapping[str, Tensor]]


def players(seed: int | list[int]) -> dict[str, Player]:
    leaky = lambda: nn.LeakyReLU(0.2)  # noqa: E731
    return {
        "generator": Player(MLP((4, 16, 16, 2), seed=seed), lr=1e-3, betas=(0.5, 0.9)),
        "discriminator": Player(MLP((2, 16, 16, 1), leaky, seed=seed), lr=2e-3, betas=(0.5, 0.9)),
    }


def non_saturating(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
    g, d = players["generator"].module, players["discriminator"].module
    fake = g(draws.normal(8, 4, generator=generator))
    loss_d = losses.discriminator(d(batch.x), d(fake.detach()))
    players["discriminator"].minimise(loss_d)
    loss_g = losses.non_saturating(d(g(draws.normal(8, 4, generator=generator))))
    players["generator"].minimise(loss_g)
    return {"discriminator": loss_d, "generator": loss_g}


def wasserstein(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
    g, f = players["generator"].module, players["discriminator"].module
    fake = g(draws.normal(8, 4, generator=generator)).detach()
    loss_f = losses.critic(f(batch.x), f(fake)) + 10 * losses.gradient_penalty(f, batch.x, fake, generator)
    players["discriminator"].minimise(loss_f)
    loss_g = losses.critic_generator(f(g(draws.normal(8, 4, generator=generator))))
    players["generator"].minimise(loss_g)
    return {"critic": loss_f, "generator": loss_g}


def fit(step: Step, seed: int | list[int], steps: int = STEPS, **more: Any) -> tuple[dict[str, Player], train.Run]:
    seats = players(seed)
    batches = data.toy("ring", "cpu").batches(8)
    return seats, train.fit(step, seats, batches, steps=steps, seed=seed, progress=False, **more)


def check_members(step: Step) -> None:
    """Records and samples of every member are those of its single run, within rounding."""
    together, run = fit(step, SEEDS)
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    for i, seed in enumerate(SEEDS):
        alone, single = fit(step, seed)
        for name, values in single.history.records.items():
            ours = run.history.records[name]
            np.testing.assert_allclose(ours if name == "step" else ours[:, i], values, rtol=1e-4, atol=1e-5)
        made = together["generator"].module(z.expand(len(SEEDS), 5, 4))[i]
        assert_close(made, alone["generator"].module(z), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("step", [non_saturating, wasserstein])
def test_a_member_is_the_single_run_of_its_seed(step: Step) -> None:
    check_members(step)


def shared_noise(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
    if isinstance(generator, draws.Generators):
        state = generator.get_state()
        generator.set_state(state[:1].expand_as(state))
    return non_saturating(players, batch, generator)


def shared_data(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
    return non_saturating(players, Batch(batch.x.roll(1, 0), batch.y) if batch.x.ndim == 3 else batch, generator)


def coupled(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
    values = non_saturating(players, batch, generator)
    d = players["discriminator"].module(batch.x)
    players["discriminator"].minimise(
        d.square().mean(-1) if d.ndim == 1 else d.mean(0).square().mean(-1) + 0 * d.mean(-1)
    )
    return values


@pytest.mark.parametrize("wrong", [shared_noise, shared_data, coupled])
def test_the_comparison_rejects_members_that_share_something(wrong: Step) -> None:
    with pytest.raises(AssertionError):
        check_members(wrong)


def test_an_ensemble_resumes_bit_for_bit(tmp_path) -> None:
    whole, run = fit(non_saturating, SEEDS)
    fit(non_saturating, SEEDS, steps=STEPS // 2, folder=tmp_path)
    resumed, again = fit(non_saturating, SEEDS, resume=tmp_path)
    for name, values in run.history.records.items():
        np.testing.assert_array_equal(again.history.records[name], values)
    for name in whole:
        for ours, theirs in zip(resumed[name].module.parameters(), whole[name].module.parameters(), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("member", range(len(SEEDS)))
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_number_that_is_not_finite_in_one_member_names_it(member: int, player: str) -> None:
    """All members are left as they were after the last good step."""

    def step(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
        if batch.x[0, 0, 0] == seventh:
            with torch.no_grad():
                next(players[player].module.parameters())[member].fill_(float("nan"))
        return non_saturating(players, batch, generator)

    seventh = data.toy("ring", "cpu").batches(8).at(6, SEEDS[0]).x[0, 0]
    with pytest.raises(train.Diverged) as caught:
        fit(step, SEEDS, read_every=4)
    error = caught.value
    assert (error.step, error.seed) == (7, SEEDS[member])
    assert f"the member of seed {SEEDS[member]}" in str(error)
    _, good = fit(non_saturating, SEEDS, steps=6)
    for name, tensor in good.state.items():
        assert torch.equal(error.run.state[name], tensor)


@pytest.mark.parametrize("member", range(len(SEEDS)))
def test_a_gradient_whose_square_overflows_in_one_member_names_it(member: int) -> None:
    def step(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
        values = non_saturating(players, batch, generator)
        if batch.x[0, 0, 0] == seventh:
            d = players["discriminator"]
            steepness = torch.ones(len(SEEDS))
            steepness[member] = 1e30
            d.minimise(steepness * d.module(batch.x).mean(-1))
        return values

    seventh = data.toy("ring", "cpu").batches(8).at(6, SEEDS[0]).x[0, 0]
    with pytest.raises(train.Diverged) as caught:
        fit(step, SEEDS, read_every=4)
    assert (caught.value.step, caught.value.player, caught.value.seed) == (7, "discriminator", SEEDS[member])
    _, good = fit(non_saturating, SEEDS, steps=6)
    for name, tensor in good.state.items():
        assert torch.equal(caught.value.run.state[name], tensor)


@pytest.mark.parametrize("step", [non_saturating, wasserstein])
def test_an_ensemble_in_mixed_precision_stays_near_its_run_in_float32(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 3% of a record's mean size; the run with its seeds in another order is not."""
    monkeypatch.setattr(train.devices, "gain_of_bfloat16", lambda device: 9.0)
    whole, mixed = (fit(step, SEEDS, precision=precision)[1].history.records for precision in ("float32", "mixed"))
    others = fit(step, SEEDS[::-1])[1].history.records

    def distance(records: Mapping[str, np.ndarray]) -> float:
        names = [name for name in whole if name != "step"]
        return max(np.abs(records[name] - whole[name]).max() / np.abs(whole[name]).mean() for name in names)

    assert 0 < distance(mixed) < 0.03 < distance(others)


@pytest.mark.parametrize("loss", [lambda d: d.mean(), lambda d: d, lambda d: d.mean(-1)[:2]])
def test_a_loss_of_another_shape_is_refused(loss: Callable[[Tensor], Tensor]) -> None:
    def step(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
        players["discriminator"].minimise(loss(players["discriminator"].module(batch.x)))
        return {}

    with pytest.raises(ValueError, match=r"discriminator: the loss has shape .*; give one number a member \(3,\)"):
        fit(step, SEEDS)


def test_a_record_of_another_shape_is_refused() -> None:
    def step(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
        non_saturating(players, batch, generator)
        return {"x": batch.x}

    with pytest.raises(ValueError, match=r"one number a member \(3,\)"):
        fit(step, SEEDS)


def test_networks_side_by_side_are_the_single_ones() -> None:
    x = torch.randn(3, 7, 4)
    together = MLP((4, 9, 5, 2), nn.Tanh, seed=SEEDS)
    for i, seed in enumerate(SEEDS):
        assert_close(together(x)[i], MLP((4, 9, 5, 2), nn.Tanh, seed=seed)(x[i]))


def test_initial_weights_depend_on_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first, same, other = (MLP((4, 9, 1), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    assert first(x).shape == (7,)
    assert torch.equal(first(x), same(x))
    assert not torch.equal(first(x), other(x))


@pytest.mark.parametrize("wrong", [{"sizes": (3,)}, {"sizes": (3, 0)}, {"sizes": (3, 1), "seed": []}])
def test_a_network_of_impossible_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        MLP(**wrong)


@pytest.mark.parametrize("draw", [draws.normal, draws.uniform])
def test_members_draw_what_each_would_draw_alone(draw: Callable[..., Tensor]) -> None:
    side_by_side = draws.Generators(SEEDS, "cpu")
    single = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    for _ in range(2):
        drawn = draw(5, 2, generator=side_by_side)
        assert drawn.shape == (3, 5, 2)
        assert torch.equal(drawn, torch.stack([draw(5, 2, generator=g) for g in single]))
    assert len({row.sum().item() for row in drawn}) == 3


def test_no_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="one a member"):
        draws.Generators([], "cpu")

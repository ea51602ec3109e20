"""The training loop: every promise of `fit` is put to the test on networks of a few weights."""

import contextlib
import copy
import functools
import json
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gennotes import history as histories
from gennotes import train
from gennotes.data import Batch
from gennotes.history import CheckpointError
from gennotes.models import MLP, VAE, DCGANGenerator, reparameterise
from gennotes.processes import Processes
from gennotes.train import Diverged, Player, Run, fit

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Python's own handler of interrupts, which is not there where a shell runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Points:
    """Batches of x ~ N(0, I) (size, 2), a pure function of (step, seed); y is the step; `bad` has a NaN."""

    def __init__(self, size: int = 8, bad: int | None = None) -> None:
        self.size, self.bad = size, bad

    def at(self, step: int, seed: int) -> Batch:
        generator = torch.Generator().manual_seed(1_000 * seed + step)
        x = torch.randn(self.size, 2, generator=generator)
        if step == self.bad:
            x[0, 0] = math.nan
        return Batch(x, torch.full((self.size,), step))


def net(seed: int = 0, norm: bool = True, out: int = 1, width: int = 4) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        middle = nn.BatchNorm1d(width) if norm else nn.Tanh()
        return nn.Sequential(nn.Linear(2, width), middle, nn.Linear(width, out))


def regress(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """Towards 3·x₀ - 2·x₁ + 1, with noise from the run's generator."""
    wanted = batch.x @ torch.tensor([[3.0], [-2.0]]) + 1
    noise = 0.01 * torch.randn(wanted.shape, generator=generator)
    loss = (players["net"].module(batch.x) - wanted - noise).square().mean()
    players["net"].minimise(loss)
    return {"loss": loss, "noise": noise.mean()}


def adversaries(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """One update of a critic and one of a maker: as in a GAN, each through the other's network."""
    critic, maker = players["critic"], players["maker"]
    z = torch.randn(batch.x.shape, generator=generator)
    log_odds = torch.nn.functional.softplus
    loss_c = (log_odds(-critic.module(batch.x)) + log_odds(critic.module(maker.module(z).detach()))).mean()
    critic.minimise(loss_c)
    loss_m = log_odds(-critic.module(maker.module(z))).mean()
    maker.minimise(loss_m)
    return {"critic": loss_c, "maker": loss_m}


def one() -> dict[str, Player]:
    return {"net": Player(net(), lr=0.02, schedule=train.one_cycle, ema=0.9)}


def two() -> dict[str, Player]:
    return {"critic": Player(net(1), lr=0.01, ema=0.9), "maker": Player(net(2, out=2), lr=0.01, ema=0.9)}


GAMES: dict[str, tuple[Callable, Callable]] = {"one player": (regress, one), "two players": (adversaries, two)}


def equal(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Bit for bit, NaN included."""

    def bits(value: Any) -> tuple:
        array = value.numpy() if isinstance(value, Tensor) else value
        return array.dtype, array.shape, array.tobytes()

    return a.keys() == b.keys() and all(bits(a[k]) == bits(b[k]) for k in a)


def same_run(a: Run, b: Run) -> bool:
    return (
        a.step == b.step
        and equal(a.state, b.state)
        and equal(a.history.records, b.history.records)
        and equal(a.history.snapshots, b.history.snapshots)
    )


def same_live(run: Run, players: Mapping[str, Player]) -> bool:
    """Whether the networks that the caller holds are in the state that the run holds."""
    live = {name: tensor for player in players.values() for name, tensor in player.state().items()}
    return equal({k: v for k, v in run.state.items() if k != "generator"}, live)


def at_step(k: int, act: Callable[[], None], step: Callable = regress) -> Callable:
    """`step`, which calls `act` at the end of the k-th call."""
    calls = []

    def stepping(*arguments: Any) -> Mapping[str, Tensor]:
        values = step(*arguments)
        calls.append(1)
        if len(calls) == k:
            act()
        return values

    return stepping


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


# What is learnt, and by whom.


def test_a_linear_regression_reaches_the_known_optimum() -> None:
    line = nn.Linear(2, 1)
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    run = fit(regress, {"net": Player(line, lr=0.2, schedule=train.one_cycle)}, Points(32), steps=150, seed=0)
    assert line.weight[0].tolist() == pytest.approx([3, -2], abs=0.01)
    assert line.bias.item() == pytest.approx(1, abs=0.01)
    assert run.history.records["loss"][-1] < 1e-3 < run.history.records["loss"][0]
    assert same_run(run, fit(regress, {"net": line}, Points(32), steps=150, seed=0, resume=run))


def test_a_small_vae_learns_to_code_four_images() -> None:
    """Without z, at best the sum of the pixels' entropies, 9.0 nats; with z less, but never below the data's, ln 4."""
    vae = VAE(latent=1, width=8, architecture="mlp", image_size=4)
    x = torch.zeros(16, 1, 4, 4)
    for i in range(4):
        x[i::4, 0, i] = 1  # image i has row i on: every pixel is on in one image of four

    class Always:
        def at(self, step: int, seed: int) -> Batch:
            return Batch(x, torch.zeros(16, dtype=torch.int64))

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        mu, log_var = vae.encoder(batch.x)
        logits = vae.decoder(reparameterise(mu, log_var, generator))
        nll = nn.functional.binary_cross_entropy_with_logits(logits, batch.x, reduction="sum") / 16
        kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1).mean()
        players["vae"].minimise(nll + kl)
        return {"nelbo": nll + kl}

    run = fit(step, {"vae": Player(vae, lr=0.05)}, Always(), steps=200, seed=0)
    independent = 16 * (0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    assert run.history.records["nelbo"][0] > independent
    assert math.log(4) < run.history.records["nelbo"][-50:].mean() < 0.7 * independent


def test_each_player_moves_only_by_its_own_loss() -> None:
    players = two()
    moved: dict[str, list[bool]] = {"critic": [], "maker": []}

    def weights(player: Player) -> dict[str, Tensor]:
        return {name: p.detach().clone() for name, p in player.module.named_parameters()}

    def watching(own: str, other: str, players: Mapping[str, Player], loss: Tensor) -> None:
        before = weights(players[own]), weights(players[other])
        players[own].minimise(loss)
        moved[own].append(not equal(before[0], weights(players[own])))
        assert equal(before[1], weights(players[other])), f"{other} moved by the loss of {own}"
        assert all(p.grad is None for player in players.values() for p in player.module.parameters())

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        z = torch.randn(batch.x.shape, generator=generator)
        critic, maker = players["critic"].module, players["maker"].module
        loss = (critic(maker(z)) - critic(batch.x)).mean() + critic(batch.x).square().mean()  # through both networks
        watching("critic", "maker", players, loss)
        watching("maker", "critic", players, -critic(maker(z)).mean())
        return {"loss": loss}

    fit(step, players, Points(), steps=3, seed=0)
    assert moved == {"critic": [True] * 3, "maker": [True] * 3}


def test_an_update_is_that_of_adam() -> None:
    ours, theirs = net(norm=False), net(norm=False)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, betas=(0.5, 0.99), fused=False, foreach=False)

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss = players["net"].module(batch.x).square().mean()
        players["net"].minimise(loss)
        return {"loss": loss}

    fit(step, {"net": Player(ours, lr=0.01, betas=(0.5, 0.99))}, Points(), steps=20, seed=4)
    for t in range(20):
        adam.zero_grad()
        theirs(Points().at(t, 4).x).square().mean().backward()
        adam.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(ours[0].weight, net(norm=False)[0].weight, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_average_is_that_of_its_formula(dtype: torch.dtype) -> None:
    line = nn.Linear(2, 1).to(dtype)
    nn.init.ones_(line.weight)
    player = Player(line, lr=0.05, ema=0.6)
    mean, seen = [w.detach().double().clone() for w in line.parameters()], []

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        if seen:  # the weights after the step before
            follow(len(seen))
        seen.append(1)
        loss = players["net"].module(batch.x.to(dtype)).square().mean()
        players["net"].minimise(loss)
        return {"loss": loss}

    def follow(t: int) -> None:
        decay = min(0.6, (1 + t) / (10 + t))
        for m, w in zip(mean, line.parameters(), strict=True):
            m.copy_(decay * m + (1 - decay) * w.detach().double())

    fit(step, {"net": player}, Points(), steps=25, seed=0)
    follow(25)
    for a, m, w in zip(player.averaged.parameters(), mean, line.parameters(), strict=True):
        torch.testing.assert_close(a.double(), m, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(a, w, rtol=1e-3)
        assert not a.requires_grad
    assert not player.averaged.training
    assert Player(line).ema is None


# What is recorded.


def test_every_step_is_recorded_once_whatever_the_blocks() -> None:
    runs = []
    for read_every, snapshot_every in ((1, 100), (7, 5), (50, 3), (10_000, 10_000)):
        read: list[int] = []
        run = fit(
            regress,
            one(),
            Points(),
            steps=23,
            seed=1,
            read_every=read_every,
            snapshot=lambda generator: {"noise": torch.randn(3, generator=generator)},
            snapshot_every=snapshot_every,
            on_read=lambda history, read=read: read.append(history.records["step"][-1]),
        )
        records, snapshots = run.history.records, run.history.snapshots
        assert list(records) == ["step", "loss", "noise"]
        assert records["step"].tolist() == list(range(1, 24))
        assert records["loss"].shape == (23,)
        assert records["loss"].dtype == np.float32
        assert snapshots["step"].tolist() == sorted({*range(0, 23, snapshot_every), 23})
        assert snapshots["noise"].shape == (len(snapshots["step"]), 3)
        assert (snapshots["noise"] == snapshots["noise"][0]).all()  # one seed, so that the pictures can be compared
        assert read == sorted({*range(read_every, 24, read_every), *range(snapshot_every, 24, snapshot_every), 23})
        assert (run.step, run.interrupted) == (23, False)
        runs.append(run)
    assert all(equal(run.history.records, runs[0].history.records) for run in runs)
    assert all(equal(run.state, runs[0].state) for run in runs)
    assert runs[0].history.settings == {"steps": 23, "seed": 1, "batch": 8, "lr": {"net": 0.02}}
    assert runs[0].history.provenance["device"] == "cpu"


def test_a_snapshot_shows_the_networks_as_they_are_then_without_moving_them() -> None:
    players = one()
    seen: list[tuple[bool, bool]] = []

    def look(generator: torch.Generator) -> dict[str, Tensor]:
        module = players["net"].module
        seen.append((module.training, torch.is_grad_enabled()))
        module(torch.full((5, 2), 100.0))  # would shift batch norm's averages in train mode
        return {"weight": module[0].weight}

    def step(players: Mapping[str, Player], *rest: Any) -> Mapping[str, Tensor]:
        assert players["net"].module.training
        return regress(players, *rest)

    run = fit(step, players, Points(), steps=6, seed=0, snapshot=look, snapshot_every=2)
    assert seen == [(False, False)] * 4
    assert equal(run.state, fit(regress, one(), Points(), steps=6, seed=0).state)
    assert equal({"w": run.history.snapshots["weight"][0]}, {"w": net()[0].weight.detach().numpy()})
    assert equal({"w": run.history.snapshots["weight"][-1]}, {"w": players["net"].module[0].weight.detach().numpy()})
    assert players["net"].module.training

    def fail(generator: torch.Generator) -> dict[str, Tensor]:
        raise RuntimeError("no picture")

    with pytest.raises(RuntimeError, match="no picture"):
        fit(regress, players, Points(), steps=6, seed=0, snapshot=fail)
    assert players["net"].module.training


def test_the_seed_decides_the_run_and_nothing_else_does() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = fit(regress, one(), Points(), steps=12, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.randn(100)
    again, other = fit(regress, one(), Points(), steps=12, seed=3), fit(regress, one(), Points(), steps=12, seed=4)
    assert same_run(first, again)
    assert not equal(first.history.records, other.history.records)
    assert not equal(first.state, other.state)


# No read from the device within a block.


READS = ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "__index__", "__array__", "is_nonzero")


class CalledReads(TorchFunctionMode):
    """Counts the methods of tensors that hand a value to Python, in the loop's code and in torch's own Python."""

    count = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += getattr(function, "__name__", "") in READS
        return function(*args, **(kwargs or {}))


class ReadOperators(TorchDispatchMode):
    """Counts the operators that wait for the device, also those called from C++, such as the autograd engine."""

    names = (
        "aten._local_scalar_dense",
        "aten.nonzero",
        "aten.is_nonzero",
        "aten.item",
        "aten.equal",
        "aten.masked_select",
    )
    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += str(function).rpartition(".")[0] in self.names
        return function(*args, **(kwargs or {}))


def reads(step: Callable, players: Mapping[str, Player], steps: int, **settings: Any) -> tuple[int, int]:
    with CalledReads() as called, ReadOperators() as operators:
        fit(step, players, Points(), steps=steps, seed=0, progress=False, **settings)
    return called.count, operators.count


@pytest.mark.parametrize("game", GAMES)
def test_the_host_reads_once_a_block_and_never_within(game: str) -> None:
    """The CPU's fused Adam reads its flag by pointer: no reading operator occurs at all, not even in torch's code."""
    step, players = GAMES[game]
    assert reads(step, players(), 4, read_every=100) == (1, 0)
    assert reads(step, players(), 40, read_every=100) == (1, 0)
    assert reads(step, players(), 40, read_every=10) == (4, 0)


@pytest.mark.parametrize(
    "peek", [lambda t: t.item(), lambda t: float(t), lambda t: bool(t > 0), lambda t: t.nonzero(), lambda t: t.tolist()]
)
def test_the_count_of_reads_notices_one_within_a_step(peek: Callable[[Tensor], Any]) -> None:
    def step(*arguments: Any) -> Mapping[str, Tensor]:
        values = regress(*arguments)
        peek(values["loss"].detach())
        return values

    assert sum(reads(step, one(), 40, read_every=100)) >= 41


# Interrupts.


@pytest.mark.parametrize("k", [1, 7, 10, 19])
def test_an_interrupt_ends_the_run_after_its_step_and_resume_makes_it_whole(k: int) -> None:
    before = signal.getsignal(signal.SIGINT)
    settings = {
        "steps": 20,
        "seed": 2,
        "read_every": 5,
        "snapshot_every": 5,
        "snapshot": lambda generator: {"noise": torch.randn(2, generator=generator)},
    }
    whole = fit(regress, one(), Points(), **settings)
    players = one()
    part = fit(at_step(k, interrupt), players, Points(), **settings)
    assert signal.getsignal(signal.SIGINT) is before
    assert (part.interrupted, part.step) == (True, k)
    assert part.history.records["step"].tolist() == list(range(1, k + 1))
    assert equal(part.history.records, {name: values[:k] for name, values in whole.history.records.items()})
    assert same_live(part, players)
    kept = copy.deepcopy(part)
    for taken_up in (players, one()):  # the same networks, or new ones of the same shape
        rest = fit(regress, taken_up, Points(), resume=part, **settings)
        assert not rest.interrupted
        assert same_run(rest, whole)
    assert same_run(part, kept)  # a run that was gone on from is as it was
    assert not same_run(part, whole)


def test_an_interrupt_in_the_last_step_is_no_interruption() -> None:
    run = fit(at_step(6, interrupt), one(), Points(), steps=6, seed=0)
    assert (run.interrupted, run.step) == (False, 6)


def test_an_interrupt_from_elsewhere_at_any_time() -> None:
    begun = threading.Event()

    def step(*arguments: Any) -> Mapping[str, Tensor]:
        begun.set()
        return regress(*arguments)

    def press() -> None:
        assert begun.wait(30)
        interrupt()

    presser = threading.Timer(0.0, press)
    presser.start()
    run = fit(step, one(), Points(), steps=1_000_000, seed=0)
    presser.join()
    assert run.interrupted
    assert 1 <= run.step == len(run.history.records["loss"]) < 1_000_000


def test_an_interrupt_before_the_first_step_gives_a_run_that_can_go_on(tmp_path: Path) -> None:
    def early(generator: torch.Generator) -> dict[str, Tensor]:
        interrupt()
        return {"one": torch.ones(1)}

    start = fit(regress, one(), Points(), steps=6, seed=0, snapshot=early, folder=tmp_path)
    assert (start.interrupted, start.step, start.history.records) == (True, 0, {})
    whole = fit(regress, one(), Points(), steps=6, seed=0)
    for resume in (start, tmp_path):
        assert equal(fit(regress, one(), Points(), steps=6, seed=0, resume=resume).state, whole.state)


def test_an_interrupt_between_two_blocks_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the loop looks whether to stop, the first "yes" may come there."""
    for nth in range(1, 12):
        looks = []

        class Asked:
            def is_set(self, looks: list[int] = looks, nth: int = nth) -> bool:
                looks.append(1)
                return len(looks) >= nth

        monkeypatch.setattr(train.threading, "Event", Asked)
        run = fit(regress, one(), Points(), steps=6, seed=0, read_every=2, progress=False)
        monkeypatch.undo()
        assert len(run.history.records.get("step", [])) == run.step
        assert run.interrupted == (run.step < 6)


def test_a_second_interrupt_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    reached = []

    def twice() -> None:
        interrupt()
        reached.append("after one")
        interrupt()
        reached.append("after two")

    with pytest.raises(KeyboardInterrupt):
        fit(at_step(3, twice), one(), Points(), steps=10, seed=0)
    assert reached == ["after one"]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_of_interrupts_is_restored_after_an_error_and_left_alone_in_a_thread() -> None:
    before = signal.getsignal(signal.SIGINT)

    def fail() -> None:
        assert signal.getsignal(signal.SIGINT) is not before
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fit(at_step(2, fail), one(), Points(), steps=5, seed=0)
    assert signal.getsignal(signal.SIGINT) is before
    runs: list[Run] = []
    thread = threading.Thread(target=lambda: runs.append(fit(regress, one(), Points(), steps=5, seed=0)))
    thread.start()
    thread.join()
    assert same_run(runs[0], fit(regress, one(), Points(), steps=5, seed=0))


# Resume, and what cannot be resumed.


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("source", ["run", "folder", "checkpoint"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path, game: str, source: str) -> None:
    step, players = GAMES[game]
    whole = fit(step, players(), Points(), steps=17, seed=6)
    part = fit(at_step(8, interrupt, step), players(), Points(), steps=17, seed=6, folder=tmp_path)
    resume = {"run": part, "folder": tmp_path, "checkpoint": str(tmp_path / "step-00000008")}[source]
    fresh = players()
    rest = fit(step, fresh, Points(), steps=17, seed=6, resume=resume, folder=tmp_path)
    assert same_run(rest, whole)
    assert same_live(rest, fresh)
    names = {name.split("/", 1)[1].split("/")[0] for name in rest.state if "/" in name}
    assert names == {"module", "averaged", "optimiser"}
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "step-00000017"]
    done = fit(step, players(), Points(), steps=17, seed=6, resume=tmp_path)  # nothing is left to do
    assert same_run(done, whole)
    longer = fit(adversaries if "two" in game else regress, players(), Points(), steps=20, seed=6, resume=tmp_path)
    assert longer.step == 20
    assert not same_run(longer, whole)


def test_checkpoints_are_written_on_the_way_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, save = [], histories.save
    monkeypatch.setattr(histories, "save", lambda folder, step, *rest: (saved.append(step), save(folder, step, *rest)))
    run = fit(regress, one(), Points(), steps=10, seed=0, folder=tmp_path, save_every=4)
    assert saved == [4, 8, 10]
    step, state, history = histories.load(tmp_path)
    assert step == 10
    assert equal(state, run.state)
    assert equal(history.records, run.history.records)
    assert history.settings == run.history.settings


def refused(players: Mapping[str, Player | nn.Module], said: str, **settings: Any) -> None:
    """That `fit` refuses to resume, in one line, and neither a network nor a folder is written."""
    modules = {name: p.module if isinstance(p, Player) else p for name, p in players.items()}
    before = {name: copy.deepcopy(module.state_dict()) for name, module in modules.items()}
    with pytest.raises(CheckpointError, match=said) as caught:
        fit(regress, players, Points(), **settings)
    assert "\n" not in str(caught.value)
    for name, module in modules.items():
        assert equal(module.state_dict(), before[name]), name


def test_what_does_not_fit_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    run = fit(regress, one(), Points(), steps=6, seed=0, folder=tmp_path)
    files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def player(module: nn.Module, ema: float | None = 0.9) -> dict[str, Player]:
        return {"net": Player(module, ema=ema)}

    frozen = net(9)
    frozen[0].weight.requires_grad_(False)
    for resume in (run, tmp_path):
        rest = {"steps": 9, "seed": 0, "resume": resume, "folder": tmp_path}
        refused(player(net(9)), "had seed 0, not 1; give that seed", **rest | {"seed": 1})
        refused(player(net(9)), "has done 6 steps, more than steps=5", **rest | {"steps": 5})
        refused(player(net(9, width=5)), r"module/0.weight is float32 \(4, 2\), wanted float32 \(5, 2\)", **rest)
        refused(player(net(9, norm=False)), "net/(averaged|module)/1.* wanted none", **rest)
        refused(player(net(9).double()), r"float32 \(4, 2\), wanted float64 \(4, 2\)", **rest)
        refused(player(net(9), ema=None), "net/averaged/.* wanted none", **rest)
        refused(player(frozen), "optimiser/0.weight/.* wanted none", **rest)
        refused({"other": net(9)}, "other/module/0.weight is not there", **rest)
        refused({"net": Player(net(9), ema=0.9), "more": net(8)}, "more/module/0.weight is not there", **rest)
    other = Run(run.history, run.state | {"generator": torch.zeros(16, dtype=torch.uint8)}, run.step)
    refused(player(net(9)), "another device: generator is uint8", steps=9, seed=0, resume=other)
    refused(player(net(9)), "no checkpoint in", steps=9, seed=0, resume=tmp_path / "missing")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files


@pytest.mark.parametrize("name", ["state.safetensors", "records.npz", "run.json", "format"])
def test_a_damaged_checkpoint_is_refused_and_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    fit(regress, one(), Points(), steps=6, seed=0, folder=tmp_path)
    folder = tmp_path / "step-00000006"
    if name == "format":
        about = json.loads((folder / "run.json").read_text()) | {"format": 99}
        (folder / "run.json").write_text(json.dumps(about))
    elif name == "run.json":
        (folder / name).write_bytes((folder / name).read_bytes()[:-20])
    else:
        data = bytearray((folder / name).read_bytes())
        data[-100] ^= 1
        (folder / name).write_bytes(data)
    files = {p: p.read_bytes() for p in folder.iterdir()}
    said = "format 99, wanted 1" if name == "format" else "cannot be read" if name == "run.json" else "is damaged"
    refused({"net": Player(net(9), ema=0.9)}, said, steps=9, seed=0, resume=tmp_path, folder=tmp_path)
    assert {p: p.read_bytes() for p in folder.iterdir()} == files


def test_a_disk_that_fails_at_the_end_leaves_the_networks_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(histories, "save", full)
    players = one()
    with pytest.raises(OSError, match="no space left"):
        fit(regress, players, Points(), steps=6, seed=0, folder=tmp_path)
    assert same_live(fit(regress, one(), Points(), steps=6, seed=0), players)


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    players = one()
    before = copy.deepcopy(players["net"].module.state_dict())
    with pytest.raises(CheckpointError, match=r"file cannot be written .*; give another folder"):
        fit(regress, players, Points(), steps=6, seed=0, folder=tmp_path / "file")
    assert all(torch.equal(before[name], tensor) for name, tensor in players["net"].module.state_dict().items())
    assert (tmp_path / "file").read_text() == "in the way"


# Two runs, one folder.


def test_a_second_run_into_the_folder_is_refused_and_names_the_first(tmp_path: Path) -> None:
    def intruding(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        with pytest.raises(
            CheckpointError, match=rf"another run \(process {os.getpid()} on .*, since 20.*give another"
        ):
            fit(regress, one(), Points(), steps=1, seed=1, folder=tmp_path)
        refused.append(1)
        return regress(players, batch, generator)

    refused: list[int] = []
    run = fit(intruding, one(), Points(), steps=3, seed=0, folder=tmp_path)
    assert len(refused) == 3
    assert same_run(run, fit(regress, one(), Points(), steps=3, seed=0))
    assert histories.load(tmp_path)[0] == 3
    fit(regress, one(), Points(), steps=4, seed=0, folder=tmp_path, resume=tmp_path)  # and is free again


# Steps that do not fit into the memory.


class Large:
    """Batches of 64 points; the step fails as torch does where more than `fits` of them are given."""

    def at(self, step: int, seed: int) -> Batch:
        batch = Points().at(step, seed)
        return Batch(batch.x[:1].expand(64, *batch.x.shape[1:]).contiguous(), batch.y[:1].expand(64).contiguous())


def hungry(fits: int, error: Exception, after: int = 0) -> Callable:
    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        calls.append(1)
        loss = players["net"].module(batch.x).square().mean() + 0 * torch.randn((), generator=generator)
        players["net"].minimise(loss)  # half of the step is done when the memory is full
        if len(batch.x) > fits and len(calls) > after:
            raise error
        return {"loss": loss}

    calls: list[int] = []
    return step


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize(("fits", "found"), [(63, (60, 63)), (37, (35, 37)), (2, (2, 2))])
def test_a_step_too_large_for_the_memory_names_the_largest_batch_that_fits(
    error: Exception, fits: int, found: tuple[int, int]
) -> None:
    players = one()
    before = copy.deepcopy(players["net"].module.state_dict())
    with pytest.raises(train.TooLarge, match=r"batch of 64 .* cpu .*net [\d,]+ weights.*batches of \d+ fit") as caught:
        fit(hungry(fits, error), players, Large(), steps=6, seed=0)
    assert found[0] <= caught.value.largest <= found[1]
    assert all(torch.equal(before[name], tensor) for name, tensor in players["net"].module.state_dict().items())


def test_what_was_trained_before_the_memory_ran_out_is_kept() -> None:
    with pytest.raises(train.TooLarge, match="after step 4") as caught:
        fit(hungry(16, MemoryError(), after=5), one(), Large(), steps=9, seed=0, read_every=4)
    wanted = fit(hungry(64, MemoryError()), one(), Large(), steps=9, seed=0, read_every=4)
    resumed = fit(hungry(64, MemoryError()), one(), Large(), steps=9, seed=0, resume=caught.value.run)
    assert same_run(resumed, wanted)


@pytest.mark.parametrize("fits", [1, 0])  # batch norm refuses a single image
def test_where_no_batch_fits_it_says_so(fits: int) -> None:
    with pytest.raises(train.TooLarge, match="no smaller batch was found to fit") as caught:
        fit(hungry(fits, MemoryError()), one(), Large(), steps=6, seed=0)
    assert caught.value.largest is None


def test_an_error_of_another_kind_passes_unchanged() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fit(hungry(1, RuntimeError("mat1 and mat2 shapes cannot be multiplied")), one(), Large(), steps=6, seed=0)


# Numbers that are not finite.


def spoil_loss(step: Callable, k: int) -> Callable:
    """`step`, in whose k-th step the loss of "net" is NaN."""

    def stepping(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        player = players["net"]
        if batch.y[0] != k - 1:
            return step(players, batch, generator)
        noise = torch.randn(3, generator=generator)
        loss = player.module(batch.x).mean() + noise.sum() * math.inf
        player.minimise(loss - loss)
        return {"loss": loss, "noise": noise.mean()}

    return stepping


def spoil_gradient(k: int) -> Callable:
    """`regress`, in whose k-th step the loss is finite and its gradient is not: the root of 0."""

    def stepping(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        if batch.y[0] != k - 1:
            return regress(players, batch, generator)
        out = players["net"].module(batch.x)
        loss = torch.sqrt((out - out.detach()).square().sum())
        players["net"].minimise(loss)
        return {"loss": loss, "noise": loss}

    return stepping


def spoil_maker(k: int) -> Callable:
    """`adversaries`, in whose k-th step the critic still moves and the maker's loss is infinite."""

    def stepping(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        if batch.y[0] != k - 1:
            return adversaries(players, batch, generator)
        critic, maker = players["critic"], players["maker"]
        loss = critic.module(batch.x).square().mean()
        critic.minimise(loss)
        bad = maker.module(torch.randn(8, 2, generator=generator)).sum() * math.inf
        maker.minimise(bad)
        return {"critic": loss, "maker": bad}

    return stepping


SPOILT: dict[str, tuple[Callable[[int], Callable], str, bool]] = {
    "loss": (lambda k: spoil_loss(regress, k), "net", False),
    "gradient": (spoil_gradient, "net", False),
    "data": (lambda k: regress, "net", True),
    "data of two": (lambda k: adversaries, "critic", True),
    "second player": (spoil_maker, "maker", False),
}


@functools.cache
def unspoilt(game: str) -> Run:
    step, players = GAMES[game]
    return fit(step, players(), Points(), steps=12, seed=5, read_every=5)


@pytest.mark.parametrize("k", [1, 6, 10])
@pytest.mark.parametrize("what", SPOILT)
def test_a_number_that_is_not_finite_ends_the_run_in_its_last_good_state(what: str, k: int) -> None:
    make, culprit, in_data = SPOILT[what]
    clean, build = GAMES["one player" if culprit == "net" else "two players"]
    settings: dict[str, Any] = {"steps": 12, "seed": 5, "read_every": 5}
    players = build()
    with pytest.raises(Diverged, match=f"'{culprit}' at step {k} is not finite") as caught:
        fit(make(k), players, Points(bad=k - 1 if in_data else None), **settings)
    error = caught.value
    assert (error.step, error.player) == (k, culprit)
    assert isinstance(error, ArithmeticError)
    assert all(bool(torch.isfinite(t).all()) for t in error.run.state.values())
    assert same_live(error.run, players)
    whole = unspoilt("one player" if culprit == "net" else "two players")
    if k > 1:  # the run that was stopped one step earlier
        stopped = fit(at_step(k - 1, interrupt, clean), build(), Points(), **settings)
        assert same_run(error.run, stopped)
    else:
        assert error.run.step == 0
        assert not error.run.history.records
    rest = fit(clean, build(), Points(), resume=error.run, **settings)  # without the fault
    assert same_run(rest, whole)


def test_a_player_that_moves_twice_in_a_step_goes_back_by_both() -> None:
    def twice(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        regress(players, batch, generator)
        return regress(players, Batch(batch.x.roll(1, 0), batch.y), generator)

    def spoilt(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        values = twice(players, batch, generator)
        if batch.y[0] == 3:
            players["net"].minimise(players["net"].module(batch.x).sum() * math.nan)
        return values

    with pytest.raises(Diverged) as caught:
        fit(spoilt, one(), Points(), steps=9, seed=0)
    stopped = fit(at_step(3, interrupt, twice), one(), Points(), steps=9, seed=0)
    assert same_run(caught.value.run, stopped)


def once(spoil: Callable[[int], Callable], k: int) -> tuple[Callable, list[int]]:
    """`spoil(k)` at the first call in the k-th step, `regress` at all others; and the steps that it spoilt."""
    spoilt: list[int] = []

    def stepping(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        if batch.y[0] != k - 1 or spoilt:
            return regress(players, batch, generator)
        spoilt.append(k)
        return spoil(k)(players, batch, generator)

    return stepping, spoilt


def spoil_weights(k: int) -> Callable:
    """`regress`, after which a weight is NaN, as by a fault of the memory; loss and gradient are finite."""

    def stepping(players: Mapping[str, Player], *rest: Any) -> Mapping[str, Tensor]:
        values = regress(players, *rest)
        with torch.no_grad():
            players["net"].module[2].weight[0, 1] = math.nan
        return values

    return stepping


PASSING = {"loss": lambda k: spoil_loss(regress, k), "gradient": spoil_gradient, "weights": spoil_weights}


def check_going_on(what: str, k: int) -> None:
    """A fault that does not come back leaves no trace: in the state, the records or the networks."""
    step, spoilt = once(PASSING[what], k)
    players = one()
    run = fit(step, players, Points(), steps=12, seed=5, read_every=5)
    assert spoilt == [k]
    assert same_run(run, unspoilt("one player"))
    assert same_live(run, players)


@pytest.mark.parametrize("k", [1, 5, 6, 12])
@pytest.mark.parametrize("what", PASSING)
def test_a_fault_that_does_not_come_back_lets_the_run_go_on(what: str, k: int) -> None:
    check_going_on(what, k)


def blind(tensors: Any) -> Tensor:
    """That all numbers are finite, whatever they are."""
    return torch.ones(())


def without_its_generator(state: Mapping[str, Tensor], seats: Mapping[str, Player], generator: Any) -> None:
    """Go back, but draw other numbers from there on."""
    for player in seats.values():
        player.restore(state)


def without_its_networks(state: Mapping[str, Tensor], seats: Mapping[str, Player], generator: Any) -> None:
    """Go back by the generator alone."""
    generator.set_state(state["generator"])


@pytest.mark.parametrize("what", PASSING)
@pytest.mark.parametrize(
    ("name", "wrong"),
    [("_all_finite", blind), ("_restore", without_its_generator), ("_restore", without_its_networks)],
    ids=["nothing noticed", "other draws", "spoilt networks"],
)
def test_the_check_of_going_on_rejects(what: str, name: str, wrong: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, name, wrong)
    with pytest.raises((AssertionError, Diverged)):
        check_going_on(what, 6)


def sampled(k: int | None, raised: list[int]) -> Callable:
    """A step that samples pixels, which cannot be done with the probability NaN; its k-th loss is not finite."""

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        logits = players["net"].module(batch.x)
        try:
            pixels = torch.bernoulli(logits.detach().sigmoid(), generator=generator)
        except RuntimeError:
            raised.append(int(batch.y[0]) + 1)
            raise
        loss = nn.functional.binary_cross_entropy_with_logits(logits, pixels)
        players["net"].minimise(loss * math.inf if k is not None and batch.y[0] == k - 1 else loss)
        return {"loss": loss}

    return step


@pytest.mark.parametrize("k", [1, 6, 9])
def test_an_error_that_numbers_not_finite_led_to_is_not_taken_for_the_cause(k: int) -> None:
    raised: list[int] = []
    players, settings = one(), {"steps": 12, "seed": 5, "read_every": 5}
    with pytest.raises(Diverged, match=f"'net' at step {k} is not finite") as caught:
        fit(sampled(k, raised), players, Points(), **settings)
    assert raised == [k + 1]  # in the step after it, before the next read
    assert (caught.value.step, caught.value.player) == (k, "net")
    assert same_live(caught.value.run, players)
    rest = fit(sampled(None, raised), one(), Points(), resume=caught.value.run, **settings)
    assert same_run(rest, fit(sampled(None, raised), one(), Points(), **settings))


def test_without_a_look_at_the_numbers_that_error_would_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "_all_finite", blind)
    raised: list[int] = []
    with pytest.raises(RuntimeError, match="p_in"):
        fit(sampled(6, raised), one(), Points(), steps=12, seed=5, read_every=5)
    assert raised == [7]


def steep(k: int, slope: float) -> Callable:
    """`regress`, in whose k-th step the loss is finite and its gradient is of the size of `slope`."""

    def stepping(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        if batch.y[0] != k - 1:
            return regress(players, batch, generator)
        loss = slope * players["net"].module(batch.x).mean()
        assert loss.isfinite()
        players["net"].minimise(loss)
        return {"loss": loss, "noise": loss}

    return stepping


@pytest.mark.parametrize("k", [1, 6, 10])
def test_a_gradient_whose_square_overflows_is_noticed(k: int) -> None:
    """It is finite, and Adam's mean of squares is not: from then on, these weights would stand still."""
    settings: dict[str, Any] = {"steps": 12, "seed": 5, "read_every": 5}
    with pytest.raises(Diverged, match=f"'net' at step {k} is not finite") as caught:
        fit(steep(k, 1e30), one(), Points(), **settings)
    assert all(bool(torch.isfinite(t).all()) for t in caught.value.run.state.values())
    assert same_run(fit(regress, one(), Points(), resume=caught.value.run, **settings), unspoilt("one player"))
    run = fit(steep(k, 1e15), one(), Points(), **settings)  # its square is within the range
    assert (run.step, run.interrupted) == (12, False)


@pytest.mark.parametrize("k", [1, 6, 10])
@pytest.mark.parametrize("culprit", ["critic", "maker"])
def test_a_number_that_is_not_finite_in_a_buffer_alone_names_its_player(culprit: str, k: int) -> None:
    """The mean of a batch norm, spoilt by images that no loss depends on."""

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        values = adversaries(players, batch, generator)
        if batch.y[0] == k - 1:
            players[culprit].module(torch.full((8, 2), math.inf))
        assert all(value.isfinite() for value in values.values())
        for player in players.values():
            assert all(bool(torch.isfinite(p).all()) for p in player.parameters)
        return values

    settings: dict[str, Any] = {"steps": 12, "seed": 5, "read_every": 5}
    players = two()
    with pytest.raises(Diverged, match=f"'{culprit}' at step {k} is not finite") as caught:
        fit(step, players, Points(), **settings)
    assert same_live(caught.value.run, players)
    rest = fit(adversaries, two(), Points(), resume=caught.value.run, **settings)
    assert same_run(rest, unspoilt("two players"))


FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def check_all_finite(all_finite: Callable) -> None:
    """One bad number anywhere is found; many numbers that are finite together exceed no type's range."""
    for kind in FLOATS:
        for bad in (math.nan, math.inf, -math.inf):
            for place in (0, 70_000, 99_999):
                spoilt = torch.ones(100_000, dtype=kind)
                spoilt[place] = bad
                assert all_finite([torch.ones(3), spoilt, torch.arange(4)]) == 0
                assert all_finite([spoilt, torch.ones(3)]) == 0
        both = torch.tensor([math.inf, -math.inf], dtype=kind)
        assert all_finite([both]) == 0
        assert all_finite([torch.full((100_000,), sign, dtype=kind) for sign in (1, -1)]) == 1
    assert all_finite([torch.zeros(()), torch.zeros(0), torch.ones(2, dtype=torch.int64)]) == 1


def test_all_numbers_are_looked_at() -> None:
    check_all_finite(train._all_finite)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda tensors: torch.isfinite(torch.stack([t.sum().float() for t in tensors])).all(),
        lambda tensors: torch.tensor(not any(t.isnan().any() for t in tensors)),
        lambda tensors: torch.tensor(not any(t.isinf().any() for t in tensors)),
        lambda tensors: torch.isfinite(tensors[0]).all(),
        lambda tensors: torch.isfinite(sum(t.double().clamp(-9, 9).sum() for t in tensors)),
    ],
    ids=["sums in half precision", "NaN alone", "infinity alone", "the first one alone", "clamped"],
)
def test_the_check_of_all_numbers_rejects(wrong: Callable) -> None:
    with pytest.raises(AssertionError):
        check_all_finite(wrong)


# Precision.


PRODUCTS = ("aten.mm", "aten.addmm", "aten.bmm", "aten.baddbmm", "aten.convolution", "aten.convolution_backward")


class Products(TorchDispatchMode):
    """Notes the types in which matrices are multiplied and images convolved, forwards and backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(function).rpartition(".")[0]
        if name in PRODUCTS:
            kinds = {a.dtype for a in args if isinstance(a, Tensor)}
            self.seen.setdefault(name, set()).update(kinds)
        return function(*args, **(kwargs or {}))


def gain(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """As if this device multiplied so many times faster in bfloat16."""
    monkeypatch.setattr(train.devices, "gain_of_bfloat16", lambda device: value)


def train_with(game: str, precision: str, steps: int = 12, lr: float | None = None) -> Run:
    step, build = GAMES[game]
    players = build()
    for player in players.values():
        player.lr = lr or player.lr
    return fit(step, players, Points(32), steps=steps, seed=5, read_every=5, precision=precision, progress=False)


def test_an_unknown_precision_is_refused_and_both_are_named() -> None:
    for wrong in ("half", "bfloat16", "", None):
        with pytest.raises(ValueError, match=f"precision={wrong!r}: give 'float32' or 'mixed'"):
            fit(regress, one(), Points(), steps=3, seed=0, precision=wrong)


@pytest.mark.parametrize("game", GAMES)
def test_mixed_precision_where_it_does_not_pay_is_float32_bit_for_bit(
    game: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "_said", set())
    gain(monkeypatch, 9.0)
    whole, narrow = train_with(game, "float32"), train_with(game, "mixed")
    gain(monkeypatch, 0.1)
    assert same_run(train_with(game, "mixed"), whole)
    assert not same_run(narrow, whole)
    line = "training on cpu (1 threads) in float32"
    assert capsys.readouterr().out == f"{line}\n{line}, products in bfloat16\n"  # each once


def check_near(run: Run, whole: Run) -> None:
    """Every record of `run` is that of `whole` within two steps of bfloat16, 2⁻⁷ of its mean size."""
    for name, values in whole.history.records.items():
        size = np.abs(values).mean()
        np.testing.assert_allclose(run.history.records[name], values, rtol=0, atol=2**-7 * size, err_msg=name)


@pytest.mark.parametrize("game", GAMES)
def test_mixed_precision_multiplies_in_bfloat16_and_keeps_all_else_in_float32(
    game: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gain(monkeypatch, 9.0)
    with Products() as wide:
        whole = train_with(game, "float32")
    with Products() as narrow:
        run = train_with(game, "mixed")
    assert set(wide.seen) == set(narrow.seen) >= {"aten.mm", "aten.addmm"}
    assert {kind for kinds in wide.seen.values() for kind in kinds} == {torch.float32}
    assert {kind for kinds in narrow.seen.values() for kind in kinds} == {torch.bfloat16}
    assert {name: t.dtype for name, t in run.state.items()} == {name: t.dtype for name, t in whole.state.items()}
    assert {t.dtype for t in run.state.values() if t.is_floating_point()} == {torch.float32}
    assert {values.dtype for name, values in run.history.records.items() if name != "step"} == {np.dtype("float32")}
    check_near(run, whole)


@pytest.mark.parametrize("game", GAMES)
def test_the_check_of_nearness_rejects(game: str) -> None:
    whole, short = train_with(game, "float32"), train_with(game, "float32", steps=11)
    for wrong in (train_with(game, "float32", lr=0.002), train_with(game, "float32", lr=0.1), short):
        with pytest.raises(AssertionError):
            check_near(wrong, whole)


def test_mixed_precision_convolves_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    gain(monkeypatch, 9.0)

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        assert torch.is_autocast_enabled("cpu")
        images = players["net"].module(batch.x)
        kinds.append(images.dtype)
        loss = (images.float() - 0.5).square().mean()
        players["net"].minimise(loss)
        return {"loss": loss, "narrow": images.mean()}

    kinds: list[torch.dtype] = []
    with Products() as narrow:
        run = fit(step, {"net": DCGANGenerator(2, 8, width=4)}, Points(), steps=3, seed=0, precision="mixed")
    assert set(narrow.seen) >= {"aten.convolution", "aten.convolution_backward"}
    assert {kind for seen in narrow.seen.values() for kind in seen} == {torch.bfloat16}
    assert set(kinds) == {torch.bfloat16}
    assert run.history.records["narrow"].dtype == np.float32
    assert not torch.is_autocast_enabled("cpu")


def twice(cached: bool) -> Callable:
    """A player that moves twice in a step: the second time from where the first one left it."""

    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        player, values = players["net"], {}
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=cached):
            for name in ("first", "second"):
                values[name] = (player.module(batch.x).float() - 3).square().mean()
                player.minimise(values[name])
            values["third"] = player.module(batch.x).float().square().mean()
        return values

    return step


def check_casts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network used after `minimise` has its new weights: all is as without a cache of casts."""
    gain(monkeypatch, 9.0)
    runs = []
    for cached in (True, False):
        player = Player(net(norm=False), lr=0.1)
        assert all(weight.requires_grad for weight in player.module.parameters())  # others are not kept in the cache
        runs.append(fit(twice(cached), {"net": player}, Points(), steps=4, seed=0, precision="mixed"))
    assert same_run(*runs)
    records = runs[0].history.records
    assert (records["second"] != records["first"]).all()


def test_after_minimise_a_network_has_its_new_weights_in_bfloat16_too(monkeypatch: pytest.MonkeyPatch) -> None:
    check_casts(monkeypatch)


class Forgetful:
    """torch as the loop sees it, with another function in place of one."""

    def __init__(self, name: str, instead: Callable[[], None]) -> None:
        self.name, self.instead = name, instead

    def __getattr__(self, name: str) -> Any:
        return self.instead if name == self.name else getattr(torch, name)


@pytest.mark.parametrize("every", [None, 2], ids=["never", "every other time"])
def test_the_check_of_the_casts_rejects_a_cache_that_is_cleared(
    every: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clear() -> None:
        calls.append(1)
        if every is not None and len(calls) % every == 0:
            torch.clear_autocast_cache()

    calls: list[int] = []
    monkeypatch.setattr(train, "torch", Forgetful("clear_autocast_cache", clear))
    with pytest.raises(AssertionError):
        check_casts(monkeypatch)
    assert calls


# Threads.


def seated(*modules: nn.Module, members: int | None = None) -> dict[str, Player]:
    """Players in their seats, as the loop has them."""
    guard = train._Guard(torch.device("cpu"), () if members is None else (members,))
    seats = {str(i): Player(module) for i, module in enumerate(modules)}
    for name, player in seats.items():
        player.join(name, guard, Processes())
    return seats


def check_useful_threads(useful: Callable[[Mapping[str, Player], int], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each 20 million products of a step, of all players; all for a convolution; an ensemble counts once."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    toy, large = (2, 128, 128, 1), (784, 1024, 1024, 1)
    weights = 785 * 1024 + 1025 * 1024 + 1025
    assert useful(seated(MLP(toy)), 256) <= 1
    assert useful(seated(MLP(large)), 64) == round(64 * weights / 20e6) == 6
    assert useful(seated(MLP(large)), 16) == round(16 * weights / 20e6) == 1
    assert useful(seated(MLP(large), MLP(large)), 32) == round(2 * 32 * weights / 20e6) == 6
    assert useful(seated(MLP(large, seed=[1, 2, 3]), members=3), 3 * 32) == round(3 * 32 * weights / 20e6) == 9
    frozen = MLP(large)
    frozen.layers[0].requires_grad_(False)
    assert useful(seated(frozen), 64) == round(64 * (weights - 785 * 1024) / 20e6) == 3
    assert useful(seated(DCGANGenerator(2, 8, width=4)), 1) == 7
    assert useful(seated(MLP(toy), nn.Conv2d(1, 1, 3)), 1) == 7
    monkeypatch.undo()


def test_threads_are_as_many_as_the_work_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    check_useful_threads(train._useful_threads, monkeypatch)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda seats, images: 1,
        lambda seats, images: torch.get_num_threads(),
        lambda seats, images: train._useful_threads(dict(list(seats.items())[:1]), images),
        lambda seats, images: train._useful_threads(seats, images * next(iter(seats.values())).guard.total.numel()),
        lambda seats, images: train._useful_threads(seats, images // next(iter(seats.values())).guard.total.numel()),
    ],
    ids=["one", "all", "the first player alone", "members twice", "one member alone"],
)
def test_the_check_of_the_threads_rejects(wrong: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        check_useful_threads(wrong, monkeypatch)


@pytest.mark.parametrize("error", [None, KeyError])
def test_a_run_lends_its_threads_and_gives_them_back(error: type[Exception] | None) -> None:
    def step(*arguments: Any) -> Mapping[str, Tensor]:
        seen.append(torch.get_num_threads())
        if error is not None and len(seen) == 3:
            raise error
        return regress(*arguments)

    seen: list[int] = []
    torch.set_num_threads(3)  # the fixture puts it back
    with contextlib.suppress(KeyError):
        fit(step, one(), Points(), steps=4, seed=0, progress=False)
    assert seen == [1] * (4 if error is None else 3)
    assert torch.get_num_threads() == 3


def test_a_convolution_has_all_threads() -> None:
    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        seen.append(torch.get_num_threads())
        players["net"].minimise(players["net"].module(batch.x).square().mean())
        return {}

    seen: list[int] = []
    torch.set_num_threads(3)
    fit(step, {"net": DCGANGenerator(2, 8, width=4)}, Points(), steps=2, seed=0, progress=False)
    assert seen == [3, 3]


# Schedules and arguments.


def test_the_schedules_at_known_points() -> None:
    assert [train.constant(p) for p in (0, 0.3, 1)] == [1, 1, 1]
    assert [train.plateau(p) for p in (0, 0.3, 0.5, 0.75, 1)] == [1, 1, 1, 0.5, 0]
    assert train.one_cycle(0) == 0
    assert train.one_cycle(0.05) == pytest.approx(0.5)
    assert train.one_cycle(0.1) == pytest.approx(1)
    assert train.one_cycle(0.55) == pytest.approx(0.5)
    assert train.one_cycle(0.1 + 0.9 / 4) == pytest.approx(0.5 + 0.25 * math.sqrt(2))
    assert train.one_cycle(1) == pytest.approx(0, abs=1e-12)
    values = np.array([train.one_cycle(p) for p in np.linspace(0, 1, 101)])
    assert (np.diff(values[:11]) > 0).all()
    assert (np.diff(values[10:]) < 0).all()


def test_the_schedule_sets_the_rate_of_each_step() -> None:
    asked, rates = [], []

    def schedule(progress: float) -> float:
        asked.append(progress)
        return 1 - progress

    def step(players: Mapping[str, Player], *rest: Any) -> Mapping[str, Tensor]:
        rates.append(players["net"].optimiser.param_groups[0]["lr"])
        return regress(players, *rest)

    fit(step, {"net": Player(net(), lr=0.5, schedule=schedule)}, Points(), steps=4, seed=0)
    assert asked == [0, 0.25, 0.5, 0.75]
    assert rates == [0.5, 0.375, 0.25, 0.125]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lr": 0}, "lr=0: give a learning rate above 0"),
        ({"lr": -1e-3}, "give a learning rate above 0"),
        ({"lr": math.nan}, "give a learning rate above 0"),
        ({"ema": 1.0}, r"ema=1.0: give a decay in \[0, 1\)"),
        ({"ema": -0.1}, r"give a decay in \[0, 1\)"),
    ],
)
def test_settings_of_a_player_out_of_range_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Player(net(), **wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"steps": -3}, {"steps": 2.5}, {"read_every": 0}, {"snapshot_every": 0}, {"save_every": 0}],
)
def test_counts_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    (name, value) = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name}={value}.*whole numbers of at least 1"):
        fit(regress, one(), Points(), **{"steps": 3, "seed": 0} | wrong)


def test_a_network_without_parameters_is_refused() -> None:
    frozen = net().requires_grad_(False)
    for module in (nn.Identity(), frozen):
        with pytest.raises(ValueError, match="net: the module has no parameter to train"):
            fit(regress, {"net": module}, Points(), steps=3, seed=0)


def minimising(loss: Callable[[nn.Module, Tensor], Tensor]) -> Callable:
    def step(players: Mapping[str, Player], batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        players["net"].minimise(loss(players["net"].module, batch.x))
        return {}

    return step


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda m, x: m[0](x).sum(), "the loss does not depend on 1.weight, 1.bias, 2.weight, 2.bias"),
        (lambda m, x: m(x), r"the loss has shape \(8, 1\); give one number"),
        (lambda m, x: m(x).sum()[None], r"the loss has shape \(1,\); give one number"),
        (lambda m, x: x.sum(), "the loss depends on no parameter at all"),
    ],
)
def test_a_loss_that_cannot_train_is_refused(loss: Callable, said: str) -> None:
    with pytest.raises(ValueError, match=f"net: {said}"):
        fit(minimising(loss), {"net": net()}, Points(), steps=3, seed=0)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"b": torch.tensor(1.0)}, r"one step returned \['a'\], another \['b'\]"),
        ({"a": torch.tensor(1.0), "b": torch.tensor(1.0)}, "return the same names always"),
        ({"a": torch.ones(2)}, r"returned 'a': tensor\(\[1., 1.\]\); return 0-d tensors"),
        ({"a": 1.0}, "returned 'a': 1.0; return 0-d tensors"),
        ({"step": torch.tensor(1.0)}, "."),
    ],
)
@pytest.mark.parametrize("read_every", [1, 50])
def test_values_that_cannot_be_recorded_are_refused(second: dict[str, Any], said: str, read_every: int) -> None:
    calls: list[int] = []

    def step(*arguments: Any) -> Mapping[str, Any]:
        regress(*arguments)
        calls.append(1)
        return {"a": torch.tensor(1.0)} if len(calls) < 3 else second

    with pytest.raises(ValueError, match=said if read_every == 50 or "0-d" in said else "."):
        fit(step, one(), Points(), steps=5, seed=0, read_every=read_every)


def test_nothing_may_be_called_step() -> None:
    def step(*arguments: Any) -> Mapping[str, Tensor]:
        return {"step": regress(*arguments)["loss"]}

    with pytest.raises(ValueError, match="none named 'step'"):
        fit(step, one(), Points(), steps=2, seed=0)


def test_a_step_may_record_nothing() -> None:
    run = fit(minimising(lambda m, x: m(x).square().sum()), {"net": net()}, Points(), steps=3, seed=0, read_every=2)
    assert {name: values.tolist() for name, values in run.history.records.items()} == {"step": [1, 2, 3]}


# What is shown.


def test_the_bar_shows_images_and_losses_and_is_silent_where_it_should_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GENNOTES_STATIC", raising=False)
    fit(regress, one(), Points(), steps=6, seed=0, read_every=2)
    shown = capsys.readouterr().err
    assert "images" in shown
    fit(regress, one(), Points(), steps=6, seed=0, read_every=2, progress=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    fit(regress, one(), Points(), steps=6, seed=0, read_every=2)
    assert capsys.readouterr().err == ""


def test_the_device_is_said_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "_said", set())
    fit(regress, one(), Points(), steps=2, seed=0)
    assert capsys.readouterr().out == "training on cpu (1 threads) in float32\n"
    fit(regress, one(), Points(), steps=2, seed=0)
    assert capsys.readouterr().out == ""


def test_a_gradient_in_another_order_of_memory_is_put_right():
    """The loop keeps the weights of convolutions with their channels last; a gradient may come with them first."""
    target = torch.arange(60.0).view(5, 3, 2, 2) / 10

    def loss(network: nn.Module) -> Tensor:
        return (network.weight.contiguous() - target).square().sum()

    def build() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return nn.Conv2d(3, 5, 2, bias=False)

    ours, plain = build(), build()

    def step(players, batch, generator):
        value = loss(ours)
        players["net"].minimise(value)
        return {"loss": value}

    fit(step, {"net": ours}, Points(), steps=3, seed=0, progress=False)
    optimiser = torch.optim.Adam(plain.parameters(), lr=1e-3)
    for _ in range(3):
        optimiser.zero_grad()
        loss(plain).backward()
        optimiser.step()
    assert ours.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours.weight, plain.weight, check_stride=False)

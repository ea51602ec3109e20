"""CUDA graphs without a GPU: every update of the project can be recorded, and a replayed run is the eager run."""

import math
import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from capturing import NOT_PERMITTED, FakeGraph, HostRead, NoReads, Recorder, difference, fake_capture, storage
from torch import Tensor, nn

from gennotes import capture, data, draws, losses, models, train
from gennotes import device as devices
from gennotes.data import Batch, Images, ImageSet
from gennotes.studies import latent_space
from gennotes.studies import vae as vae_study
from gennotes.train import Player, Run

pytestmark = pytest.mark.usefixtures("one_thread")
Step = Callable[[Mapping[str, Player], Any, Any], Mapping[str, Any]]
Play = Callable[..., Run]
SEEDS = [3, 0, 11]
STEPS = 9  # 3 as they are, the recording, and 5 replays more


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Python's own handler of interrupts, which is not there where a shell runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that gains by bfloat16, so that precision="mixed" has an effect."""
    monkeypatch.setattr(devices, "gain_of_bfloat16", lambda device: 2.0)


# The updates of the project.


def images(side: int) -> Images:
    generator = torch.Generator().manual_seed(side)
    x = torch.randint(0, 256, (40, 1, side, side), generator=generator, dtype=torch.uint8)
    return Images(x, torch.arange(40) % 10)


SMALL = ImageSet("small", images(8), images(8), images(8), tuple("0123456789"), "", "")


def settings(architecture: str, steps: int) -> vae_study.Settings:
    return vae_study.Settings("small", architecture, latent=3, width=16, batch=6, steps=steps)


def play_vae(architecture: str, steps: int = STEPS, **more: Any) -> Run:
    return vae_study.fit(settings(architecture, steps), SMALL, seed=5, **{"read_every": 4} | more)[1]


def play_study(fit: Callable, steps: int = STEPS) -> Run:
    return fit(settings("mlp", steps), SMALL, seed=5)[1]


def adversaries(for_d: Callable, for_g: Callable, penalty: Callable | None = None, rounds: int = 1) -> Step:
    """`rounds` updates of the discriminator, then one of the generator; penalty: of (d, real, fake, generator)."""

    def step(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
        g, d = players["g"].module, players["d"].module

        def made() -> Tensor:
            return g(draws.normal(batch.y.shape[-1], 4, generator=generator))

        for _ in range(rounds):
            fake = made().detach()
            loss_d = for_d(d(batch.x), d(fake))
            if penalty is not None:
                loss_d = loss_d + 10 * penalty(d, batch.x, fake, generator)
            players["d"].minimise(loss_d)
        loss_g = for_g(d(made()))
        players["g"].minimise(loss_g)
        return {"d": loss_d, "g": loss_g}

    return step


def ahead(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
    """An update of each player, the generator's against the discriminator two steps later."""
    g, d = players["g"].module, players["d"].module
    fake = g(draws.normal(batch.y.shape[-1], 4, generator=generator))
    loss_d = losses.discriminator(d(batch.x), d(fake.detach()))
    players["d"].minimise(loss_d)
    later = losses.unrolled(d, lambda scores: losses.discriminator(scores(batch.x), scores(fake)), 2, 0.1)
    loss_g = losses.non_saturating(later(fake))
    players["g"].minimise(loss_g)
    return {"d": loss_d, "g": loss_g}


def points(seed: int | list[int], **more: Any) -> dict[str, Player]:
    leaky = lambda: nn.LeakyReLU(0.2)  # noqa: E731
    return {
        "g": Player(models.MLP((4, 8, 8, 2), seed=seed), betas=(0.5, 0.9), **more),
        "d": Player(models.MLP((2, 8, 8, 1), leaky, seed=seed), lr=2e-3, betas=(0.5, 0.9), **more),
    }


def smooth(seed: int) -> dict[str, Player]:
    return points(seed) | {"d": Player(models.MLP((2, 8, 8, 1), nn.SiLU, seed=seed))}


def dcgan(seed: int, norm: bool = True, resize: bool = False, **more: Any) -> dict[str, Player]:
    return {
        "g": Player(models.DCGANGenerator(4, 28, 4, batch_norm=norm, resize=resize, seed=seed), **more),
        "d": Player(models.DCGANDiscriminator(28, 4, batch_norm=norm, seed=seed), lr=2e-4, **more),
    }


RING = data.toy("ring", "cpu").batches(8)
GREY = images(28).batches(4, -1, 1)
STANDARD = adversaries(losses.discriminator, losses.non_saturating)
PENALISED = adversaries(losses.critic, losses.critic_generator, losses.gradient_penalty)
TWICE = adversaries(losses.critic, losses.critic_generator, losses.gradient_penalty, rounds=2)
HINGE = adversaries(losses.hinge_discriminator, losses.critic_generator)
SQUARES = adversaries(losses.least_squares_discriminator, losses.least_squares_generator)
SATURATING = adversaries(losses.discriminator, losses.saturating)
R1 = adversaries(losses.discriminator, losses.non_saturating, lambda d, real, fake, generator: losses.r1(d, real))
ONE_SIDED = adversaries(losses.critic, losses.critic_generator, partial(losses.gradient_penalty, one_sided=True))
BY_AUTOGRAD = adversaries(  # a function that knows no closed form is differentiated twice
    losses.critic,
    losses.critic_generator,
    lambda d, real, fake, generator: losses.gradient_penalty(lambda x: d(x), real, fake, generator),
)
R1_BY_AUTOGRAD = adversaries(
    losses.discriminator, losses.non_saturating, lambda d, real, fake, generator: losses.r1(lambda x: d(x), real)
)


def play(
    step: Step,
    build: Callable[..., dict[str, Player]] = points,
    batches: Any = RING,
    seed: int | list[int] = 5,
    steps: int = STEPS,
    players: dict[str, Player] | None = None,
    **more: Any,
) -> Run:
    seats = build(seed) if players is None else players
    return train.fit(step, seats, batches, steps=steps, seed=seed, progress=False, **{"read_every": 4} | more)


MOVING = partial(points, schedule=train.one_cycle, ema=0.99)
MOVING_DCGAN = partial(dcgan, schedule=train.one_cycle, ema=0.99)
GAMES: dict[str, Play] = {
    "vae, conv": partial(play_vae, "conv"),
    "vae, mlp": partial(play_vae, "mlp"),
    "vae, conv, mixed": partial(play_vae, "conv", precision="mixed"),
    "autoencoder": partial(play_study, latent_space.fit_autoencoder),
    "mistaken vae": partial(play_study, latent_space.fit_mistaken),
    "non-saturating": partial(play, STANDARD),
    "saturating": partial(play, SATURATING),
    "least squares": partial(play, SQUARES),
    "hinge": partial(play, HINGE),
    "penalty in closed form": partial(play, PENALISED),
    "penalty by autograd": partial(play, BY_AUTOGRAD),
    "penalty of a smooth critic": partial(play, PENALISED, smooth),
    "one-sided penalty, critic twice": partial(play, ONE_SIDED),
    "critic twice": partial(play, TWICE),
    "R1 in closed form": partial(play, R1),
    "R1 by autograd": partial(play, R1_BY_AUTOGRAD),
    "unrolled": partial(play, ahead),
    "ensemble, unrolled": partial(play, ahead, seed=SEEDS),
    "schedule and average": partial(play, STANDARD, MOVING),
    "schedule and average, penalty, mixed": partial(play, PENALISED, MOVING, precision="mixed"),
    "ensemble": partial(play, STANDARD, seed=SEEDS),
    "ensemble, penalty in closed form": partial(play, PENALISED, MOVING, seed=SEEDS),
    "ensemble, penalty by autograd, mixed": partial(play, BY_AUTOGRAD, seed=SEEDS, precision="mixed"),
    "dcgan": partial(play, STANDARD, dcgan, GREY),
    "dcgan, schedule, average, mixed": partial(play, HINGE, MOVING_DCGAN, GREY, precision="mixed"),
    "dcgan, resize": partial(play, SQUARES, partial(dcgan, resize=True), GREY),
    "dcgan, R1": partial(play, R1, partial(dcgan, norm=False), GREY),
    "dcgan, penalty": partial(play, PENALISED, partial(dcgan, norm=False, ema=0.9), GREY),
}


# What two updates ask of torch.


class Watched(capture.Captured):
    """Updates on one static batch, as `Captured` does, without a graph, and writes down the operators of each."""

    joined: list[Player]
    recordings: list[Recorder]

    def _record(self, batch: Any) -> None:
        self.batch = type(batch)(**{name: tensor.clone() for name, tensor in capture._fields(batch).items()})
        self.places = {storage(tensor): f"batch/{name}" for name, tensor in capture._fields(self.batch).items()}
        for player in self.joined:
            rate = player.optimiser.param_groups[0]["lr"]
            if isinstance(rate, Tensor):
                self.places[storage(rate)] = f"{player.name}/lr"
            self.places |= {storage(player.pace): f"{player.name}/pace", storage(player.guard.total): "guard"}
            self.places |= {storage(tensor): name for name, tensor in player.state().items()}
        self.graph = self  # whose replay is an update

    def replay(self) -> None:
        with Recorder(self.places) as recorder, NoReads():
            self.values = self.update(self.batch)
        self.recordings.append(recorder)


def watch(play: Play, change: Callable[[Player], None] = lambda player: None) -> list[Recorder]:
    """The operators of the fourth update of a run and of the fifth; change: what is done to a player that joins."""
    join = Player.join

    def joining(player: Player, *arguments: Any) -> None:
        join(player, *arguments)
        change(player)
        Watched.joined.append(player)

    Watched.joined, Watched.recordings = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture, "possible", lambda device, team: True)
        patch.setattr(capture, "Captured", Watched)
        patch.setattr(Player, "join", joining)
        play(steps=capture.EAGER + 2)
    return Watched.recordings


@pytest.mark.parametrize("game", GAMES)
def test_two_updates_call_the_same_operators_on_the_same_memory(game: str) -> None:
    """And all memory that they find is known: the networks, the optimisers, the batch, and what the host sets."""
    one, other = watch(GAMES[game])
    assert difference(one, other) is None
    assert one.strangers == other.strangers == []
    text = "\n".join(one.lines)
    for player in Watched.joined:
        assert f"[{player.name}/lr+0 float32()()]" in text
        assert (f"[{player.name}/pace+0 float32()()]" in text) == (player.ema is not None)
    assert "[guard+0" in text
    assert "[batch/x+0" in text
    assert "generator 0x" in text


def test_the_recording_tells_the_two_ways_to_a_gradient_apart() -> None:
    """So that the penalty by autograd is indeed differentiated twice, and precision="mixed" has an effect."""
    lines = {name: watch(GAMES[name])[0].lines for name in GAMES if "penalty" in name or "mixed" in name}
    assert len(lines["penalty by autograd"]) > len(lines["penalty in closed form"])
    assert all(any("bfloat16" in line for line in lines[name]) == ("mixed" in name) for name in lines)


def counted(act: Callable[[int, Mapping[str, Player], Any], Any]) -> Step:
    """The usual step, with `act(n, players, batch)` at the end of its n-th call."""
    calls: list[int] = []

    def step(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
        values = STANDARD(players, batch, generator)
        calls.append(1)
        act(len(calls), players, batch)
        return values

    return step


def weight(players: Mapping[str, Player]) -> Tensor:
    return players["g"].module.layers[0].weight


READS: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "branch": lambda x: 1 if x.sum() > 0 else 2,
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: x.numpy(),
    "cpu": lambda x: x.cpu(),
    "text": lambda x: f"{x.sum():.3f}",
    "nonzero": lambda x: x.nonzero(),
    "unique": lambda x: x.unique(),
    "masked_select": lambda x: x.masked_select(x > 0),
    "index by a mask": lambda x: x[x[:, 0] > 0],
    "assignment by a mask": lambda x: x.clone().__setitem__(x > 0, x[x > 0]),
    "equal": lambda x: torch.equal(x, x + 1),
    "allclose": lambda x: torch.allclose(x, x + 1),
    "repeat": lambda x: x.repeat_interleave(torch.ones_like(x[:, 0]).long(), 0),
    "a tensor of a number": lambda x: x * torch.tensor(0.5),
}


@pytest.mark.parametrize("name", READS)
def test_an_update_that_reads_to_the_host_is_noticed(name: str) -> None:
    with pytest.raises(HostRead):
        watch(partial(play, counted(lambda n, players, batch: READS[name](batch.x))))


def test_a_mask_that_keeps_the_shape_and_an_index_of_places_are_no_reads() -> None:
    def act(n: int, players: Mapping[str, Player], batch: Batch) -> None:
        batch.x.masked_fill(batch.x > 0, 1.0) + batch.x[batch.y.argsort()]

    assert difference(*watch(partial(play, counted(act)))) is None


def of_another_shape(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    batch.x[: 3 + n % 2].sum()


def with_a_counter(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    with torch.no_grad():
        weight(players).mul_(1 - 0.01 * n)


def with_a_buffer_that_is_swapped(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    before = getattr(players["g"], "mean", torch.zeros_like(batch.x))
    players["g"].mean = 0.9 * before + 0.1 * batch.x


def with_one_operator_more(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    if n > capture.EAGER + 1:
        batch.x.sum()


def with_a_view_that_moves(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    batch.x[n % 4].sum()


def with_another_whole_number(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    batch.x.roll(n, 0)


def with_another_type(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    batch.x.to(torch.float64 if n % 2 else torch.bfloat16)


CHANGES: dict[str, tuple[Callable[..., None], str]] = {
    "shape": (of_another_shape, "aten.slice"),
    "a number": (with_a_counter, "0.96"),
    "memory": (with_a_buffer_that_is_swapped, "aten.mul.Tensor"),
    "an operator": (with_one_operator_more, "the end|aten.sum"),
    "a view": (with_a_view_that_moves, "aten.select"),
    "a whole number": (with_another_whole_number, "aten.roll"),
    "a type": (with_another_type, "float64"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_update_that_changes_from_step_to_step_is_noticed(name: str) -> None:
    act, said = CHANGES[name]
    found = difference(*watch(partial(play, counted(act))))
    assert found is not None
    assert any(word in found for word in said.split("|"))


def test_memory_from_elsewhere_has_no_name() -> None:
    of_a_chapter = torch.ones(2)
    one, other = watch(partial(play, counted(lambda n, players, batch: batch.x + of_a_chapter)))
    assert difference(one, other) is None  # a constant may be recorded
    assert len(one.strangers) == 1


def as_a_number(player: Player) -> None:
    for group in player.optimiser.param_groups:
        group["lr"] = player.lr


def test_a_learning_rate_that_is_a_number_is_noticed_under_a_schedule() -> None:
    found = difference(*watch(partial(play, STANDARD, MOVING), as_a_number))
    assert found is not None
    assert "aten._fused_adam_" in found
    one, other = watch(partial(play, STANDARD), as_a_number)
    assert difference(one, other) is None  # it never changes here, and yet the rate is not found
    assert "g/lr" not in "\n".join(one.lines)


class Baked(Player):
    """A player whose average takes its pace as a number."""

    def prepare(self, done: int, steps: int) -> None:
        super().prepare(done, steps)
        self.share = 1 - min(self.ema, (2 + done) / (11 + done))

    @torch.no_grad()
    def settle(self) -> None:
        for mean, value in self.weights:
            mean.lerp_(value, self.share)


def baked(seed: int) -> dict[str, Player]:
    return points(seed) | {"g": Baked(models.MLP((4, 8, 8, 2), seed=seed), ema=0.99)}


def test_a_decay_that_is_a_number_is_noticed() -> None:
    found = difference(*watch(partial(play, STANDARD, baked)))
    assert found is not None
    assert "aten.lerp_.Scalar" in found


# A replayed run is the eager run.


class Uncaught(capture.Captured):
    """Never records."""

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        return self.update(batch)


def eagerly(play: Play, **more: Any) -> Run:
    """A run whose rate is a tensor, as on a GPU, and whose updates are not recorded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture, "possible", lambda device, team: True)
        patch.setattr(capture, "Captured", Uncaught)
        return play(**more)


def replayed(
    play: Play,
    kind: type[FakeGraph] = FakeGraph,
    captured: type[capture.Captured] = capture.Captured,
    graphs: list[FakeGraph] | None = None,
    **more: Any,
) -> Run:
    """A run whose updates are recorded in fake graphs, which `graphs` then holds."""

    def new() -> FakeGraph:
        graph = kind()
        if graphs is not None:
            graphs.append(graph)
        return graph

    streams = ["default"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture, "possible", lambda device, team: True)
        patch.setattr(capture, "Captured", captured)
        patch.setattr(torch.cuda, "CUDAGraph", new)
        patch.setattr(torch.cuda, "graph", fake_capture)
        patch.setattr(torch.cuda, "current_stream", lambda: streams[-1])
        patch.setattr(torch.cuda, "set_stream", streams.append)
        run = play(**more)
    assert streams[-1] == "default"
    return run


def bits(values: Mapping[str, Any]) -> dict[str, tuple]:
    arrays = {name: value.numpy() if isinstance(value, Tensor) else value for name, value in values.items()}
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def same(a: Run, b: Run) -> bool:
    """Bit for bit: the networks, their averages, the optimisers, the generator and all that was recorded."""
    return (
        (a.step, a.interrupted) == (b.step, b.interrupted)
        and bits(a.state) == bits(b.state)
        and bits(a.history.records) == bits(b.history.records)
        and bits(a.history.snapshots) == bits(b.history.snapshots)
    )


@pytest.mark.parametrize("game", GAMES)
def test_a_replayed_run_is_the_eager_run_bit_for_bit(game: str) -> None:
    eager, graphs = eagerly(GAMES[game]), []
    run = replayed(GAMES[game], graphs=graphs)
    assert same(run, eager)
    (graph,) = graphs
    assert graph.replays == STEPS - capture.EAGER
    assert len(graph.generators) == (len(SEEDS) if "ensemble" in game else 1)
    assert "generator" in run.state
    assert all(np.isfinite(values).all() for values in run.history.records.values())


def test_a_run_too_short_for_a_graph_records_none() -> None:
    graphs: list[FakeGraph] = []
    run = replayed(GAMES["non-saturating"], graphs=graphs, steps=capture.EAGER)
    assert graphs == []
    assert same(run, eagerly(GAMES["non-saturating"], steps=capture.EAGER))


def test_pictures_and_reads_do_not_disturb_a_replayed_run() -> None:
    settings = {
        "snapshot": lambda generator: {"noise": torch.randn(3, generator=generator)},
        "snapshot_every": 2,
        "read_every": 3,
    }
    game = partial(play, STANDARD, MOVING_DCGAN, GREY)
    run = replayed(game, **settings)
    assert same(run, eagerly(game, **settings))
    assert run.history.snapshots["step"].tolist() == [0, 2, 4, 6, 8, 9]
    assert bits(run.state) == bits(eagerly(game).state)


def test_on_a_cpu_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "CUDAGraph", None)
    one, several = (train.processing.Processes(rank=0, size=size) for size in (1, 2))
    seats = points(5, schedule=train.one_cycle)
    play(STANDARD, players=seats)
    assert all(isinstance(player.optimiser.param_groups[0]["lr"], float) for player in seats.values())
    assert not capture.possible(torch.device("cpu"), one)
    assert capture.possible(torch.device("cuda", 0), one)
    assert not capture.possible(torch.device("cuda", 0), several)


# The comparison can fail.


class OldBatch(capture.Captured):
    """Replays on the batch of the recording."""

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        return super().__call__(batch if self.graph is None else self.batch)


class LentValues(capture.Captured):
    """Hands out the graph's own tensors, which the next replay overwrites."""

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        values = super().__call__(batch)
        return values if self.graph is None else self.values


class ThenOneMore(capture.Captured):
    """Updates once before the first replay, as if the recording computed something."""

    def _record(self, batch: Any) -> None:
        super()._record(batch)
        self.graph.replay()


@pytest.mark.parametrize("wrong", [OldBatch, LentValues, ThenOneMore])
def test_the_comparison_rejects_a_graph_that_is_used_wrongly(wrong: type[capture.Captured]) -> None:
    for game in ("non-saturating", "vae, mlp"):
        assert not same(replayed(GAMES[game], captured=wrong), eagerly(GAMES[game]))


@pytest.mark.parametrize("act", [with_a_counter, with_a_buffer_that_is_swapped])
def test_the_comparison_rejects_an_update_that_changes_from_step_to_step(act: Callable) -> None:
    def game(**more: Any) -> Run:
        def and_use(n: int, players: Mapping[str, Player], batch: Batch) -> None:
            act(n, players, batch)
            with torch.no_grad():
                weight(players).add_(getattr(players["g"], "mean", batch.x).sum())

        return play(counted(and_use), **more)

    assert same(eagerly(game), eagerly(game))
    assert not same(replayed(game), eagerly(game))


@pytest.mark.parametrize("build", [MOVING, baked])
def test_the_comparison_rejects_numbers_in_place_of_tensors(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    join = Player.join

    def joining(player: Player, *arguments: Any) -> None:
        join(player, *arguments)
        if build is MOVING:
            as_a_number(player)

    monkeypatch.setattr(Player, "join", joining)
    game = partial(play, STANDARD, build)
    assert not same(replayed(game), eagerly(game))


def test_a_generator_that_is_not_registered_is_noticed() -> None:
    class Forgetful(FakeGraph):
        def register_generator_state(self, generator: torch.Generator) -> None:
            self.generators = [generator]

    with pytest.raises(AssertionError, match="not registered"):
        replayed(GAMES["ensemble"], Forgetful)
    with pytest.raises(AssertionError, match="global generator"):
        replayed(partial(play, counted(lambda n, players, batch: torch.randn(3))))


# Interrupts, and runs that are taken up.


class Calling:
    """The same batches; `act()` is called when number `step` is drawn for the first time."""

    def __init__(self, batches: Any, step: int, act: Callable[[], None]) -> None:
        self.batches, self.step, self.act = batches, step, act

    def at(self, step: int, seed: int) -> Any:
        if step == self.step:
            self.step = None
            self.act()
        return self.batches.at(step, seed)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("k", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("seed", [5, SEEDS])
def test_an_interrupted_run_that_is_taken_up_is_the_eager_run(k: int, seed: int | list[int], tmp_path: Any) -> None:
    game = partial(play, PENALISED, MOVING, seed=seed)
    whole = eagerly(game, steps=12)
    part = replayed(game, batches=Calling(RING, k - 1, interrupt), steps=12, folder=tmp_path)
    assert (part.step, part.interrupted) == (k, True)
    assert same(part, eagerly(game, batches=Calling(RING, k - 1, interrupt), steps=12))
    for resume in (part, tmp_path):
        graphs: list[FakeGraph] = []
        assert same(replayed(game, graphs=graphs, steps=12, resume=resume), whole)
        assert [graph.replays for graph in graphs] == [12 - k - capture.EAGER]
    assert not same(part, whole)


# Numbers that are not finite.


class Spoilt:
    """The same batches; the first number of batch `bad` is NaN, of an ensemble in the member with seed `of` alone."""

    def __init__(self, bad: int, of: int | None = None) -> None:
        self.bad, self.of = bad, of

    def at(self, step: int, seed: int) -> Batch:
        batch = RING.at(step, seed)
        if step == self.bad and self.of in (None, seed):
            batch.x[0, 0] = math.nan
        return batch


@pytest.mark.parametrize("k", [2, 4, 5, 7, 9])
@pytest.mark.parametrize("seed", [5, SEEDS])
def test_a_number_that_is_not_finite_ends_a_replayed_run_in_its_last_good_state(k: int, seed: int | list[int]) -> None:
    ensemble = not isinstance(seed, int)
    game = partial(play, STANDARD, MOVING, seed=seed)
    batches = Spoilt(k - 1, SEEDS[1] if ensemble else None)
    seats = MOVING(seed)
    with pytest.raises(train.Diverged) as caught:
        replayed(game, batches=batches, players=seats)
    error = caught.value
    assert (error.step, error.player, error.seed) == (k, "d", SEEDS[1] if ensemble else None)
    with pytest.raises(train.Diverged) as expected:
        eagerly(game, batches=batches)
    assert same(error.run, expected.value.run)
    assert k == 2 or same(error.run, eagerly(game, batches=Calling(RING, k - 2, interrupt)))
    live = {name: tensor for player in seats.values() for name, tensor in player.state().items()}
    assert bits(live) == bits({name: tensor for name, tensor in error.run.state.items() if name != "generator"})
    assert all(torch.isfinite(tensor).all() for tensor in live.values())
    assert same(replayed(game, resume=error.run), eagerly(game))  # without the fault


# Updates that cannot be recorded, or do not fit.


def reading(n: int, players: Mapping[str, Player], batch: Batch) -> None:
    with torch.no_grad():
        weight(players).mul_(1 - 0.01 * abs(math.sin(batch.x.sum().item())))


class Refusing(FakeGraph):
    """A graph that fails at its 40th operator, when half of the update is done and numbers are drawn."""

    error: Exception = RuntimeError("CUDA error: an error of CUDA\nmore")

    def before(self, function: Any) -> None:
        if len(self.calls) == 40:
            raise self.error


@pytest.mark.parametrize(
    ("act", "kind", "said"),
    [
        (reading, FakeGraph, NOT_PERMITTED),
        (lambda n, players, batch: None, Refusing, "CUDA error: an error of CUDA"),
    ],
)
@pytest.mark.parametrize("seed", [5, SEEDS])
def test_an_update_that_cannot_be_recorded_goes_on_without_and_says_why(
    act: Callable, kind: type[FakeGraph], said: str, seed: int | list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    def game(**more: Any) -> Run:
        return play(counted(act), MOVING, seed=seed, precision="mixed", **more)

    eager, graphs = eagerly(game), []
    capsys.readouterr()
    run = replayed(game, kind, graphs=graphs)
    assert capsys.readouterr().out == f"the update runs without a CUDA graph: {said}\n"
    assert [graph.replays for graph in graphs] == [0]
    assert same(run, eager)


def test_an_error_of_another_kind_is_not_hidden() -> None:
    def act(n: int, players: Mapping[str, Player], batch: Batch) -> None:
        if n > capture.EAGER:
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        replayed(partial(play, counted(act)))


class Full(Refusing):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


class FullAndInvalid(Refusing):
    error = torch.OutOfMemoryError("CUDA error: out of memory")  # the end of the recording fails too


@pytest.mark.parametrize("read_every", [1, 2, 50])
@pytest.mark.parametrize("kind", [Full, FullAndInvalid])
def test_a_recording_that_does_not_fit_into_the_memory_is_said_to_be_too_large(
    kind: type[FakeGraph], read_every: int
) -> None:
    game = partial(play, STANDARD, MOVING, read_every=read_every)
    with pytest.raises(train.TooLarge, match=r"a step on a batch of 8 .*; batches of 7 fit") as caught:
        replayed(game, kind)
    error = caught.value
    assert error.largest == 7
    assert error.run.step == capture.EAGER // read_every * read_every
    assert same(replayed(game, resume=error.run), eagerly(game))


# What a step may give, and what it may be given.


@pytest.mark.parametrize("how", [eagerly, replayed])
def test_a_record_that_is_no_tensor_is_refused_in_the_same_words(how: Callable) -> None:
    def step(*arguments: Any) -> Mapping[str, Any]:
        return dict(STANDARD(*arguments)) | {"a": 1.0}

    with pytest.raises(ValueError, match=r"the step returned 'a': 1\.0; return 0-d tensors"):
        how(partial(play, step), read_every=50)


@pytest.mark.parametrize("how", [eagerly, replayed])
@pytest.mark.parametrize("read_every", [1, 4, 50])
def test_a_parameter_is_recorded_as_it_is_after_its_step(how: Callable, read_every: int) -> None:
    seen: list[float] = []

    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

    def step(players: Mapping[str, Player], batch: Batch, generator: Any) -> Mapping[str, Tensor]:
        scale = players["net"].module.scale
        players["net"].minimise((scale * batch.x).square().mean())
        return {"scale": scale}

    def end(run: Run) -> float:
        return run.state["net/module/scale"].item()

    for steps in range(1, 7):
        seen.append(end(how(play, step=step, players={"net": Player(Scale(), lr=0.1)}, steps=steps)))
    run = how(play, step=step, players={"net": Player(Scale(), lr=0.1)}, steps=6, read_every=read_every)
    assert run.history.records["scale"].tolist() == seen
    assert len(set(seen)) == 6


class Uneven:
    """Batches of 8 points, and one of another size, in a stream that is drawn to its end."""

    def __init__(self, size: int) -> None:
        self.size = size

    def at(self, step: int, seed: int) -> Batch:
        return data.toy("ring", "cpu").batches(self.size if step == 5 else 8).at(step, seed)


@pytest.mark.parametrize("size", [1, 5, 8])
def test_a_batch_of_another_size_is_not_taken_for_the_recorded_one(size: int) -> None:
    game, graphs = partial(play, STANDARD, MOVING, batches=Uneven(size)), []
    assert same(replayed(game, graphs=graphs), eagerly(game))
    assert [graph.replays for graph in graphs] == [STEPS - capture.EAGER - (size != 8)]


def test_batches_that_are_kept_stay_as_they_are() -> None:
    kept = [RING.at(step, 5) for step in range(STEPS)]
    before = [batch.x.clone() for batch in kept]

    class Kept:
        def at(self, step: int, seed: int) -> Batch:
            return kept[step]

    run = replayed(partial(play, STANDARD, batches=Kept()))
    assert all(torch.equal(batch.x, x) for batch, x in zip(kept, before, strict=True))
    assert same(run, eagerly(GAMES["non-saturating"]))

"""The training loop: one update function for any number of players, on any device.

    def step(players, batch, generator):
        mu, log_var = vae.encoder(batch.x)
        ...
        players["vae"].minimise(loss)
        return {"elbo_nats": ...}

    run = train.fit(step, {"vae": vae}, digits.train.batches(128), steps=1_000, seed=0)

The loop knows no model, no loss and no figure. It keeps every number on the device and reads a block of them at a time,
so that the host never waits for one step; it stops cleanly when interrupted, and picks a run up where it was left.

With a sequence of seeds the run is an ensemble: parameters, batches and records have a leading axis of S members, and
member i is what the single run with seed i would be. Small networks train faster side by side than one by one.

Started by `torchrun`, the processes share every batch and train one run (see `gennotes.processes`).
"""

import copy
import dataclasses
import math
import operator
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from gennotes import capture, draws
from gennotes import device as devices
from gennotes import history as histories
from gennotes import processes as processing
from gennotes.history import CheckpointError, History
from gennotes.models import evaluating
from gennotes.processes import Processes


class Batches(Protocol):
    """What the loop draws from: `at(step, seed)` is a pure function, so a resumed run sees the same batches."""

    def at(self, step: int, seed: int) -> Any: ...


def constant(progress: float) -> float:
    """A schedule that leaves the learning rate as it is."""
    return 1.0


def plateau(progress: float) -> float:
    """A schedule: as it is for the first half of the run, then down in a straight line to 0.

    progress: share of the run that is done, in [0, 1]. Returns the factor of the learning rate, in [0, 1].
    """
    return min(1.0, 2 * (1 - progress))


def one_cycle(progress: float) -> float:
    """A schedule: up in a straight line over the first tenth of the run, then down along half a cosine to 0.

    progress: share of the run that is done, in [0, 1]. Returns the factor of the learning rate, in [0, 1].
    """
    return progress / 0.1 if progress < 0.1 else 0.5 * (1 + math.cos(math.pi * (progress - 0.1) / 0.9))


class Player:
    """A network and the optimiser that moves it: a VAE is one player, a GAN is two.

    module: the network; only its own parameters are moved by `minimise`.
    lr, betas: of Adam (Kingma & Ba 2015). schedule: factor of lr as a function of the share of the run that is done.
    ema: if given, decay of an exponential moving average of the weights, kept in `averaged` (a copy of the module).
    """

    def __init__(
        self,
        module: nn.Module,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        schedule: Callable[[float], float] = constant,
        ema: float | None = None,
    ) -> None:
        if not lr > 0:
            raise ValueError(f"lr={lr}: give a learning rate above 0")
        if ema is not None and not 0 <= ema < 1:
            raise ValueError(f"ema={ema}: give a decay in [0, 1), such as 0.999")
        self.module, self.lr, self.betas, self.schedule, self.ema = module, float(lr), betas, schedule, ema

    def minimise(self, loss: Tensor) -> None:
        """One step of Adam down the gradient of `loss` with respect to this player's parameters alone.

        loss: 0-d; of an ensemble (S,), one a member, each of which depends on its own member's parameters alone.
        """
        if loss.shape != self.guard.shape or not loss.requires_grad:
            what = (
                "depends on no parameter at all" if loss.shape == self.guard.shape else f"has shape {tuple(loss.shape)}"
            )
            wanted = f"one number a member {tuple(self.guard.shape)}" if self.guard.shape else "one number (0-d)"
            raise ValueError(f"{self.name}: the loss {what}; give {wanted} computed from the network's output")
        gradients = torch.autograd.grad(loss.sum() if loss.ndim else loss, self.parameters, allow_unused=True)
        if any(gradient is None for gradient in gradients):
            lost = ", ".join(n for (n, _), g in zip(self.named_parameters, gradients, strict=True) if g is None)
            raise ValueError(f"{self.name}: the loss does not depend on {lost}; use these parameters or freeze them")
        loss, *gradients = self.processes.average([loss.detach(), *gradients])
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if gradient.stride() != parameter.stride():  # a fused optimiser reads both in the order of memory
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient
        self.guard.watch(self.name, loss, gradients)
        self.optimiser.step()
        for parameter in self.parameters:
            parameter.grad = None
        torch.clear_autocast_cache()  # it holds the weights as they were before

    # What follows is called by the loop, not by a chapter.

    def join(self, name: str, guard: "_Guard", processes: Processes) -> None:
        """Take a seat in a run: on its device, with its guard, and a fresh optimiser."""
        self.name, self.guard, self.processes = name, guard, processes
        device = guard.total.device
        # Convolutions run faster on weights whose channels lie last (1.2 to 1.4 times on a CPU); nothing else changes.
        self.module.to(device).to(memory_format=torch.channels_last).train()
        self.named_parameters = [(n, p) for n, p in self.module.named_parameters() if p.requires_grad]
        self.parameters = [p for _, p in self.named_parameters]
        if not self.parameters:
            raise ValueError(f"{name}: the module has no parameter to train; give one that requires a gradient")
        # Where the update is replayed by itself, all that changes from step to step is a tensor.
        replayed = capture.possible(device, processes)
        lr = torch.tensor(self.lr, device=device) if replayed else self.lr
        self.optimiser = torch.optim.Adam(self.parameters, lr=lr, betas=self.betas, fused=True, capturable=replayed)
        for parameter in self.parameters:  # a step that is left out makes Adam's slots, for every state to hold
            parameter.grad = torch.zeros_like(parameter)
        self.optimiser.found_inf = torch.ones((), device=device)
        self.optimiser.step()
        self.optimiser.zero_grad()
        del self.optimiser.found_inf
        self.averaged = None if self.ema is None else copy.deepcopy(self.module).eval().requires_grad_(False)
        following = [] if self.averaged is None else [self.averaged, self.module]
        self.weights = list(zip(*(module.parameters() for module in following), strict=True))
        self.buffers = list(zip(*(module.buffers() for module in following), strict=True))
        self.pace = torch.zeros((), device=device)  # of the average: the share of the way that it goes in a step

    def prepare(self, done: int, steps: int) -> None:
        """Before a step, of which `done` are done: set what the host decides."""
        lr = self.lr * self.schedule(done / steps)
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        if self.averaged is not None:  # a short memory at first, when the weights still move fast
            self.pace.fill_(1 - min(self.ema, (2 + done) / (11 + done)))

    @torch.no_grad()
    def settle(self) -> None:
        """After a step: let the average follow."""
        for mean, value in self.weights:
            mean.lerp_(value, self.pace.to(mean.dtype))
        for mean, value in self.buffers:
            mean.copy_(value)

    def state(self) -> dict[str, Tensor]:
        """Everything that a step moves: the tensors themselves, not copies."""
        tensors = {f"{self.name}/module/{k}": v for k, v in self.module.state_dict().items()}
        if self.averaged is not None:
            tensors |= {f"{self.name}/averaged/{k}": v for k, v in self.averaged.state_dict().items()}
        for name, parameter in self.named_parameters:
            slots = self.optimiser.state[parameter]
            tensors |= {f"{self.name}/optimiser/{name}/{k}": v for k, v in slots.items()}
        return tensors

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


class Diverged(ArithmeticError):
    """A loss or a gradient was not finite. `step`, `player` and in an ensemble `seed` say where; `run` holds the last
    good state."""

    def __init__(self, step: int, player: str, run: "Run", seed: int | None = None) -> None:
        self.step, self.player, self.run, self.seed = step, player, run, seed
        member = "" if seed is None else f" (the member of seed {seed})"
        super().__init__(
            f"the loss or gradient of {player!r}{member} at step {step} is not finite; every network was left as it was"
            f" after step {step - 1} (see this error's .run). Lower the learning rate, or check the data and the loss"
            " for log(0), division by 0 or overflow"
        )


class TooLarge(MemoryError):
    """A step did not fit into the memory. `largest` is the largest batch that does, None where none was found; `run` is
    the run so far."""

    def __init__(
        self, players: Mapping[str, Player], batch: int, device: torch.device, largest: int | None, run: "Run"
    ) -> None:
        self.largest, self.run = largest, run
        sizes = (f"{name} {sum(p.numel() for p in player.parameters):,} weights" for name, player in players.items())
        advice = (
            f"batches of {largest} fit" if largest else "no smaller batch was found to fit: make the networks smaller"
        )
        super().__init__(
            f"a step on a batch of {batch} does not fit into the memory of {devices.describe(device)}"
            f" ({', '.join(sizes)}); {advice}."
            f" The networks are as they were after step {run.step} (see this error's .run)"
        )


@dataclass
class Run:
    """What `fit` returns: the history so far, and all that it takes to go on.

    interrupted: whether it was stopped before its last step. Give the run, or the folder it was saved to, as `resume=`.
    """

    history: History
    state: dict[str, Tensor]
    step: int
    interrupted: bool = False


def fit(
    step: Callable[[Mapping[str, Player], Any, torch.Generator], Mapping[str, Tensor]],
    players: Mapping[str, nn.Module | Player],
    batches: Batches,
    *,
    steps: int,
    seed: int | Sequence[int],
    snapshot: Callable[[torch.Generator], Mapping[str, Tensor]] | None = None,
    snapshot_every: int = 100,
    read_every: int = 50,
    folder: str | Path | None = None,
    save_every: int = 1_000,
    resume: "Run | str | Path | None" = None,
    precision: str = "float32",
    progress: bool = True,
    on_read: Callable[[History], None] | None = None,
) -> Run:
    """Train until `steps` updates are done, and return the run.

    step: `step(players, batch, generator)` makes one update of every player and returns named 0-d tensors to record.
    players: a module (moved by Adam with its usual settings) or a `Player` for each name.
    batches: see `Batches`; its device is the run's. seed: of the order of the batches and of `generator`; several of
        them make an ensemble: `step` then gets a batch (S, B, ...) and `draws.Generators`, and gives losses (S,).
    snapshot: `snapshot(generator)` returns named tensors to keep, every `snapshot_every` steps, before the first and
        after the last; it runs without gradients, modules in eval mode, with a generator of its own.
    read_every: steps between two reads from the device. on_read: called with the history after each.
    folder: where checkpoints go, every `save_every` steps and at the end. resume: a run, or a folder, to go on from.
    precision: "float32", or "mixed": weights in float32, matrix products and convolutions in bfloat16 where a short
        probe finds this device faster at them.

    `step` must be a function of its arguments alone (and the networks): a resumed run repeats what the first one would
    have done, and after a number that is not finite the steps since the last read are done again, to find the first.
    An interrupt (Ctrl-C, or the notebook's stop button) ends the run after the step under way; nothing is lost.
    In several processes `step` gets this process's share of the batch and draws its share of the noise, `minimise`
    averages the gradients; the first process shows progress and writes checkpoints, which any number of processes can
    take up; an interrupt ends the run at the next read.
    Raises Diverged if a loss or gradient is not finite, CheckpointError if `resume` does not fit or another run writes
    into `folder`, TooLarge if the memory does not hold a step.
    """
    if any(not isinstance(n, int) or n < 1 for n in (steps, read_every, snapshot_every, save_every)):
        raise ValueError(f"{steps=}, {read_every=}, {snapshot_every=}, {save_every=}: give whole numbers of at least 1")
    seed = operator.index(seed) if hasattr(seed, "__index__") else list(seed)
    draw = batches.at if isinstance(seed, int) else _side_by_side(batches)
    first = draw(0, seed)
    device, members = first.x.device, () if isinstance(seed, int) else (len(seed),)
    count = first.x.shape[: 1 + len(members)].numel()  # images a step, of all members and processes
    narrow = devices.narrows(device, precision)
    team = processing.join(device)
    if team.size > 1:
        draw = _share(draw, team, members, count)
    seats = {name: p if isinstance(p, Player) else Player(p) for name, p in players.items()}
    training = _Training(step, seats, draw, seed, steps, _Guard(device, members), team, narrow)
    settings = {"steps": steps, "seed": seed, "batch": count, "lr": {n: p.lr for n, p in seats.items()}}
    history = History(settings, histories.provenance(device))
    if resume is not None:
        training.done, history = _take_up(resume, seats, training.generator, seed, steps)
        history.settings, history.provenance = settings, histories.provenance(device)

    def current(interrupted: bool) -> Run:
        return Run(history, training.copy(), training.done, interrupted)

    def record(block: list[Mapping[str, Tensor]], rows: Mapping[str, np.ndarray]) -> None:
        steps_of_block = np.arange(training.done - len(block), training.done) + 1
        history.append("records", {"step": steps_of_block} | dict(rows))

    def take_snapshot() -> None:
        if snapshot is None or (history.snapshots and history.snapshots["step"][-1] == training.done):
            return
        with torch.no_grad(), evaluating(*(player.module for player in seats.values())):
            taken = snapshot(_generator(seed, device, Processes()))
        rows = {"step": np.array([training.done])} | {k: v.detach().cpu().numpy()[None] for k, v in taken.items()}
        history.append("snapshots", rows)

    # A bar that moved leaves nothing to read on a static page.
    quiet = not progress or not team.first or "GENNOTES_STATIC" in os.environ
    begun = training.done * count
    bar = tqdm(total=steps * count, initial=begun, unit=" images", unit_scale=True, disable=quiet, leave=False)
    kept = histories.writing(folder) if folder is not None and team.first else nullcontext()
    devices.keep_memory()
    with kept, devices.threads(_useful_threads(seats, count)), _stop_on_interrupt() as stopped, bar:
        if team.first:
            _say_once(device, narrow)
        if not history.snapshots:
            take_snapshot()
        while training.done < steps and not team.any(stopped()):
            done = training.done
            until = min(steps, *(done - done % every + every for every in (read_every, snapshot_every, save_every)))
            start, block = current(interrupted=True), []
            try:
                try:
                    while not block or (training.done < until and (team.size > 1 or not stopped())):
                        block.append(training.advance())
                    whole, rows = training.read(block)
                except Exception as error:
                    if _out_of_memory(error):
                        raise training.too_large(first, count, start) from error
                    if team.size == 1 and not training.finite():  # what the numbers led to is not the cause
                        training.again(start, len(block) + 1)
                    raise
                if not whole:
                    block = training.again(start, len(block))
                    _, rows = training.read(block)
            except _NotFinite as fault:
                if fault.block:
                    record(fault.block, training.read(fault.block)[1])
                member = None if fault.member is None or isinstance(seed, int) else seed[fault.member]
                raise Diverged(training.done + 1, fault.player, current(interrupted=True), member) from None
            record(block, rows)
            bar.update(len(block) * count)
            bar.set_postfix({k: f"{v[-1].mean():.4g}" for k, v in rows.items()}, refresh=False)
            if on_read is not None:
                on_read(history)
            done = training.done
            if snapshot is not None and (done % snapshot_every == 0 or done == steps):
                take_snapshot()
            if folder is not None and team.first and done % save_every == 0 and done < steps:
                histories.save(folder, done, training.copy(), history)
        run = current(interrupted=training.done < steps)
        if folder is not None and team.first:
            histories.save(folder, run.step, run.state, history)
        team.any(False)  # none goes on before the first one has written
    return run


class _Training:
    """The networks of a run and all that moves them: a step on, a copy of where they are, the way back to it."""

    def __init__(
        self,
        step: Callable,
        seats: Mapping[str, Player],
        draw: Callable[[int, Any], Any],
        seed: int | list[int],
        steps: int,
        guard: "_Guard",
        team: Processes,
        narrow: bool,
    ) -> None:
        self.step, self.seats, self.draw, self.seed, self.steps = step, seats, draw, seed, steps
        self.guard, self.team, self.narrow, self.done = guard, team, narrow, 0
        self.device = guard.total.device
        for name, player in seats.items():
            player.join(name, guard, team)
            if team.size > 1 and any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in player.module.modules()):
                what = "batch norm takes its statistics from each process's share of a batch"
                warnings.warn(f"{name}: {what}", stacklevel=3)
        self.generator = _generator(seed, self.device, team)
        captured = capture.possible(self.device, team)
        self.fast = capture.Captured(self.update, self.generator) if captured else self.update

    def update(self, batch: Any) -> Mapping[str, Tensor]:
        """All that a step does on the device."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.narrow):
            values = self.step(self.seats, batch, self.generator)
        for player in self.seats.values():
            player.settle()
        return {name: value.detach().clone() if isinstance(value, Tensor) else value for name, value in values.items()}

    def advance(self) -> Mapping[str, Tensor]:
        """One step, and what it says."""
        for player in self.seats.values():
            player.prepare(self.done, self.steps)
        # Where every number is looked at, nothing is replayed.
        values = (self.update if self.guard.strict else self.fast)(self.draw(self.done, self.seed))
        self.done += 1
        return values

    def read(self, block: list[Mapping[str, Tensor]]) -> tuple[bool, dict[str, np.ndarray]]:
        """Whether all numbers are finite, and the values of a block's steps."""
        return self.guard.read(block, self.live(), self.team)

    def live(self) -> dict[str, Tensor]:
        """All that a step moves but the generator: the tensors themselves."""
        return {name: tensor for player in self.seats.values() for name, tensor in player.state().items()}

    def finite(self) -> bool:
        return _finite([self.guard.total, *self.live().values()])

    def copy(self) -> dict[str, Tensor]:
        """The state, to go back to or to keep."""
        state = {name: tensor.detach().clone() for name, tensor in self.live().items()}
        return state | {"generator": self.generator.get_state()}

    def go_back(self, step: int, state: Mapping[str, Tensor]) -> None:
        _restore(state, self.seats, self.generator)
        self.guard.total.zero_()
        self.done = step

    def again(self, start: Run, count: int) -> list[Mapping[str, Tensor]]:
        """A block that went wrong, once more from its start and with a look at every number.

        Raises _NotFinite with the block so far, back before the first step with a number that is not finite.
        """
        self.go_back(start.step, start.state)
        block: list[Mapping[str, Tensor]] = []
        self.guard.strict = True
        try:
            for _ in range(count):
                before = self.copy()
                try:
                    values = self.advance()
                    bad = [name for name, player in self.seats.items() if not _finite(player.state().values())]
                    if self.team.any(bool(bad)):
                        raise _NotFinite([*bad, *self.seats][0])
                except _NotFinite as fault:
                    self.go_back(start.step + len(block), before)
                    fault.block = block
                    raise
                block.append(values)
        finally:
            self.guard.strict = False
        return block

    def too_large(self, batch: Any, count: int, start: Run) -> TooLarge:
        """The error of a step that the memory does not hold, back at the block's start."""
        back = partial(self.go_back, start.step, start.state)
        back()
        trial = None
        if self.team.size == 1:
            trial = lambda rows: self.update(_rows(batch, len(self.guard.shape), rows))  # noqa: E731
        return TooLarge(self.seats, count, self.device, _largest(trial, count // self.guard.total.numel(), back), start)


class _NotFinite(ArithmeticError):
    """Of a strict guard: the player, and the member of an ensemble; `block`, the steps before in `_Training.again`."""

    def __init__(self, player: str, member: int | None = None) -> None:
        self.player, self.member, self.block = player, member, []


class _Guard:
    """Notices numbers that are not finite: at the next read, or at once where it is strict.

    One addition a loss is all that it costs. What is not finite stays so, in the sum of the losses or in the networks
    and optimisers that it reaches, so that it is there to be seen at the read; the block is then run again, strictly.
    """

    def __init__(self, device: torch.device, shape: tuple[int, ...]) -> None:
        self.shape = torch.Size(shape)  # of a loss: () or (S,)
        self.total = torch.zeros(shape, device=device)  # of all losses since the last read
        self.strict = False

    def watch(self, player: str, loss: Tensor, gradients: Sequence[Tensor]) -> None:
        self.total += loss
        if self.strict:
            if self.shape:
                value = loss + torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).sum(0)
            else:
                value = loss + torch.nn.utils.get_total_norm(gradients)
            good = torch.isfinite(value)
            if not good.all():
                raise _NotFinite(player, int(good.int().argmin()) if self.shape else None)

    def read(
        self, block: list[Mapping[str, Tensor]], state: Mapping[str, Tensor], team: Processes
    ) -> tuple[bool, dict[str, np.ndarray]]:
        """The one host read of a block: whether all was finite, and the values of its steps."""
        names = list(block[0])
        for values in block:
            if list(values) != names:
                raise ValueError(f"one step returned {names}, another {list(values)}; return the same names always")
            for name, value in values.items():
                if name == "step" or not isinstance(value, Tensor) or value.shape not in ((), self.shape):
                    wanted = f"0-d tensors or one number a member {tuple(self.shape)}" if self.shape else "0-d tensors"
                    raise ValueError(f"the step returned {name!r}: {value!r}; return {wanted}, none named 'step'")
        values = [v[name].to(self.total).expand(self.shape) for v in block for name in names]
        whole = _all_finite([self.total, *state.values()])
        (flat,) = team.average([torch.cat([whole[None], *(value.reshape(-1) for value in values)])])
        good, *numbers = flat.tolist()
        self.total.zero_()
        table = np.array(numbers, dtype=np.float32).reshape(len(block), len(names), *self.shape)
        return good == 1, {name: table[:, i] for i, name in enumerate(names)}


def _all_finite(tensors: Iterable[Tensor]) -> Tensor:
    """1 if every number of every tensor is finite, else 0: 0-d, float32, on their device."""
    kept = [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    if kept[0].is_cuda:
        told = torch._foreach_norm(kept, math.inf)  # two kernels for all of them
    else:
        told = [tensor.sum(dtype=torch.promote_types(tensor.dtype, torch.float32)) for tensor in kept]
    return torch.isfinite(torch.stack([value.float() for value in told])).all().float()


def _finite(tensors: Iterable[Tensor]) -> bool:
    return bool(_all_finite(tensors))


def _useful_threads(seats: Mapping[str, Player], images: int) -> int:
    """All of them for convolutions, else one for each 20 million products of a weight and an image in a step.

    Small layers gain little by a second thread on a quiet machine and lose much on a busy one, where it is waited for:
    the page on performance has the measurements.
    """
    weights = [parameter for player in seats.values() for parameter in player.parameters]
    if any(weight.ndim > 3 for weight in weights):
        return torch.get_num_threads()
    members = next(iter(seats.values())).guard.total.numel()  # 1 without an ensemble
    return round(images // members * sum(weight.numel() for weight in weights) / 20e6)


def _out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the host in the words of torch's allocator, had no memory left."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _largest(trial: Callable[[int], Any] | None, batch: int, restore: Callable[[], None]) -> int | None:
    """The largest batch, below one that does not fit, of which a trial step fits; None if none does or may be tried."""
    fits, fails = 0, batch
    while trial is not None and fails - fits > max(1, fits // 16):
        size = (fits + fails) // 2
        try:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            trial(size)
            fits = size
        except Exception as error:
            if not _out_of_memory(error):
                break  # an update for one size of batch alone, or batch norm on a single image
            fails = size
        finally:
            restore()
    return fits or None


def _rows(batch: Any, axis: int, count: int) -> Any:
    """The first `count` rows of every field of a batch."""
    names = [field.name for field in dataclasses.fields(batch)]
    return type(batch)(**{name: getattr(batch, name).narrow(axis, 0, count) for name in names})


def _generator(seed: int | list[int], device: torch.device, team: Processes) -> draws.AnyGenerator:
    if not isinstance(seed, int):
        return draws.Generators(seed, device)
    single = torch.Generator(device).manual_seed(seed)
    return draws.Share(single, team.rank, team.size) if team.size > 1 else single


def _share(draw: Callable, team: Processes, members: tuple[int, ...], count: int) -> Callable:
    """This process's rows of every batch."""
    if members or count % team.size:
        what = f"an ensemble of {members[0]}" if members else f"batches of {count}"
        raise ValueError(
            f"{team.size} processes cannot share {what}; give one seed and batches of a multiple of {team.size}"
        )

    def at(step: int, seed: int) -> Any:
        batch = draw(step, seed)
        rows = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
        return type(batch)(**{name: tensor.chunk(team.size)[team.rank] for name, tensor in rows.items()})

    return at


def _side_by_side(batches: Batches) -> Callable[[int, list[int]], Any]:
    """The batches of every member, stacked: each field (S, B, ...)."""

    def at(step: int, seeds: list[int]) -> Any:
        parts = [batches.at(step, seed) for seed in seeds]
        names = [field.name for field in dataclasses.fields(parts[0])]
        return type(parts[0])(**{name: torch.stack([getattr(part, name) for part in parts]) for name in names})

    return at


def _take_up(
    resume: Run | str | Path,
    seats: Mapping[str, Player],
    generator: draws.AnyGenerator,
    seed: int | list[int],
    steps: int,
) -> tuple[int, History]:
    if isinstance(resume, Run):
        done, state, history = resume.step, resume.state, resume.history
    else:
        done, state, history = histories.load(resume)
    if history.settings.get("seed") != seed:
        raise CheckpointError(f"the run to resume had seed {history.settings.get('seed')}, not {seed}; give that seed")
    if done > steps:
        raise CheckpointError(f"the run to resume has done {done} steps, more than steps={steps}; give at least {done}")
    wanted = {name: _form(t) for player in seats.values() for name, t in player.state().items()}
    wanted["generator"] = _form(generator.get_state())
    given = {name: _form(t) for name, t in state.items()}
    for name in wanted | given:
        if wanted.get(name) != given.get(name):
            raise CheckpointError(
                f"the run to resume is of other players or another device: {name} is {given.get(name, 'not there')},"
                f" wanted {wanted.get(name, 'none')}; build them with the settings of that run"
            )
    _restore(state, seats, generator)
    return done, History(records=dict(history.records), snapshots=dict(history.snapshots))


def _restore(state: Mapping[str, Tensor], seats: Mapping[str, Player], generator: draws.AnyGenerator) -> None:
    for player in seats.values():
        player.restore(state)
    generator.set_state(state["generator"])


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt into a request to stop after the step under way; a second one stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(signum: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


_said: set[str] = set()


def _say_once(device: torch.device, narrow: bool) -> None:
    line = f"training on {devices.describe(device)} in float32"
    if narrow:
        line += ", products in bfloat16"
    if line not in _said:
        _said.add(line)
        print(line)

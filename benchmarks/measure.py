"""One measurement, in a process of its own: `python -m benchmarks.measure CASE WAY` prints it as JSON.

The allocator, the number of threads and what a library has warmed up belong to a process, so each way to do a case gets
a fresh one. A rate is of real images a second, counted from the end of a first stretch to the end of the last.
"""

import argparse
import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks import ours, pictures
from benchmarks.baselines import bound, vae
from benchmarks.baselines.images import Digits
from gennotes import capture, data, losses, metrics, train
from gennotes import device as devices
from gennotes.data import Batch

SECONDS = 3.0  # of a measurement, after the first stretch
BOUND_IMAGES = 40
SEEDS = list(range(8))
BUILDERS: dict[str, Callable[..., ours.Workload]] = {
    "vae": ours.make_vae,
    "dcgan": ours.make_dcgan,
    "dcgan28": ours.make_dcgan28,
    "wgan_gp": ours.make_wgan_gp,
}
READ_EVERY = {"vae": 50, "dcgan": 10, "dcgan28": 10, "wgan_gp": 10}  # steps of a stretch, some tenths of a second


class Enough(Exception):
    """Ends a run that was long enough."""


def plain(case: str, device: torch.device) -> float:
    """Images a second of a baseline."""
    updates = importlib.import_module(f"benchmarks.baselines.{case}").train(device)
    for _ in range(5):
        next(updates)
    start, images = time.perf_counter(), 0
    while time.perf_counter() < start + SECONDS:
        images += next(updates)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return images / (time.perf_counter() - start)


def run(work: ours.Workload, read_every: int, on_read: Callable, seed: int | list[int] = 0, **how: Any) -> None:
    """`train.fit`, until `on_read` raises Enough; nothing but a measurement is printed."""
    settings = {"steps": 10**9, "progress": False} | how
    with contextlib.suppress(Enough), contextlib.redirect_stdout(sys.stderr):
        train.fit(work.step, work.players, work.batches, seed=seed, read_every=read_every, on_read=on_read, **settings)


def fit(work: ours.Workload, count: int, read_every: int, seed: int | list[int] = 0, **how: Any) -> float:
    """`count` times the updates a second of `train.fit`; with `steps`, of a run of that length."""
    reads: list[tuple[float, int]] = []

    def on_read(history: train.History) -> None:
        reads.append((time.perf_counter(), int(history.records["step"][-1])))
        if "steps" not in how and reads[-1][0] > reads[0][0] + SECONDS:
            raise Enough

    run(work, read_every, on_read, seed, **how)
    (begin, first), (end, last) = reads[0], reads[-1]
    return count * (last - first) / (end - begin)


def ours_of(case: str, device: torch.device, precision: str = "float32", **options: Any) -> float:
    """Images a second of the package."""
    work = BUILDERS[case](device, **options)
    return fit(work, len(work.batches.at(0, 0).x), READ_EVERY[case], precision=precision)


class Bare:
    """A player without a loop around it: the same optimiser, and nothing that looks at what it does."""

    def __init__(self, player: train.Player, device: torch.device) -> None:
        self.module = player.module.to(device).to(memory_format=torch.channels_last)
        self.parameters = list(self.module.parameters())
        self.optimiser = torch.optim.Adam(self.parameters, lr=player.lr, betas=player.betas, fused=True)

    def minimise(self, loss: Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward(inputs=self.parameters)
        self.optimiser.step()


def overhead(case: str, device: torch.device) -> float:
    """Time of a stretch of `train.fit`, read and all, over that of the same number of bare steps, less 1; the median.

    The bare steps are taken between two stretches of the fit, in the same process.
    """
    work, alone = (BUILDERS[case](device) for _ in range(2))
    players = {name: Bare(player, device) for name, player in alone.players.items()}
    generator, ratios = torch.Generator(device).manual_seed(0), []
    clock = [time.perf_counter()]

    def on_read(history: train.History) -> None:
        fitted = time.perf_counter() - clock[0]
        start = time.perf_counter()
        for step in range(READ_EVERY[case]):
            alone.step(players, alone.batches.at(step, 0), generator)
        ratios.append(fitted / (time.perf_counter() - start))
        if len(ratios) > 4 and time.perf_counter() > begin + 4 * SECONDS:
            raise Enough
        clock[0] = time.perf_counter()

    begin = time.perf_counter()
    run(work, READ_EVERY[case], on_read)
    return statistics.median(ratios[2:]) - 1


# ------------------------------------------------------------------------------------------------ the bound


def binary_digits(count: int) -> Tensor:
    x = data.load("mnist-5k", "cpu").test.pixels()[:count]
    return torch.bernoulli(x, generator=torch.Generator().manual_seed(0))


def coders(net: vae.VAE) -> tuple[Callable, Callable]:
    def decode(z: Tensor) -> Tensor:
        return net.out(torch.relu(net.back(z))).unflatten(1, (1, 28, 28))

    return lambda x: net.encode(x.flatten(1)), decode


def bounds(net: vae.VAE, x: Tensor, precision: str, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return metrics.log_likelihood(*coders(net), x, bound.SAMPLES, generator, precision=precision)


def bound_rate(way: str) -> float:
    """Images a second."""
    net, x = vae.VAE(), binary_digits(BOUND_IMAGES)

    def once(images: Tensor) -> None:
        if way == "plain":
            list(bound.log_likelihoods(net, images.flatten(1)))
        else:
            bounds(net, images, way)

    once(x[:2])
    start = time.perf_counter()
    once(x)
    return len(x) / (time.perf_counter() - start)


def bound_deviation() -> dict[str, float]:
    """What "mixed" does to the bounds of a trained VAE, in nats, beside what other random draws do."""
    device = torch.device("cpu")
    work = ours.make_vae(device)
    with contextlib.redirect_stdout(sys.stderr):
        train.fit(work.step, work.players, work.batches, steps=2_000, seed=0, progress=False)
    net, x = work.players["vae"].module, binary_digits(100)
    exact, mixed, redrawn = bounds(net, x, "float32"), bounds(net, x, "mixed"), bounds(net, x, "float32", seed=1)
    by_script = torch.stack(list(bound.log_likelihoods(net, x.flatten(1))))
    return {
        "images": len(x),
        "mean_bound_nats": exact.mean().item(),
        "mixed_mean_nats": (mixed - exact).mean().item(),
        "mixed_largest_nats": (mixed - exact).abs().max().item(),
        "redrawn_mean_nats": (redrawn - exact).mean().item(),
        "redrawn_largest_nats": (redrawn - exact).abs().max().item(),
        "plain_mean_nats": (by_script - exact).mean().item(),
    }


# ------------------------------------------------------------------------------------------------ several at once


def ensemble(way: str, device: torch.device) -> float:
    """Updates of one seed, a second."""
    seed = SEEDS if way == "side by side" else 0
    work = ours.make_ring(device, seed)
    return fit(work, len(SEEDS) if way == "side by side" else 1, 50, seed)


def processes(way: str) -> float:
    """Images a second of one process on all threads, or of two processes with one thread each."""
    if way == "two" and "RANK" not in os.environ:
        run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        again = [*run, "-m", "benchmarks.measure", "processes", "two"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GENNOTES_DEVICE": "cpu"}
        done = subprocess.run(again, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])
    work = ours.make_vae(torch.device("cpu"))
    return fit(work, vae.BATCH, 50, steps=1_500)


# ------------------------------------------------------------------------------------------------ levers


class Loaded:
    """Batches out of a DataLoader, as a script reads them."""

    def __init__(self) -> None:
        digits = Digits(transforms.ToTensor())
        self.loader = DataLoader(digits, batch_size=vae.BATCH, shuffle=True, drop_last=True)
        self.rest = iter(self.loader)

    def at(self, step: int, seed: int) -> Batch:
        batch = next(self.rest, None)
        if batch is None:
            self.rest = iter(self.loader)
            batch = next(self.rest)
        return Batch(*batch)


class UnfusedAdam(torch.optim.Adam):
    """Torch's default: each operation over all parameters before the next."""

    def __init__(self, *parameters: Any, **settings: Any) -> None:
        super().__init__(*parameters, **settings | {"fused": False})

    def step(self, closure: None = None) -> None:
        skipped = self.__dict__.pop("found_inf", None)  # which this kind does not know
        super().step(closure)
        if skipped is not None:
            self.found_inf = skipped


def softplus(x: Tensor, logits: Tensor) -> Tensor:
    return (x * logits - nn.functional.softplus(logits)).sum(-1)


def looking(self: Any, player: str, loss: Tensor, gradients: list[Tensor]) -> None:
    self.total += loss + torch.nn.utils.get_total_norm(gradients)


def change(lever: str) -> None:
    """Take a lever out of the package, or put one in that is not there."""
    match lever:
        case "fused Adam":
            torch.optim.Adam = UnfusedAdam
        case "kept memory":
            devices.keep_memory = lambda: None
        case "log-likelihood by products":
            losses._LogLikelihood.apply = softplus
        case "channels last":
            torch.channels_last = torch.contiguous_format
        case "all threads":
            train._useful_threads = lambda seats, images: 1
        case "one thread":
            train._useful_threads = lambda seats, images: torch.get_num_threads()
        case "no look at every gradient":
            train._Guard.watch = looking
        case "bfloat16 inside float32 products":
            torch.backends.mkldnn.matmul.fp32_precision = "bf16"
            torch.backends.mkldnn.conv.fp32_precision = "bf16"


LEVERS = {  # the case that a lever is measured in; what it is taken out of, or put into
    "images on the device": "vae",
    "log-likelihood by products": "vae",
    "fused Adam": "vae",
    "no look at every gradient": "vae",
    "all threads": "vae",
    "kept memory": "dcgan",
    "channels last": "dcgan",
    "upsampling within the convolution": "dcgan",
    "penalty in closed form": "wgan_gp",
    "one thread": "ring",
}
TRIED = {  # what does not help, or less than what was taken
    "bfloat16 inside float32 products": "vae",
    "torch.compile": "dcgan28",
}


def with_change(lever: str, device: torch.device) -> float:
    """The rate in float32 without a lever, or with one that was tried."""
    change(lever)
    case = (LEVERS | TRIED)[lever]
    if case == "ring":
        return fit(ours.make_ring(device, 0), 1, 50)
    options = {"upsampling within the convolution": {"resize": False}, "penalty in closed form": {"closed_form": False}}
    work = BUILDERS[case](device, **options.get(lever, {}))
    if lever == "images on the device":
        work = ours.Workload(work.step, work.players, Loaded())
    if lever == "torch.compile":
        for player in work.players.values():
            player.module.compile()
    return fit(work, len(work.batches.at(0, 0).x), READ_EVERY[case])


def beside_another(way: str, device: torch.device) -> float:
    """Updates a second of a small GAN on all threads or on one, while another process keeps a core busy."""
    if way == "all":
        change("one thread")
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return fit(ours.make_ring(device, 0), 1, 50)
    finally:
        other.kill()
        other.wait()


# ------------------------------------------------------------------------------------------------ GPU


def kernels(case: str, device: torch.device) -> float:
    """Milliseconds of a GPU's kernels in one update: what a step takes if none waits for the next."""
    work, steps = BUILDERS[case](device), READ_EVERY[case]
    watch = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])

    def on_read(history: train.History) -> None:
        done = len(history.records["step"])
        if done == 2 * steps:
            watch.start()
        if done == 3 * steps:
            watch.stop()
            raise Enough

    run(work, steps, on_read)
    return sum(event.self_device_time_total for event in watch.key_averages()) / 1e3 / steps


def measure(case: str, way: str, device: torch.device, seed: int = 0) -> Any:
    """One number, or a dict of them."""
    if case == "pictures":
        return pictures.measure(way, device, seed)
    if case == "overhead":
        return overhead(way, device)
    if case == "bound":
        return bound_deviation() if way == "deviation" else bound_rate(way)
    if case == "ensemble":
        return ensemble(way, device)
    if case == "processes":
        return processes(way)
    if case == "busy":
        return beside_another(way, device)
    if case == "lever":
        return with_change(way, device)
    if case == "ring":
        return fit(ours.make_ring(device, 0), 1, 50)
    if way == "plain":
        return plain(case, device)
    if way == "kernels":
        return kernels(case, device)
    if way == "eager":
        capture.possible = lambda device, team: False
    return ours_of(case, device, "mixed" if way == "mixed" else "float32")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure")
    parser.add_argument("case")
    parser.add_argument("way")
    parser.add_argument("seed", type=int, nargs="?", default=0, help="of pictures")
    given = parser.parse_args()
    found = measure(given.case, given.way, devices.find(), given.seed)
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(found))


if __name__ == "__main__":
    main()

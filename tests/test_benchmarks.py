"""The benchmarks: both sides do the same work, and what is printed is what was measured."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from benchmarks import __main__ as bench
from benchmarks import measure, ours, pictures
from benchmarks.baselines import bound, dcgan, dcgan28, dcgan64, vae, wgan_gp
from gennotes import data, draws, losses, metrics, models
from gennotes.studies import dcgan as small_net

ROOT = Path(__file__).resolve().parent.parent
CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Both sides do the same work.


@pytest.mark.parametrize("baseline", [vae, wgan_gp, dcgan, dcgan28, dcgan64])
def test_a_baseline_trains(baseline) -> None:
    assert list(islice(baseline.train(CPU), 2)) == [baseline.BATCH] * 2


def test_the_losses_of_the_vae_are_the_same() -> None:
    net, x = vae.VAE(), torch.rand(8, 784, generator=rng())
    mu, log_var = net.encode(x)
    logits = net.out(torch.relu(net.back(mu)))
    theirs = vae.loss_function(torch.sigmoid(logits), x, mu, log_var)
    total = losses.elbo(x, logits, mu, log_var).total
    assert_close(-total.sum(), theirs, rtol=1e-5, atol=0)
    assert abs(-total.mean() / theirs - 1) > 0.5  # a mean would be seen
    kept = next(iter(ours.make_vae(CPU).players.values())).module
    assert [p.shape for p in kept.parameters()] == [p.shape for p in net.parameters()]


def test_the_critics_and_their_penalties_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    work = ours.make_wgan_gp(CPU)
    critic = wgan_gp.Critic()
    f = work.players["critic"].module
    for mine, theirs in zip(f.parameters(), critic.parameters(), strict=True):
        mine.data.copy_(theirs.data)
    real, fake = torch.rand(2, 16, 1, 28, 28, generator=rng())
    assert_close(f(real.flatten(1)), critic(real).squeeze(1))
    share = torch.rand(16, generator=rng(1))
    monkeypatch.setattr(torch, "rand", lambda *shape, **how: share.view(-1, 1, 1, 1))
    monkeypatch.setattr(draws, "uniform", lambda *shape, generator: share.view(-1, 1))
    theirs = wgan_gp.gradient_penalty(critic, fake, real)  # it weighs its second argument by 1 − u
    assert_close(losses.gradient_penalty(f, real.flatten(1), fake.flatten(1), rng()), theirs)
    assert len(work.batches.at(0, 0).x) == wgan_gp.CRITIC_STEPS * wgan_gp.BATCH


def test_the_generator_that_resizes_within_the_convolution_is_the_same() -> None:
    g, theirs = ours.make_dcgan(CPU).players["generator"].module, dcgan.Generator()
    assert any(isinstance(layer, models.ResizeConv2d) for layer in g.body)
    g.load_state_dict(dict(zip(g.state_dict(), theirs.state_dict().values(), strict=True)))
    z = torch.randn(4, dcgan.LATENT, generator=rng())
    assert_close(g(z), theirs(z), rtol=1e-4, atol=1e-5)
    assert ours.make_dcgan(CPU).batches.at(0, 0).x.shape == (dcgan.BATCH, 1, dcgan.SIZE, dcgan.SIZE)


def test_both_bounds_estimate_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "SAMPLES", 400)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net, x = vae.VAE(), measure.binary_digits(6)
        theirs = torch.stack(list(bound.log_likelihoods(net, x.flatten(1))))
    mine = metrics.log_likelihood(*measure.coders(net), x, 400, rng())
    assert_close(theirs, mine, rtol=0, atol=0.5)  # nats, of about 550; the samples differ
    assert (theirs - theirs.roll(1)).abs().min() > 0.5  # so another image would be seen


def test_the_networks_of_64_pixels_are_those_of_the_linked_application() -> None:
    """As its page prints them: kernels (in, out, 4, 4) or the reverse, and no bias but of batch norms."""
    shapes = [tuple(p.shape) for p in dcgan64.Generator().parameters() if p.ndim == 4]
    assert shapes == [(a, b, 4, 4) for a, b in ((100, 512), (512, 256), (256, 128), (128, 64), (64, 1))]
    shapes = [tuple(p.shape) for p in dcgan64.Discriminator().parameters() if p.ndim == 4]
    assert shapes == [(a, b, 4, 4) for a, b in ((64, 1), (128, 64), (256, 128), (512, 256), (1, 512))]
    assert sum(p.numel() for p in dcgan64.Generator().parameters()) == 3_574_656
    assert dcgan64.Discriminator()(dcgan64.Generator()(torch.randn(2, 100, 1, 1, generator=rng()))).shape == (2,)


# Time to a distance.


@pytest.fixture
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SAMPLES", 70)


def test_the_clock_stands_still_while_images_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 13.0, 14.0, 54.0, 56.0])
    monkeypatch.setattr(pictures.time, "perf_counter", lambda: next(now))
    clock = pictures.Clock()
    assert clock.seconds() == 3
    with clock.stopped():
        pass  # from 14 to 54
    assert clock.seconds() == 6


@pytest.mark.parametrize("size", [28, 64])
def test_both_sizes_are_judged_on_one_scale(size: int) -> None:
    """The training digits lie at a distance of 0 from themselves, enlarged ones close by; others are far away."""
    real = 2 * ours._sized(data.load("mnist-5k", CPU).train, size).pixels() - 1
    judge = pictures.Judge(CPU, 1)
    judge.codes = torch.arange(float(pictures.SAMPLES))[:, None]
    assert judge(lambda z: real[z[:, 0].long()]) < (1e-6 if size == 28 else 10)
    assert judge(lambda z: -real[z[:, 0].long()]) > 100
    assert judge(lambda z: real[z[:, 0].long() % 400]) > (1e-2 if size == 28 else 0)


@pytest.mark.usefixtures("few_samples")
def test_ours_is_trained_until_it_is_near_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "TARGET", 1e9)
    found = pictures.time_to("28 pixels", 0, CPU)
    assert found["seconds"] == found["spent"] > 0
    assert found["updates"] == 20
    assert len(found["checks"]) == 1
    monkeypatch.setattr(pictures, "TARGET", 0.0)  # no generator is as near as that
    monkeypatch.setattr(pictures, "LIMIT", 0.0)
    found = pictures.time_to("28 pixels", 0, CPU)
    assert found["seconds"] is None
    assert found["spent"] > 0


@pytest.mark.parametrize("way", pictures.WAYS)
def test_each_way_makes_images_of_its_size(way: str) -> None:
    work = ours.make_pictures(CPU, **pictures.WAYS[way])
    side, real = pictures.WAYS[way]["size"], work.batches.at(0, 0).x
    assert real.shape[1:] == (1, side, side)
    assert side == int(way.split()[0])
    fake = work.players["generator"].module(torch.randn(len(real), small_net.SMALL.latent, generator=rng()))
    assert fake.shape == real.shape
    assert work.players["discriminator"].module(fake).shape == (len(real),)


@pytest.mark.usefixtures("few_samples")
@pytest.mark.parametrize(("distances", "checks"), [([50.0, 9.0, 8.0], 2), ([50.0, 30.0, 40.0], 3)])
def test_the_plain_loop_is_trained_until_it_is_near_enough(
    monkeypatch: pytest.MonkeyPatch, distances: list[float], checks: int
) -> None:
    judged, now = iter(distances), [0.0]

    def updates():
        while True:
            now[0] += 1.0
            yield

    monkeypatch.setattr(pictures.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(pictures, "SECONDS", 30.0)
    monkeypatch.setattr(pictures, "CHECKS", 3)
    monkeypatch.setattr(pictures.Judge, "__call__", lambda self, generate: next(judged))
    monkeypatch.setattr(dcgan64, "train", lambda device, generator: updates())
    found = pictures.plain(CPU)
    assert len(found["checks"]) == checks
    assert found["distance"] == distances[checks - 1]
    assert found["spent"] == found["updates"] == 10 * checks
    assert found["seconds"] == (found["spent"] if checks == 2 else None)


@pytest.mark.parametrize("reached", [300.0, None])
def test_a_run_that_never_comes_near_counts_as_no_gain(reached: float | None) -> None:
    seen = []

    def once(words: tuple[str, ...]) -> dict:
        seen.append(words)
        if words[1] == "plain":
            return {"seconds": reached, "spent": 300.0, "distance": 12.5}
        return {"seconds": {"0": 10.0, "1": 30.0, "2": None}[words[2]], "distance": 9.0}

    entry = pictures.compare(once)
    assert entry["ratio"] == dict.fromkeys(pictures.WAYS, 10.0)  # the median of 30, 10 and 0
    assert seen[0] == ("pictures", "plain")
    assert set(seen[1:]) == {("pictures", way, str(n)) for way in pictures.WAYS for n in pictures.SEEDS}


# What is printed is what was measured.


def test_a_ratio_is_taken_within_a_round() -> None:
    rates = {"plain": [10.0, 20.0, 40.0], "ours": [30.0, 60.0, 40.0]}
    assert bench.ratios(rates) == {"ours": 3.0}  # of the medians it would be 2


def test_ways_take_turns_and_change_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(bench, "once", lambda words: seen.append(words[1]) or len(seen))
    found = bench.run({"a": ("case", "a"), "b": ("case", "b")}, rounds=3)
    assert seen == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_what_got_slower_is_marked(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(
        json.dumps({"cases": {"vae": {"ratio": {"float32": 2.0, "mixed": 3.0}}, "gone": {"ratio": {"x": 1}}}})
    )
    new.write_text(json.dumps({"cases": {"vae": {"ratio": {"float32": 1.8, "mixed": 2.9}}}}))
    assert bench.compare(old, new) == [
        "vae, float32: 2.00 -> 1.80 (0.90)  SLOWER",
        "vae, mixed: 3.00 -> 2.90 (0.97)",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "nowhere.json"], "make bench-compare OLD=… NEW=…"),
        (["compare", "nowhere.json", "nor-here.json"], "make bench-compare OLD=… NEW=…"),
        (["vae", "vea"], "there is no case vea; give some of"),
    ],
)
def test_a_wrong_word_is_refused(words: list[str], said: str) -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


def test_the_page_has_every_case() -> None:
    found = json.loads((ROOT / "book/measurements/bench.json").read_text())
    wanted = bench.cases("cpu")
    assert list(found["cases"]) == list(wanted)
    for name in found["cases"]:
        assert list(found["cases"][name]["found"]) == list(wanted[name])


def test_a_case_measured_alone_says_where_and_the_others_keep_what_they_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    monkeypatch.setattr(bench, "cases", lambda device: {"vae": {}, "busy": {}})
    for commit, names in (("first", []), ("second", ["busy"])):
        monkeypatch.setattr(bench.studies, "commit", lambda commit=commit: commit)
        monkeypatch.setattr(bench, "measured", lambda name, case, commit=commit: {"found": f"{name}, {commit}"})
        target = bench.bench(names)
    found = json.loads(target.read_text())
    assert found["commit"] == "first"
    assert found["cases"]["vae"] == {"found": "vae, first"}
    assert found["cases"]["busy"]["found"] == "busy, second"
    assert found["cases"]["busy"]["commit"] == "second"
    assert found["cases"]["busy"]["provenance"]["device"] == found["provenance"]["device"]


def test_a_measurement_is_one_number() -> None:
    """The whole way, on the quickest case."""
    short = "from benchmarks import measure; measure.SECONDS = 0.2; measure.main()"
    done = subprocess.run(
        [sys.executable, "-c", short, "ring", "float32"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) > 10

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
from benchmarks import measure, ours
from benchmarks.baselines import bound, dcgan, dcgan28, vae, wgan_gp
from gennotes import draws, losses, metrics, models

ROOT = Path(__file__).resolve().parent.parent
CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Both sides do the same work.


@pytest.mark.parametrize("baseline", [vae, wgan_gp, dcgan, dcgan28])
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
    for name, case in wanted.items():
        assert list(found["cases"][name]["found"]) == list(case)


def test_a_measurement_is_one_number() -> None:
    """The whole way, on the quickest case."""
    short = "from benchmarks import measure; measure.SECONDS = 0.2; measure.main()"
    done = subprocess.run(
        [sys.executable, "-c", short, "ring", "float32"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) > 10

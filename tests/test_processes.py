"""Several processes train one run: the same losses as one process, checkpoints for any number of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gennotes import __main__ as command
from gennotes import draws, history

SMALL = ["architecture=mlp", "latent=4", "width=32", "batch=32", "steps=50"]


def launch(*program: str) -> str:
    """Run a program in two processes, as the documentation of `gennotes.__main__` says."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GENNOTES_DEVICE": "cpu"}
    done = subprocess.run([*run, *program], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process: this one."""
    folder = tmp_path_factory.mktemp("alone")
    command.main(["train", "vae", *SMALL, "--folder", str(folder)])
    return folder


def test_two_processes_give_the_losses_of_one(alone: Path, tmp_path: Path) -> None:
    said = launch("-m", "gennotes", "train", "vae", *SMALL, "--folder", str(tmp_path))
    assert said.count("training on") == 1  # the first process alone speaks of the device
    one, two = (history.load(folder)[2].records for folder in (alone, tmp_path))
    assert one["step"].tolist() == two["step"].tolist() == list(range(1, 51))
    for name in ("elbo_nats", "kl_nats"):
        np.testing.assert_allclose(two[name], one[name], rtol=2e-4)
    # What the comparison would reject: the loss of the next step; that of other noise is off by more than this too.
    assert (np.abs(one["elbo_nats"][1:] / one["elbo_nats"][:-1] - 1) > 2e-4).mean() > 0.8


INTERRUPTED = """
import os, signal, sys, unittest.mock
from gennotes import data, studies, train
from gennotes.studies.vae import Settings

settings = Settings(architecture="mlp", latent=4, width=32, batch=32, steps=50)
digits = data.load("mnist-5k")
stream = digits.train.batches(32)
rank, at = int(os.environ["RANK"]), stream.at

def interrupting(step, seed):
    if rank == 1 and step == 17:
        os.kill(os.getpid(), signal.SIGINT)
    return at(step, seed)

stream.at = interrupting
signal.signal(signal.SIGINT, signal.default_int_handler)
with unittest.mock.patch.object(data.Images, "batches", lambda self, size: stream):
    _, run = studies.vae.fit(settings, digits, 0, folder=sys.argv[1], read_every=10)
with open(f"{sys.argv[1]}/said-{rank}", "w") as file:  # what two processes print may run into one line
    print(run.step, run.interrupted, file=file)
"""


def test_an_interrupt_of_one_stops_all_and_another_number_takes_the_run_up(alone: Path, tmp_path: Path) -> None:
    script, folder = tmp_path / "interrupted.py", tmp_path / "run"
    script.write_text(INTERRUPTED)
    launch(str(script), str(folder))
    assert [(folder / f"said-{rank}").read_text() for rank in (0, 1)] == ["20 True\n"] * 2
    command.main(["train", "vae", *SMALL, "--folder", str(folder)])
    step, state, found = history.load(folder)
    _, wanted, whole = history.load(alone)
    assert step == 50
    np.testing.assert_allclose(found.records["elbo_nats"], whole.records["elbo_nats"], rtol=2e-4)
    assert torch.equal(state["generator"], wanted["generator"])


def test_shares_together_are_what_one_generator_draws() -> None:
    one = torch.Generator().manual_seed(3)
    shares = [draws.Share(torch.Generator().manual_seed(3), rank, 4) for rank in range(4)]
    p = torch.rand(8, 5, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        for draw in (draws.normal, draws.uniform):
            whole = draw(8, 2, generator=one)
            assert torch.equal(torch.cat([draw(2, 2, generator=share) for share in shares]), whole)
        whole = torch.bernoulli(p, generator=one)
        parts = [draws.bernoulli(p[2 * i : 2 * i + 2], share) for i, share in enumerate(shares)]
        assert torch.equal(torch.cat(parts), whole)
        assert len({share.get_state().sum().item() for share in shares}) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vae", "step=3"], "no setting"),
        (["vae", "steps"], "name=value"),
        (["vae", "steps=many"], "give one of type int"),
        (["gan"], "invalid choice"),
    ],
)
def test_a_wrong_word_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["train", *words])
    assert said in capsys.readouterr().err

"""Runs that are killed, and notebooks that are interrupted or restarted: what is resumed is the uninterrupted run."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

KILLED = """
import os, random, signal, sys, time
import torch
from gennotes import data, history, losses, models, train

folder, kills = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
os.fsync = lambda handle: None  # a killed process loses nothing that the system already has
STEPS = 200

def fit(folder, resume):
    g, d = models.MLP((2, 16, 2), seed=0), models.MLP((2, 16, 1), seed=1)

    def step(players, batch, generator):
        fake = g(torch.randn(32, 2, generator=generator))
        loss = losses.discriminator(d(batch.x), d(fake.detach()))
        players["d"].minimise(loss)
        players["g"].minimise(losses.non_saturating(d(fake)))
        return {"loss": loss}

    players = {"g": train.Player(g, ema=0.9), "d": d}
    snapshot = lambda generator: {"sample": g(torch.randn(4, 2, generator=generator))}
    return train.fit(step, players, data.toy("ring", "cpu").batches(32), steps=STEPS, seed=0, progress=False,
                     read_every=2, save_every=2, snapshot=snapshot, snapshot_every=50, folder=folder, resume=resume)

def forked(work, kill_after=None):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0

torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # what the first optimiser imports, every child has
begin = time.perf_counter()
assert forked(lambda: fit(folder + "/whole", None))
alone = time.perf_counter() - begin
wanted = history.load(folder + "/whole")
moments, done, restarts, torn, steps = random.Random(0), 0, 0, 0, set()
while done < kills:
    run = f"{folder}/run-{restarts}"
    while True:
        there = any(name.startswith("step-") for name in os.listdir(run)) if os.path.isdir(run) else False
        if there:
            steps.add(history.load(run)[0])  # there is a whole checkpoint at all times
            torn += any(name.startswith((".writing", ".old")) for name in os.listdir(run))
        kill = moments.uniform(0.02, max(0.1, 0.4 * alone)) if done < kills else None
        if forked(lambda: fit(run, run if there else None), kill):
            break
        done += 1
    restarts += 1
    step, state, found = history.load(run)
    assert step == STEPS
    for name, tensor in wanted[1].items():
        assert torch.equal(state[name], tensor), name
    for table in ("records", "snapshots"):
        for name, array in getattr(wanted[2], table).items():
            assert (getattr(found, table)[name] == array).all(), name
print(f"{alone:.2f} s alone", file=sys.stderr)
print(done, restarts, len(steps), torn)
"""


def test_a_killed_run_resumes_bit_for_bit(tmp_path: Path, soak: bool) -> None:
    """SIGKILL at random moments of training and of writing, over and over, until the run is done."""
    kills = 200 if soak else 10
    run = subprocess.run([sys.executable, "-c", KILLED, tmp_path, str(kills)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    done, runs, steps, torn = map(int, run.stdout.split()[-4:])
    print(run.stderr, f"{done} kills of {runs} runs, found again at {steps} different steps, {torn} within the writing")
    assert done >= kills
    assert steps > kills / 5


CHAPTER = """
from gennotes import data, models, train

def fit(steps, resume=None):
    net = models.MLP((2, 8, 1))
    def step(players, batch, generator):
        loss = net(batch.x).square().mean()
        players["net"].minimise(loss)
        return {"loss": loss}
    batches = data.toy("ring", "cpu").batches(16)
    run = train.fit(step, {"net": net}, batches, steps=steps, seed=0, folder="runs", resume=resume,
                    on_read=lambda history: print("at", history.records["step"][-1], flush=True))
    return net, run
"""


class Notebook:
    """A kernel, cell by cell."""

    def __init__(self, folder: Path) -> None:
        self.manager, self.client = start_new_kernel(cwd=str(folder))
        self.client: BlockingKernelClient

    def run(self, cell: str, interrupts: int = 0) -> str:
        """Everything that the cell prints, or its error; it is interrupted when it says where training is at."""
        said, asked = [], self.client.execute(textwrap.dedent(cell))
        while True:
            message = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream" and content["name"] == "stdout":
                said.append(content["text"])
                if interrupts and "at " in content["text"]:
                    self.manager.interrupt_kernel()
                    interrupts -= 1
            elif kind == "error":
                said.append(content["ename"])
            elif kind == "status" and content["execution_state"] == "idle":
                return "".join(said)

    def restart(self) -> None:
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=120)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GENNOTES_DEVICE", "cpu")
    opened = Notebook(tmp_path)
    yield opened
    opened.close()


def test_a_notebook_is_interrupted_twice_restarted_and_resumed(notebook: Notebook) -> None:
    """The stop button keeps what was trained, a second time too, and a new kernel takes the run up."""
    notebook.run(CHAPTER)
    said = notebook.run("net, run = fit(10**7)\nprint('kept', run.step, run.interrupted)", interrupts=1)
    first = int(said.split("kept ")[1].split()[0])
    assert "True" in said
    assert 0 < first < 10**7
    said = notebook.run("net, run = fit(10**7, run)\nprint('kept', run.step, run.interrupted)", interrupts=1)
    second = int(said.split("kept ")[1].split()[0])
    assert second > first
    notebook.restart()
    assert "NameError" in notebook.run("net")
    notebook.run(CHAPTER)
    said = notebook.run(f"""
        net, run = fit({second} + 60, "runs")
        print("resumed", run.history.records["step"][0], run.step, len(run.history.records["loss"]))
        import os, shutil
        shutil.rmtree("runs")
        whole, at_once = fit({second} + 60)
        print("equal", all((run.state[name] == at_once.state[name]).all().item() for name in run.state))
    """)
    assert f"resumed 1 {second + 60} {second + 60}" in said
    assert "equal True" in said


def test_a_second_interrupt_within_one_step_stops_the_cell(notebook: Notebook) -> None:
    """It does not wait for the step under way, which may hang."""
    said = notebook.run(
        """
        import time
        from gennotes import data, models, train
        net = models.MLP((2, 8, 1))

        def step(players, batch, generator):
            print("at a step", flush=True)
            time.sleep(0.5)
            print("at its middle", flush=True)
            time.sleep(600)

        train.fit(step, {"net": net}, data.toy("ring", "cpu").batches(16), steps=9, seed=0)
        """,
        interrupts=2,
    )
    assert "at its middle" in said  # the first one did not break the step off
    assert said.endswith("KeyboardInterrupt")
    assert "fine" in notebook.run("print('fine')")

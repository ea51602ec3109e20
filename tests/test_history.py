"""Checkpoints: what is written is what is read, whole or not at all, and nothing is ever unpickled."""

import errno
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gennotes import history
from gennotes.history import CheckpointError, History


def example(step: int = 5, scale: float = 1.0) -> tuple[dict[str, torch.Tensor], History]:
    state = {"net/weight": scale * torch.arange(6.0).reshape(2, 3), "net/count": torch.tensor(step)}
    records = {"step": np.arange(1, step + 1), "loss": np.linspace(1, 0, step, dtype=np.float32)}
    snapshots = {"step": np.array([0, step]), "image": np.ones((2, 1, 4, 4), dtype=np.float32)}
    return state, History({"seed": 3}, {"device": "cpu"}, records, snapshots)


def reseal(path: Path) -> None:
    """Write the hashes of the files as they are now into run.json."""
    about = json.loads((path / "run.json").read_text())
    about["sha256"] = {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in history.FILES}
    (path / "run.json").write_text(json.dumps(about))


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    state, kept = example()
    path = history.save(tmp_path / "deep" / "run", 5, state, kept)
    assert path == tmp_path / "deep" / "run" / "step-00000005"
    assert sorted(p.name for p in path.iterdir()) == ["records.npz", "run.json", "state.safetensors"]
    for folder in (path.parent, path, str(path)):
        step, read, found = history.load(folder)
        assert step == 5
        assert same(read, state)
        assert same(found.records, kept.records)
        assert same(found.snapshots, kept.snapshots)
        assert (found.settings, found.provenance) == (kept.settings, kept.provenance)
    other, _ = example(scale=2.0)
    assert not same(read, other)


def test_a_newer_checkpoint_takes_the_place_of_the_older_ones_and_of_leftovers_only(tmp_path: Path) -> None:
    for name in (".writing-dead", ".old-dead/step-00000001", "step-by-step", "step-00000001.notes", "figures"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    for step in (5, 20, 7):
        history.save(tmp_path, step, *example(step))
        assert history.load(tmp_path)[0] == step
    wanted = ["figures", "step-00000001.notes", "step-00000007", "step-by-step"]
    assert sorted(p.name for p in tmp_path.iterdir()) == wanted
    history.save(tmp_path, 7, *example(7, scale=3.0))  # the same step once more
    assert sorted(p.name for p in tmp_path.iterdir()) == wanted
    assert history.load(tmp_path)[1]["net/weight"][1, 2] == 15


def test_append_adds_rows_and_refuses_other_names() -> None:
    kept = History()
    kept.append("records", {"step": np.array([1, 2]), "loss": np.array([0.5, 0.25])})
    kept.append("records", {"step": np.array([3]), "loss": np.array([0.125])})
    assert kept.records["step"].tolist() == [1, 2, 3]
    assert kept.records["loss"].tolist() == [0.5, 0.25, 0.125]
    first = np.zeros(2)
    kept.append("snapshots", {"image": first})
    first += 1  # such as weights that go on moving: what is kept stays
    assert kept.snapshots["image"].tolist() == [0, 0]
    with pytest.raises(ValueError, match="give the same names always"):
        kept.append("records", {"step": np.array([4])})


def test_provenance_is_plain_text() -> None:
    said = history.provenance(torch.device("cpu"))
    assert said["device"] == "cpu"
    assert said["torch"] == torch.__version__
    assert all(type(value) in (str, type(torch.__version__)) for value in said.values())
    json.dumps(said)


def flip(name: str):
    def damage(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(data)

    return damage


def cut(name: str, resealed: bool = False):
    def damage(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: len(data) // 2])
        if resealed:
            reseal(path)

    return damage


def say(**changes: object):
    def damage(path: Path) -> None:
        about = json.loads((path / "run.json").read_text()) | changes
        (path / "run.json").write_text(json.dumps({k: v for k, v in about.items() if v is not None}))

    return damage


def rename_table(path: Path) -> None:
    np.savez(path / "records.npz", **{"elsewhere/step": np.arange(3)})
    reseal(path)


def remove(name: str):
    return lambda path: (path / name).unlink()


DAMAGES = {
    "a bit of the weights": (flip("state.safetensors"), "is damaged"),
    "a bit of the records": (flip("records.npz"), "is damaged"),
    "weights cut short": (cut("state.safetensors"), "is damaged"),
    "weights cut short, hash adjusted": (cut("state.safetensors", resealed=True), "cannot be read as a checkpoint"),
    "records cut short, hash adjusted": (cut("records.npz", resealed=True), "cannot be read as a checkpoint"),
    "unknown table": (rename_table, "cannot be read as a checkpoint"),
    "run.json cut short": (cut("run.json"), "cannot be read as a checkpoint"),
    "run.json is a list": (lambda path: (path / "run.json").write_text("[]"), "cannot be read as a checkpoint"),
    "run.json gone": (remove("run.json"), "cannot be read as a checkpoint"),
    "weights gone": (remove("state.safetensors"), "cannot be read as a checkpoint"),
    "another step": (say(step=6), "run.json says step 6, the records end at step 5"),
    "no step": (say(step=None), "cannot be read as a checkpoint"),
    "no settings": (say(settings=None), "cannot be read as a checkpoint"),
    "no hashes": (say(sha256={}), "cannot be read as a checkpoint"),
    "another format": (say(format=history.FORMAT + 1), "use the version that wrote it"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    damage, said = DAMAGES[kind]
    path = history.save(tmp_path, 5, *example())
    history.load(tmp_path)
    damage(path)
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    with pytest.raises(CheckpointError, match=said) as caught:
        history.load(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before


def test_a_folder_without_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "step-by-step").mkdir()
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError, match="no checkpoint in"):
            history.load(folder)
    assert not (tmp_path / "missing").exists()


class Planted:
    """Unpickling this makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = history.save(tmp_path / "run", 5, *example())
    planted = np.empty(1, dtype=object)
    planted[0] = Planted(str(tmp_path / "was-run"))
    np.savez(path / "records.npz", **{"records/step": planted}, allow_pickle=True)
    reseal(path)
    with pytest.raises(CheckpointError, match="allow_pickle=False"):
        history.load(path)
    assert not (tmp_path / "was-run").exists()
    with np.load(path / "records.npz", allow_pickle=True) as arrays:  # the plant works where pickles are read
        arrays["records/step"][0].close()
    assert (tmp_path / "was-run").exists()


def full(*arguments: object, **names: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def full_for_safetensors(*arguments: object, **names: object) -> None:
    raise history.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize("step", [5, 9])
@pytest.mark.parametrize(
    ("where", "what", "failure"),
    [
        (history, "save_file", full_for_safetensors),
        (np, "savez", full),
        (Path, "write_text", full),
        (history, "_flush", full),
        (history.Path, "rename", full),
        (history, "_sha256", KeyboardInterrupt),
    ],
)
def test_a_disk_that_fails_leaves_the_older_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, where: object, what: str, failure: object
) -> None:
    history.save(tmp_path, 5, *example())
    with monkeypatch.context() as broken:
        broken.setattr(where, what, failure if failure is not KeyboardInterrupt else raise_interrupt)
        with pytest.raises(KeyboardInterrupt if failure is KeyboardInterrupt else OSError):
            history.save(tmp_path, step, *example(step, scale=2.0))
    assert history.load(tmp_path)[0] == 5
    assert same(history.load(tmp_path)[1], example()[0])
    assert not list(tmp_path.glob(".writing-*"))
    history.save(tmp_path, step, *example(step, scale=2.0))
    assert [p.name for p in tmp_path.iterdir()] == [f"step-{step:08d}"]


def raise_interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_writer_that_stops_between_its_two_renames_leaves_the_older_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.save(tmp_path, 5, *example())
    rename = Path.rename

    def stop_at_the_second(self: Path, target: Path) -> Path:
        if self.name.startswith(".writing-"):
            full()
        return rename(self, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", stop_at_the_second)
        with pytest.raises(OSError, match="No space"):
            history.save(tmp_path, 5, *example(scale=2.0))
    assert not (tmp_path / "step-00000005").exists()
    assert same(history.load(tmp_path)[1], example()[0])
    history.save(tmp_path, 5, *example(scale=2.0))
    assert same(history.load(tmp_path)[1], example(scale=2.0)[0])
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """/dev/full refuses every byte: the error that safetensors makes of it comes out as OSError."""
    history.save(tmp_path, 5, *example())
    save_file = history.save_file

    def to_full(tensors: dict, path: Path) -> None:
        path.symlink_to("/dev/full")
        with path.open("wb") as file:
            file.write(b"x" * 100_000)
        save_file(tensors, path)

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(history, "save_file", to_full)
        with pytest.raises(OSError, match="No space left on device"):
            history.save(tmp_path, 9, *example(9))
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]


def test_everything_is_flushed_before_it_is_renamed_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    flush, rename = history._flush, Path.rename
    monkeypatch.setattr(history, "_flush", lambda path: (done.append(f"flush {path.name}"), flush(path)))
    monkeypatch.setattr(Path, "rename", lambda self, to: (done.append(f"rename to {to.name}"), rename(self, to)))
    path = history.save(tmp_path, 5, *example())
    assert done[-2:] == ["rename to step-00000005", f"flush {tmp_path.name}"]
    assert {f"flush {p.name}" for p in path.iterdir()} < set(done[:-2])
    assert len(done) == 6  # three files, their folder, the renaming, the folder around it


WRITER = """
import os, shutil, signal, sys, time
import numpy as np, torch
from gennotes import history
torch.set_num_threads(1)
os.fsync = lambda handle: None  # a killed process loses nothing that the system already has
folder = sys.argv[1]

def save(step, weight):
    state = {"weight": torch.full((100_000,), float(weight))}
    history.save(folder, step, state, history.History(records={"step": np.array([step])}))

def killed(work, after=None):
    writer = os.fork()
    if writer == 0:
        work()
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(writer, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == -signal.SIGKILL

def killing_itself_before_line(n):
    seen = 0
    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code is not history.save.__code__:
            return None
        seen += event == "line"
        if seen == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    return trace

for step in (3, 4):  # over a checkpoint of the same step, then beside one of an earlier step
    line, found = 1, set()
    while True:
        for name in os.listdir(folder):
            shutil.rmtree(f"{folder}/{name}")
        save(3, 10)
        if not killed(lambda: (sys.settrace(killing_itself_before_line(line)), save(step, 20))):
            break
        got, state, _ = history.load(folder)
        weight = state["weight"].unique().item()
        assert (got, weight) in [(3, 10.0), (step, 20.0)], (got, weight, line)
        found.add(weight)
        line += 1 if step == 3 else 8
    assert found == {10.0, 20.0} and line > 15, (found, line)

def endlessly():
    for step in range(10_000):
        save(step, step)
        save(step, step)

left = 0
for attempt in range(6):
    assert killed(endlessly, after=0.02 + 0.003 * attempt)
    step, state, found = history.load(folder)
    assert found.records["step"].tolist() == [step] and bool((state["weight"] == step).all() or step == 4)
    left += len(os.listdir(folder)) > 1
save(0, 0)
print(left, os.listdir(folder) == ["step-00000000"])
"""


def test_a_writer_that_is_killed_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """Writers are killed before each line of `save` in turn, then at any time: what is there always loads."""
    done = subprocess.run([sys.executable, "-c", WRITER, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    left, clean = done.stdout.split()
    assert int(left) > 0, "no writer was killed in the midst of its work"
    assert clean == "True"

"""What a run leaves behind: its records, its snapshots, and checkpoints that survive a power cut."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

FORMAT = 1  # of a checkpoint folder; raised when an older reader could misread a newer folder
FOLDER = "step-" + "[0-9]" * 8  # of one checkpoint, as a pattern
FILES = ("state.safetensors", "records.npz")  # run.json holds their hashes


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read, or does not fit: what was found, what was wanted and what to do."""


def provenance(device: torch.device) -> dict[str, str]:
    """Where a run took place: machine, device and versions, as plain strings."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": device.type, "processor": name, "python": platform.python_version(), "torch": torch.__version__}


@dataclass
class History:
    """The numbers of one run.

    records: one array (T,) a name, an entry a step; "step" counts from 1.
    snapshots: one array (S, ...) a name, an entry each time a snapshot was taken; "step" says when.
    settings, provenance: what was asked for, and where it ran.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    records: dict[str, np.ndarray] = field(default_factory=dict)
    snapshots: dict[str, np.ndarray] = field(default_factory=dict)

    def append(self, table: str, rows: Mapping[str, np.ndarray]) -> None:
        """Add rows (n, ...) to each array of "records" or "snapshots"."""
        arrays = getattr(self, table)
        if arrays and set(arrays) != set(rows):
            raise ValueError(
                f"{table} hold {sorted(arrays)}, this step gave {sorted(rows)}; give the same names always"
            )
        for name, values in rows.items():
            arrays[name] = np.concatenate([arrays[name], values]) if name in arrays else np.array(values)


@contextmanager
def writing(folder: str | Path) -> Iterator[None]:
    """Keep `folder` for one run: while it lasts, another one that wants to write there is refused.

    The lock is the system's and ends with the process, however that ends. Raises CheckpointError naming the other run,
    or if the folder cannot be written at all.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a+")
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written ({error.strerror}); give another folder") from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CheckpointError(
                f"{folder} is being written by another run ({file.read().strip() or 'just begun'}); "
                "give another folder, or wait until that run is done"
            ) from None
        file.truncate(0)
        file.write(
            f"process {os.getpid()} on {platform.node()}, since {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"
        )
        file.flush()
        yield


def save(folder: str | Path, step: int, state: Mapping[str, Tensor], history: History) -> Path:
    """Write a checkpoint `folder/step-00000500` holding state.safetensors, records.npz and run.json.

    It is written aside, flushed to the disk and renamed into place, so that a checkpoint is there whole or not at all;
    only then are older ones removed. Returns its path. Raises OSError if the disk refuses; older ones then stay.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{step:08d}"
    aside = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, aside / FILES[0])
        tables = [("records", history.records), ("snapshots", history.snapshots)]
        np.savez(aside / FILES[1], **{f"{table}/{k}": v for table, arrays in tables for k, v in arrays.items()})
        about = {
            "format": FORMAT,
            "step": step,
            "settings": history.settings,
            "provenance": history.provenance,
            "sha256": {name: _sha256(aside / name) for name in FILES},
        }
        (aside / "run.json").write_text(json.dumps(about, indent=1))
        for path in [*aside.iterdir(), aside]:
            _flush(path)
        if target.exists():  # the same step saved again; until the new one is in place, `load` finds the old one there
            target.rename(Path(tempfile.mkdtemp(prefix=".old-", dir=folder)) / target.name)
        aside.rename(target)
        _flush(folder)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, SafetensorError):  # a full disk, in the words of that library
            raise OSError(f"{aside / FILES[0]} could not be written: {error}") from error
        raise
    for pattern in (".old-*", ".writing-*", FOLDER):
        for path in folder.glob(pattern):
            if path != target:
                shutil.rmtree(path, ignore_errors=True)
    return target


def load(folder: str | Path) -> tuple[int, dict[str, Tensor], History]:
    """Read the newest checkpoint of `folder` (or the checkpoint `folder` itself): step, state and history.

    Nothing is unpickled, and the hashes in run.json are checked.
    Raises CheckpointError if there is none, or if it is damaged or of another format.
    """
    folder = Path(folder)
    kept = [folder] if (folder / "run.json").exists() else folder.glob(FOLDER)
    found = [*kept, *folder.glob(f".old-*/{FOLDER}")]  # the latter if a writer was killed as it replaced this very step
    if not found:
        raise CheckpointError(f"no checkpoint in {folder}; give the folder of a saved run, or leave out resume")
    path = max(found, key=lambda path: path.name)  # of two of the same step, the first
    try:
        about = json.loads((path / "run.json").read_text())
        if about["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has format {about['format']}, wanted {FORMAT}; use the version that wrote it"
            )
        for name in FILES:
            if _sha256(path / name) != about["sha256"][name]:
                raise CheckpointError(f"{path / name} is damaged (its SHA-256 differs from run.json); delete {path}")
        state = load_file(path / FILES[0])
        with (path / FILES[1]).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            tables: dict[str, dict[str, np.ndarray]] = {"records": {}, "snapshots": {}}
            for name in arrays.files:
                table, _, key = name.partition("/")
                tables[table][key] = arrays[name]
        history = History(about["settings"], about["provenance"], **tables)
        step, steps = about["step"], tables["records"].get("step", [])
        if len(steps) and step != steps[-1]:
            raise ValueError(f"run.json says step {step}, the records end at step {steps[-1]}")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint ({error}); delete it") from error
    return step, state, history


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

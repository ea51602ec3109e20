"""Studies: measurements too long for a page, run by `make study NAME=…` and read by the chapters.

A study is a module of this package with a frozen dataclass `Settings` and a function `measure(settings, seeds)` that
returns a dict of numbers and lists. What it measured lies in `book/measurements/<name>.json`, with how it was measured.
"""

import dataclasses
import importlib
import json
import os
import pkgutil
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from gennotes import device as devices
from gennotes.history import provenance
from gennotes.studies import cgan as cgan  # a chapter reads a study's settings as studies.vae.Settings()
from gennotes.studies import collapse as collapse
from gennotes.studies import cost as cost
from gennotes.studies import critics as critics
from gennotes.studies import dcgan as dcgan
from gennotes.studies import dcgan_guidelines as dcgan_guidelines
from gennotes.studies import grid as grid
from gennotes.studies import latent_space as latent_space
from gennotes.studies import modes as modes
from gennotes.studies import modes_protocol as modes_protocol
from gennotes.studies import pix2pix as pix2pix
from gennotes.studies import vae as vae

FOLDER = Path("measurements")  # seen from a chapter, which runs in book/


def names() -> list[str]:
    """The names of all studies."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def measure(name: str, seeds: Sequence[int], folder: Path, device: str | None = None) -> Path:
    """Run study `name` over `seeds` and write `folder/<name>.json` (`<name>.<device>.json` off the CPU).

    The file holds: study, command, commit, provenance (machine, device, versions), settings, seeds, seconds and values.
    Raises ValueError if there is no such study or a seed is given twice. The file is replaced only by a whole one.
    """
    if name not in names():
        raise ValueError(f"there is no study {name!r}; give one of {', '.join(names())}")
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"seeds are {list(seeds)}; give at least one, and each only once")
    where = devices.find(device)
    study = importlib.import_module(f"gennotes.studies.{name}")
    settings = study.Settings()
    start, state = time.perf_counter(), commit()
    values = study.measure(settings, list(seeds), where)
    found = {
        "study": name,
        "command": shlex.join(["python", "-m", "gennotes.studies", *sys.argv[1:]]),
        "commit": state,
        "provenance": provenance(where) | {"cores": str(os.cpu_count()), "threads": str(torch.get_num_threads())},
        "settings": dataclasses.asdict(settings),
        "seeds": list(seeds),
        "seconds": round(time.perf_counter() - start, 1),
        "values": values,
    }
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (f"{name}.json" if where.type == "cpu" else f"{name}.{where.type}.json")
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False) as file:
        file.write(json.dumps(rounded(found), indent=1) + "\n")
    os.chmod(file.name, 0o644)
    os.replace(file.name, target)
    return target


def read(name: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """What study `name` measured, or None where its file is missing (a GPU's, on a project that had none)."""
    path = Path(folder) / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def published(paper: str, path: Path = Path("published.json")) -> dict[str, Any]:
    """The numbers of a paper, with their source and protocol, from `book/published.json`."""
    papers = json.loads(Path(path).read_text())
    if paper not in papers:
        raise ValueError(f"{path} has no paper {paper!r}; give one of {', '.join(papers)}")
    return papers[paper]


def rounded(value: Any) -> Any:
    """Floats to six digits: more would be noise, and differ in every commit."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def commit() -> str:
    """The commit that the working tree is at, "-dirty" if it differs from it, or "unknown"."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"

"""`python -m gennotes train NAME`: train a chapter's network from the shell, alone or in several processes.

    torchrun --nproc-per-node 2 -m gennotes train vae --folder runs/vae steps=500

Words such as steps=500 replace settings of that name's study.
"""

import argparse
import dataclasses
import typing
from pathlib import Path
from typing import Any

from gennotes import data, studies

TRAINABLE = {"vae": studies.vae}


def main(words: list[str] | None = None) -> None:
    """Read the command line `words`, train, and say where the run lies."""
    parser = argparse.ArgumentParser(prog="python -m gennotes")
    train = parser.add_subparsers(required=True, metavar="train").add_parser("train", help="train a network")
    train.add_argument("name", choices=TRAINABLE)
    train.add_argument("settings", nargs="*", metavar="setting=value")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--folder", type=Path, help="where checkpoints go; a run that lies there is taken up")
    given = parser.parse_args(words)
    study = TRAINABLE[given.name]
    try:
        chosen = dict(_setting(study.Settings, word) for word in given.settings)
    except ValueError as error:
        parser.error(str(error))
    settings = dataclasses.replace(study.Settings(), **chosen)
    begun = given.folder is not None and any(given.folder.glob("step-*"))
    _, run = study.fit(
        settings,
        data.load(settings.data),
        given.seed,
        progress=True,
        folder=given.folder,
        resume=given.folder if begun else None,
    )
    last = ", ".join(f"{name} {values[-1]:.6g}" for name, values in run.history.records.items() if name != "step")
    print(f"{'stopped' if run.interrupted else 'done'} at step {run.step}: {last}")


def _setting(settings: type, word: str) -> tuple[str, Any]:
    """A word such as "lr=1e-3" as a name and a value of the setting's type. Raises ValueError if it is neither."""
    kinds = {name: kind for name, kind in typing.get_type_hints(settings).items() if kind in (int, float, str)}
    name, mark, value = word.partition("=")
    if not mark or name not in kinds:
        raise ValueError(f"{word!r} is no setting; give name=value with a name out of {', '.join(kinds)}")
    try:
        return name, kinds[name](value)
    except ValueError:
        raise ValueError(f"{name} is {value!r}; give one of type {kinds[name].__name__}") from None


if __name__ == "__main__":
    main()

"""Print what this environment lacks: what is absent by its pin, what is too old by the range of pyproject.toml."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def release(text: str) -> tuple[int, ...]:
    """'2.14.1+cpu' -> (2, 14, 1)."""
    return tuple(int(number) for number in re.match(r"\d+(\.\d+)*", text).group().split("."))


root = Path(__file__).resolve().parent.parent
pins = re.findall(r"^([\w-]+)==(\S+)", (root / "requirements.txt").read_text(), re.M)
ranges = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
least = dict(re.match(r"([\w-]+)>=([\d.]+)", line).groups() for line in ranges)
for name, pin in pins:
    try:
        if release(version(name)) < release(least.get(name, "0")):
            print(f"{name}>={least[name]}")
    except PackageNotFoundError:
        print(f"{name}=={pin}")

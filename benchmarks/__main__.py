"""`make bench`: every way to do every case in turn, round after round, each in a process of its own.

    python -m benchmarks                      all cases, into book/measurements/bench.json (bench.cuda.json on a GPU)
    python -m benchmarks vae lever            some of them, into the same file
    python -m benchmarks compare OLD NEW      what got slower from one file to another

What else the machine does strikes all ways of a case alike, so the ratio of two ways is taken within a round; the file
holds every round and the medians of the ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks import pictures
from benchmarks.measure import LEVERS, TRIED
from gennotes import device as devices
from gennotes import studies
from gennotes.history import provenance

ROUNDS, SHORT = 5, 3  # the former of what is compared with a plain loop
FOLDER = Path("book/measurements")
SLOWER = 0.95  # of the earlier ratio: below this, a way got slower

Case = dict[str, tuple[str, ...]]  # the name of a way, and the words that `benchmarks.measure` knows it by


def cases(device: str) -> dict[str, Case]:
    """What is measured on "cpu" or "cuda"; the first way of a case is what the others are compared with."""
    if device == "cuda":
        ways = ("plain", "eager", "float32", "mixed", "kernels")
        found = {name: {way: (name, way) for way in ways} for name in ("vae", "dcgan28", "wgan_gp")}
        return found | {"ensemble": {way: ("ensemble", way) for way in ("one by one", "side by side")}}
    found = {name: {way: (name, way) for way in ("plain", "float32", "mixed")} for name in ("vae", "dcgan", "wgan_gp")}
    found["bound"] = {way: ("bound", way) for way in ("plain", "float32", "mixed")}
    found["ensemble"] = {way: ("ensemble", way) for way in ("one by one", "side by side")}
    found["processes"] = {way: ("processes", way) for way in ("one", "two")}
    for lever, case in (LEVERS | TRIED).items():
        found[f"lever: {lever}"] = {
            "without" if lever in LEVERS else "with": ("lever", lever),
            "ours": (case, "float32"),
        }
    found["overhead"] = {name: ("overhead", name) for name in ("vae", "dcgan", "wgan_gp")}
    found["deviation"] = {"mixed": ("bound", "deviation")}
    found["busy"] = {way: ("busy", way) for way in ("all", "one")}
    found["pictures"] = {way: ("pictures", way) for way in ("plain", *pictures.WAYS)}
    return found


def once(words: tuple[str, ...]) -> Any:
    """One measurement in a fresh process."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.measure", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} could not be measured:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run(case: Case, rounds: int) -> dict[str, list[Any]]:
    """All ways of a case in turn, `rounds` times."""
    found: dict[str, list[Any]] = {way: [] for way in case}
    for number in range(rounds):
        for way, words in list(case.items())[:: 1 if number % 2 == 0 else -1]:
            found[way].append(once(words))
    return found


def ratios(rates: dict[str, list[float]]) -> dict[str, float]:
    """The median over rounds of each way's rate over that of the first way."""
    first, *others = rates
    return {way: statistics.median(a / b for a, b in zip(rates[way], rates[first], strict=True)) for way in others}


def measured(name: str, case: Case) -> dict[str, Any]:
    """What the file holds of a case: what each round found, and the medians."""
    single = name == "deviation"
    rates = run(case, 1 if single else ROUNDS if "plain" in case else SHORT)
    entry: dict[str, Any] = {"found": rates}
    if name == "overhead":
        entry["median"] = {way: statistics.median(values) for way, values in rates.items()}
    elif not single:
        entry["ratio"] = ratios({way: values for way, values in rates.items() if way != "kernels"})
    return entry


def bench(names: list[str]) -> Path:
    """Measure the cases of these names, or all.

    What is in the file of other cases stays, and so does where they were measured; the new ones say it themselves.
    """
    device = devices.find()
    target = FOLDER / ("bench.json" if device.type == "cpu" else f"bench.{device.type}.json")
    about = {
        "command": "make bench",
        "commit": studies.commit(),
        "provenance": provenance(device) | {"cores": str(os.cpu_count()), "threads": str(torch.get_num_threads())},
        "rounds": ROUNDS,
    }
    partly = bool(names) and target.exists()
    found = json.loads(target.read_text()) if partly else about | {"cases": {}}
    for name, case in cases(device.type).items():
        if names and name.split(":")[0] not in names:
            continue
        entry = pictures.compare(once) if name == "pictures" else measured(name, case)
        found["cases"][name] = entry | (about if partly else {})
        print(name, json.dumps(entry.get("ratio", entry.get("median", entry["found"]))), flush=True)
        target.write_text(json.dumps(studies.rounded(found), indent=1) + "\n")
    return target


def compare(old: Path, new: Path) -> list[str]:
    """A line for each way of each case that both files have, the slower ones marked; ratios, for machines differ."""
    before, after = (json.loads(path.read_text())["cases"] for path in (old, new))
    lines = []
    for name in before:
        for way, ratio in before[name].get("ratio", {}).items():
            if way in after.get(name, {}).get("ratio", {}):
                change = after[name]["ratio"][way] / ratio
                mark = "  SLOWER" if change < SLOWER else ""
                lines.append(f"{name}, {way}: {ratio:.2f} -> {after[name]['ratio'][way]:.2f} ({change:.2f}){mark}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the package's speed.")
    parser.add_argument("words", nargs="*", metavar="case", help="cases, or: compare OLD NEW")
    words = parser.parse_args().words
    if words[:1] == ["compare"]:
        files = [Path(word) for word in words[1:]]
        if len(files) != 2 or not all(file.is_file() for file in files):
            parser.error("compare needs two files that `make bench` wrote: make bench-compare OLD=… NEW=…")
        print("\n".join(compare(*files)))
        return
    known = {name.split(":")[0] for name in cases(devices.find().type)}
    if unknown := set(words) - known:
        parser.error(f"there is no case {', '.join(unknown)}; give some of {', '.join(sorted(known))}")
    print(bench(words))


if __name__ == "__main__":
    main()

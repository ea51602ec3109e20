"""Times networks in the page: `.venv/bin/python benchmarks/page.py` prints JSON, times in milliseconds.

Each network runs in headless Chromium, at the processor's speed and slowed six times: how long a call takes, and how
long a fresh page takes from the text of the network to its first output. The settings take turns, so that what else
the machine does strikes all of them.
"""

import json
import platform
import sys
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import FLAGS, find
from explorers.conftest import interpreter
from explorers.networks import build

from gennotes.explorers.network import pack

NAMES = ("MLP decoder", "convolutional decoder", "DCGAN generator", "U-Net")
SLOWED = 6
ROUNDS = 5
CALLS = 40  # of a round, after as many that are not timed

FIRST = """text => {
  const began = performance.now();
  window.net = load(JSON.parse(text));
  window.given = Object.fromEntries(net.inputs.map(({ name, shape }) => {
    return [name, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, Math.random)];
  }));
  net.run(given);
  return performance.now() - began;
}"""
CALL = """calls => Array.from({ length: calls }, () => {
  const began = performance.now();
  net.run(given);
  return performance.now() - began;
}).slice(calls / 2)"""


def visit(page: Page, text: str, slowed: int) -> tuple[float, list[float]]:
    """Time to the first output, and times of later calls, in milliseconds."""
    page.set_content(f'<script type="module">{interpreter()}\nwindow.load = load;</script>')
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    return page.evaluate(FIRST, text), page.evaluate(CALL, 2 * CALLS)


def main() -> None:
    texts = {name: pack(*build(name)).to_json() for name in NAMES}
    times = {(name, slowed): ([], []) for name in NAMES for slowed in (1, SLOWED)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        for _ in range(ROUNDS):
            for (name, slowed), (first, calls) in times.items():
                page = browser.new_page()
                began, later = visit(page, texts[name], slowed)
                first.append(began)
                calls.extend(later)
                page.close()
        version = browser.version
        browser.close()
    results = [
        {
            "network": name,
            "slowed": slowed,
            "characters": len(texts[name]),
            "first_ms": {"min": round(min(first), 2), "median": round(median(first), 2)},
            "call_ms": {"min": round(min(calls), 3), "median": round(median(calls), 3)},
        }
        for (name, slowed), (first, calls) in times.items()
    ]
    print(json.dumps({"machine": platform.machine(), "chromium": version, "results": results}, indent=1))


if __name__ == "__main__":
    main()

"""The commands: what `make` lists is what the README names, and every refusal is one line that says what to do."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([\w-]+):.*## ", MAKEFILE, re.MULTILINE)


def call(*command: str | Path, **variables: str) -> subprocess.CompletedProcess:
    ours = (
        "PYTHON",
        "VENV",
        "BROWSER",
        "FIREFOX",
        "MAKEFLAGS",
        "MAKEOVERRIDES",
        "MAKELEVEL",
        "MFLAGS",
    )  # of `make test` itself
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=False, timeout=120
    )


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def refusal(done: subprocess.CompletedProcess) -> str:
    """The one line of a refusal."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_make_alone_lists_the_targets() -> None:
    done = call("make")
    assert done.returncode == 0
    listed = re.findall(r"^  make ([\w-]+) +(\S.*)$", done.stdout, re.MULTILINE)
    assert [name for name, _ in listed] == TARGETS
    assert {"setup", "book", "lab", "test", "check", "study", "bench", "screenshots", "clean"} <= set(TARGETS)
    assert len(done.stdout.splitlines()) == len(TARGETS)
    phony = set(re.search(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE).group(1).split())
    assert phony == set(TARGETS)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "book/intro.md"])
def test_named_commands_exist(page: str) -> None:
    named = set(re.findall(r"\bmake ([\w-]+)", re.sub(r"```\w*|`", " ` ", (ROOT / page).read_text())))
    named -= {"more"}  # a word, not a command
    assert named
    assert named <= set(TARGETS)


def test_named_files_exist() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
            assert (ROOT / target).exists(), f"{page} links to {target}"


def test_ci_runs_the_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert ".ci/run" in (ROOT / ".github/workflows/book.yml").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_every_run_ends_with_pytest() -> None:
    done = call("make", "-n", "test", f"VENV={sys.prefix}", BROWSER="none")
    assert done.returncode == 0
    assert re.search(r"GENNOTES_DEVICE=cpu \S+ -m pytest --nbval-lax tests book$", done.stdout.strip())


@pytest.mark.parametrize("version", ["Python 3.10.14", "Python 3.14.0"])
def test_another_python_ends_in_one_line(version: str, tmp_path: Path) -> None:
    old = program(tmp_path / "python", f'[ "$1" = -V ] && echo {version} || exit 1')
    line = refusal(call("sh", "tools/setup.sh", "install", tmp_path / "venv", PYTHON=str(old)))
    assert version in line
    assert "3.11, 3.12 or 3.13" in line


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    line = refusal(call("sh", "tools/setup.sh", "install", tmp_path / "venv", PYTHON="no-such-python"))
    assert line == "PYTHON=no-such-python is not found."


def test_a_fitting_python_is_found(tmp_path: Path) -> None:
    """python3 is too new, python3.12 fits: it is asked to make the environment."""
    program(tmp_path / "python3", "exit 1")
    program(tmp_path / "python3.13", "exit 1")
    program(tmp_path / "python3.12", 'case "$1" in -c) exit 0;; *) exit 1;; esac')
    line = refusal(call("/bin/sh", "tools/setup.sh", "install", tmp_path / "venv", PATH=f"{tmp_path}:/usr/sbin:/sbin"))
    assert line.startswith("python3.12 cannot make a virtual environment")


def test_no_python_at_all(tmp_path: Path) -> None:
    line = refusal(call("/bin/sh", "tools/setup.sh", "install", tmp_path / "venv", PATH=str(tmp_path)))
    assert line.startswith("No Python 3.11, 3.12 or 3.13 on the PATH")


def test_an_environment_that_is_there_is_used_as_it_is() -> None:
    done = call("sh", "tools/setup.sh", "check", sys.prefix)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_environment_that_is_not_there(tmp_path: Path) -> None:
    line = refusal(call("sh", "tools/setup.sh", "check", tmp_path))
    assert "name the folder of a Python environment" in line


def test_what_an_environment_lacks(tmp_path: Path) -> None:
    """Missing packages by their pin, old ones by their range, and nothing else."""
    for name, version in (("torch", "2.10.0"), ("numpy", "2.0.0")):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    done = call(sys.executable, "-S", "tools/missing.py", PYTHONPATH=str(tmp_path))
    lacking = done.stdout.split()
    pins = re.findall(r"^[\w-]+==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    ranges = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert "torch>=2.11" in ranges
    assert [name for name in lacking if name.startswith(("torch>", "torch=", "numpy"))] == ["torch>=2.11"]
    assert set(lacking) - {"torch>=2.11"} == {pin for pin in pins if not pin.startswith(("torch=", "numpy="))}


def test_pins_are_exact_and_within_the_ranges() -> None:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    pins = dict(line.split("==") for line in lines)
    assert len(pins) == len(lines)
    assert pins["jupyter-book"].startswith("1.")
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        name, least = re.match(r"([\w-]+)>=([\d.]+)", line).groups()
        pinned = tuple(int(number) for number in re.match(r"[\d.]+", pins[name]).group().strip(".").split("."))
        assert pinned >= tuple(int(number) for number in least.split("."))


@pytest.mark.parametrize("variable", ["BROWSER", "FIREFOX"])
def test_a_browser_that_is_not_there(variable: str) -> None:
    line = refusal(call("sh", "tools/system.sh", **{variable: "/no/such/browser"}))
    assert line.startswith(f"{variable}=/no/such/browser is not found")
    assert f"{variable}=none" in line


def test_no_browser_at_all(tmp_path: Path) -> None:
    """Where nothing can be installed, each missing program has its line, and only what is left out is not missed."""
    everything = call("/bin/sh", "tools/system.sh", PATH=str(tmp_path))
    assert everything.returncode == 1
    assert [line.split(":")[0] for line in everything.stderr.splitlines()][:2] == [
        "No Chromium or Chrome",
        "No Firefox",
    ]
    left_out = call("/bin/sh", "tools/system.sh", PATH=str(tmp_path), FIREFOX="none")
    assert left_out.returncode == 1
    assert "Chromium" in left_out.stderr
    assert "Firefox" not in left_out.stderr


@pytest.mark.parametrize(
    ("name", "line"), [("no-such-page", "no page is called no-such-page"), ("../x", "no page is called")]
)
def test_pictures_of_a_page_that_is_not_there(name: str, line: str) -> None:
    assert line in refusal(call(sys.executable, "tools/screenshots.py", name))

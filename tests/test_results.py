"""The page of results: nothing on it is typed, and nothing that was measured or published is missing."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.display import Markdown

from gennotes import studies

BOOK = Path(__file__).resolve().parent.parent / "book"
PAGE = (BOOK / "results.md").read_text()
CELL = re.compile(r"^```\{code-cell\} python\n(?::[^\n]*\n)*(.*?)^```$", re.DOTALL | re.MULTILINE)
DIGIT = re.compile(r"[0-9]")
NAMES = re.compile(r"float32|sec-[\w-]+|[\w-]+\.ipynb|\bL1\b|\bpix2pix\b")  # that have a digit and are no number
PLAIN = {-1, 0, 1, 2, 3, 60, 100, 1e-9}  # places, indices, percent, seconds of a minute


def typed_in_prose(page: str) -> list[str]:
    """Digits in the words and tables of a page: outside of code, links' addresses and roles."""
    text = page.split("---", 2)[2]
    for what in (CELL, r"\{[\w:]+\}`[^`]*`", r"`[^`\n]*`", r"\$[^$\n]*\$", r"\]\([^)]*\)"):
        text = re.sub(what, " ", text)
    return [line for line in text.splitlines() if DIGIT.search(NAMES.sub("", line))]


def typed_in_code(page: str) -> Iterator[str]:
    """Numbers and strings with digits in the cells, but for keys of files, formats and small constants."""
    for source in CELL.findall(page):
        tree = ast.parse(source)
        allowed: set[ast.AST] = set()
        for node in ast.walk(tree):
            named = isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"study", "paper"}
            inner = node.args if named else []
            if isinstance(node, ast.Subscript):
                inner = [node.slice]
            elif isinstance(node, ast.FormattedValue) and node.format_spec:
                inner = [node.format_spec]
            elif isinstance(node, ast.Dict):  # keys of files, and titles to them
                inner = [key for key in node.keys if key]
            allowed.update(part for each in inner for part in ast.walk(each))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or node in allowed:
                continue
            value = node.value
            if isinstance(value, str) and DIGIT.search(NAMES.sub("", value)):
                yield value
            elif isinstance(value, int | float) and not isinstance(value, bool) and value not in PLAIN:
                yield str(value)


@pytest.fixture(scope="module")
def run() -> dict:
    """The page's cells, run in the book's folder: their names, and what they show."""
    names: dict = {}
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(BOOK)
        for source in CELL.findall(PAGE):
            body = ast.parse(source).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), "results.md", "exec"), names)
            found = eval(compile(ast.Expression(last.value), "results.md", "eval"), names) if last else None
            if isinstance(found, Markdown):
                shown.append(found.data)
    return names | {"cells": shown}


def test_no_number_is_typed() -> None:
    assert typed_in_prose(PAGE) == []
    assert list(typed_in_code(PAGE)) == []


@pytest.mark.parametrize("planted", ["It reaches 93.9 nats.", "| VAE | 93.9 | 5 |"])
def test_a_number_in_the_prose_is_seen(planted: str) -> None:
    assert typed_in_prose(f"{PAGE}\n{planted}\n")


@pytest.mark.parametrize("planted", ['row("VAE", "sec-vae-elbo", "93.9", vae)', "spread([93.9])", 'f"{x} of 50"'])
def test_a_number_in_the_code_is_seen(planted: str) -> None:
    assert list(typed_in_code(f"---\n---\n```{{code-cell}} python\n{planted}\n```\n"))


def test_every_study_and_every_paper_is_there(run: dict) -> None:
    papers = set(json.loads((BOOK / "published.json").read_text()))
    assert set(studies.names()) | papers <= run["used"]


@pytest.mark.parametrize("name", studies.names())
def test_every_study_is_used_by_its_name(name: str) -> None:
    assert f'study("{name}")' in PAGE


def test_every_measurement_says_how_it_was_made(run: dict) -> None:
    origins = next(text for text in run["cells"] if text.startswith("| command |"))
    for path in (BOOK / "measurements").glob("*.json"):
        about = json.loads(path.read_text())
        assert f"`{about['command']}`" in origins
        assert about["commit"] in origins


def test_tables_are_whole(run: dict) -> None:
    for text in run["cells"]:
        widths = {line.count(" | ") for line in text.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, text


def test_a_short_form_is_told(run: dict) -> None:
    about = json.loads((BOOK / "measurements/modes_protocol.json").read_text())
    done, asked = about["values"]["updates"], about["settings"]["updates"]
    assert done == asked or f"`modes_protocol` ran its short form, {done:,} of {asked:,}" in run["cells"][-1]


def test_a_spread_is_the_mean_and_the_ends(run: dict) -> None:
    spread = run["spread"]
    assert spread([1.0, 2.5, -1.0]) == "0.8 (−1.0\u00a0to\u00a02.5)"
    assert spread([0.25, 0.35], factor=100) == "30.0 (25\u00a0to\u00a035)"
    assert spread([8, 8]) == "8"
    assert spread([1.5, None]) == "1.5; 1 diverged"
    assert spread([None]) == "diverged"

"""Hygiene of the sources: notebooks, prose, bibliography."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml

BOOK = Path(__file__).resolve().parent.parent / "book"
NOTEBOOKS = sorted(path for path in BOOK.rglob("*.ipynb") if not {"_build", ".ipynb_checkpoints"} & set(path.parts))
PAGES = sorted(path for path in BOOK.rglob("*.md") if "_build" not in path.parts)
CHECKED = {"keep_output", "nbval-check-output"}  # the first keeps the output in the file, the second compares it
LONGEST_CELL = 30  # lines of code that are neither blank nor comment
LONGEST_DEF = 25
FILLER = re.compile(
    r"\bin this (chapter|section|notebook),? (we|you) (will|shall)\b|\bit is (important|worth) (to note|noting)\b"
    r"|\bnote that\b|\bneedless to say\b|\bas we all know\b|\bcoming soon\b|\bto be (done|written|added)\b"
    r"|\b(TODO|FIXME|XXX|TBD|lorem ipsum)\b",
    re.IGNORECASE,
)
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u26ff\u2705\u274c\u2728]")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def prose(path: Path) -> str:
    """The words of a page: without code, mathematics, links' addresses and comments."""
    if path.suffix == ".md":
        text = path.read_text()
    else:
        text = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    for what in (
        r"```\{(math|code-cell|eval-rst|bibliography)\}.*?```",
        r"\$\$.*?\$\$",
        r"\\begin\{(\w+\*?)\}.*?\\end",
    ):
        text = re.sub(what, " ", text, flags=re.DOTALL)
    for what in (r"\$[^$]+\$", r"`[^`\n]+`", r"\]\([^)]*\)", r"!\[", r"<!--.*?-->", r"^%.*$"):
        text = re.sub(what, " ", text, flags=re.MULTILINE)
    return text


def test_there_are_chapters() -> None:
    assert NOTEBOOKS


def test_table_of_contents_is_complete() -> None:
    toc = yaml.safe_load((BOOK.parent / "_toc.yml").read_text())
    listed = {toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])}
    written = {path.relative_to(BOOK.parent).with_suffix("").as_posix() for path in [*NOTEBOOKS, *PAGES]}
    assert listed == written


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_is_valid(self, path: Path) -> None:
        notebook = read(path)
        nbformat.validate(notebook)
        assert notebook.metadata.kernelspec.name == "python3"
        assert "widgets" not in notebook.metadata
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)

    def test_only_checked_cells_have_outputs(self, path: Path) -> None:
        for cell in code_cells(path):
            have = tags(cell) & CHECKED
            assert have in (set(), CHECKED), f"cell {cell.id} has only the tag {have}: give both"
            if have:
                assert cell.outputs, f"cell {cell.id} is checked, but stores no output: run it and save"
                assert cell.execution_count, f"cell {cell.id} is checked, but was not run: nbval refuses it"
            else:
                assert not cell.outputs, f"cell {cell.id} stores an output: run nbstripout --keep-count --keep-id"

    def test_has_checked_cells(self, path: Path) -> None:
        assert any(tags(cell) >= CHECKED for cell in code_cells(path))

    def test_lets_no_error_pass(self, path: Path) -> None:
        for cell in code_cells(path):
            assert not tags(cell) & {"raises-exception", "nbval-raises-exception", "nbval-skip", "skip-execution"}

    def test_holds_no_machinery(self, path: Path) -> None:
        """No class, long function or long cell, but for the one cell tagged from-scratch; no shell, no installation."""
        cells = code_cells(path)
        assert sum("from-scratch" in tags(cell) for cell in cells) <= 1
        for cell in cells:
            assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), f"cell {cell.id} calls the shell or a magic"
            if "from-scratch" in tags(cell):
                continue
            lines = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
            assert len(lines) <= LONGEST_CELL, f"cell {cell.id} has {len(lines)} lines of code"
            for node in ast.walk(ast.parse(cell.source)):
                assert not isinstance(node, ast.ClassDef), f"cell {cell.id} defines the class {node.name}"
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < LONGEST_DEF, f"cell {cell.id}: {node.name} is long"

    def test_figures_say_what_they_show(self, path: Path) -> None:
        """A cell that draws has an alternative text, and the text is a sentence rather than a word."""
        for cell in code_cells(path):
            shown = cell.metadata.get("mystnb", {})
            if "figure" in shown:
                assert len(shown.get("image", {}).get("alt", "")) > 20, f"cell {cell.id} lacks an alternative text"
                assert shown["figure"].get("caption"), f"cell {cell.id} lacks a caption"

    def test_exercises_have_solutions(self, path: Path) -> None:
        text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        exercises = re.findall(r"\{exercise(?:-start)?\}.*?\n:label: (\S+)", text)
        solutions = re.findall(r"\{solution(?:-start)?\} (\S+)", text)
        assert sorted(exercises) == sorted(solutions)


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.stem)
class TestProse:
    def test_is_plain(self, path: Path) -> None:
        text = prose(path)
        found = [match.group() for match in FILLER.finditer(text)]
        assert found == []
        assert EMOJI.findall(text) == []
        marks = [line for line in text.splitlines() if re.search(r"\w!(\s|$)", line)]
        assert marks == [], "an exclamation mark"

    def test_promises_nothing(self, path: Path) -> None:
        """A page links only to what is there."""
        for target in re.findall(r"\]\(([^)#:]+\.(?:md|ipynb))", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"

    def test_numbers_of_other_pages_have_a_format(self, path: Path) -> None:
        """What follows the last colon is taken for the format: `page.ipynb::key` alone would name no key."""
        assert re.findall(r"\{glue:text\}`[^`]*::[^`:]*`", path.read_text()) == []


@pytest.mark.parametrize(
    "bad", ["In this chapter we will see.", "It is important to note it.", "Great!", "TODO", "More is coming soon."]
)
def test_the_rules_of_prose_reject(bad: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{bad}\n")
    with pytest.raises(AssertionError):
        TestProse().test_is_plain(page)


@pytest.mark.parametrize("good", ["$x!$ and `a!`", "![a picture](x.png)", "We note a maximum."])
def test_the_rules_of_prose_accept(good: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{good}\n")
    TestProse().test_is_plain(page)


def test_bibliography() -> None:
    entries = re.findall(r"^@\w+\{(\w+),(.*?)^\}", (BOOK / "references.bib").read_text(), re.MULTILINE | re.DOTALL)
    assert len({key for key, _ in entries}) == len(entries)
    for key, fields in entries:
        assert re.fullmatch(r"[a-z]+\d{4}[a-z]?", key)
        for field in ("author", "title", "year"):
            assert re.search(rf"^\s*{field}\s*=", fields, re.MULTILINE), f"{key} lacks {field}"


def notebook(path: Path, source: str, tags: tuple[str, ...] = (), output: bool = False) -> Path:
    """A notebook of one code cell."""
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})
    if output:
        cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="1\n")], 1
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), path)
    return path


@pytest.mark.parametrize(
    "case",
    [
        {"source": "print(1)", "output": True},
        {"source": "print(1)", "tags": ("nbval-check-output",), "output": True},
        {"source": "print(1)", "tags": tuple(CHECKED)},
    ],
)
def test_the_rules_of_outputs_reject(case: dict, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        TestNotebook().test_only_checked_cells_have_outputs(notebook(tmp_path / "a.ipynb", **case))


@pytest.mark.parametrize(
    "source",
    ["class A:\n    pass", "!pip install x", "%pip install x", "x = 1\n" * 31, "def f():\n" + "    x = 1\n" * 25],
)
def test_the_rules_of_code_reject(source: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, SyntaxError)):
        TestNotebook().test_holds_no_machinery(notebook(tmp_path / "a.ipynb", source))


def test_the_rules_accept_a_checked_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "print(1)", tuple(CHECKED), output=True)
    TestNotebook().test_only_checked_cells_have_outputs(path)
    TestNotebook().test_holds_no_machinery(path)

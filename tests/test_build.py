"""The book's build: what runs again and what does not, what a failing cell does, and the docstrings on the page."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools/extension"))
import gennotes_book  # noqa: E402


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of one chapter, with our settings and extension."""
    root = tmp_path_factory.mktemp("project")
    for name in ("_config.yml", "requirements.txt", "book/assets", "tools/extension", "book/references.bib"):
        (root / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    (root / "src/gennotes").mkdir(parents=True)
    (root / "src/gennotes/__init__.py").write_text('"""A package."""\n')
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters:\n  - file: book/chapter\n")
    (root / "book/intro.md").write_text(
        "# Cover\n\n```{glue} cover\n:doc: chapter.ipynb\n```\n\nIt is {glue:text}`chapter.ipynb::number:.1f`.\n"
    )
    write_chapter(root, "3.14159")
    return root


def write_chapter(root: Path, number: str) -> None:
    cells = [
        nbformat.v4.new_markdown_cell("# A chapter"),
        nbformat.v4.new_code_cell(
            "import os\n\nfrom IPython.display import HTML\nfrom myst_nb import glue\n\n"
            f"number = {number}\nglue('number', number, display=False)\n"
            "glue('cover', HTML(f'<b id=\"cover\">{os.environ[\"GENNOTES_STATIC\"]}</b>'), display=False)"
        ),
    ]
    for serial, cell in enumerate(cells):
        cell.id = f"cell-{serial}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root / "book/chapter.ipynb")


def build(root: Path, **variables: str) -> tuple[int, str]:
    """The exit status of `make book`'s command, and what it said."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools/build.py"],
        cwd=root,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def page(root: Path, name: str) -> str:
    return (root / f"book/_build/html/book/{name}.html").read_text()


def test_a_chapter_runs_only_when_it_must(project: Path) -> None:
    status, said = build(project)
    assert status == 0, said
    assert "Executing notebook" in said
    assert "chapter.ipynb " in said.split("dumping object inventory")[1], "how long the chapter took"
    assert (project / "book/_build/html/index.html").as_uri() in said
    assert '<b id="cover">1</b>' in page(project, "intro")
    assert ">3.1<" in page(project, "intro")
    for script in ("thebe", "require", "fontawesome.js", "//"):
        assert f'src="{script}' not in page(project, "chapter")

    status, said = build(project)  # nothing has changed
    assert (status, "Executing" in said) == (0, False)

    (project / "book/intro.md").write_text((project / "book/intro.md").read_text() + "\nMore.\n")
    status, said = build(project)  # only the cover has changed: it still shows the chapter's outputs
    assert (status, "Executing" in said) == (0, False)
    assert '<b id="cover">1</b>' in page(project, "intro")
    assert "More." in page(project, "intro")

    write_chapter(project, "2.71828")
    status, said = build(project)  # only the chapter has changed: the cover follows
    assert (status, "Executing" in said) == (0, True)
    assert ">2.7<" in page(project, "intro")

    (project / "src/gennotes/__init__.py").write_text('"""Another package."""\n')
    status, said = build(project)
    assert (status, "Executing" in said) == (0, True), "a change of the package runs every chapter again"
    assert len(list((project / "book/_build/executed").iterdir())) == 1, "the caches of older states are removed"


def test_a_failing_cell_fails_the_build(project: Path) -> None:
    """Both times: the second build may not take the page of the first."""
    write_chapter(project, "1 / 0")
    for _ in range(2):
        status, said = build(project)
        assert status != 0
        assert "number = 1 / 0" in said
        assert "ZeroDivisionError" in said
        assert "chapter.ipynb" in said
        assert said.rstrip().splitlines()[-1].startswith("The book is not built")


def test_an_unresolved_reference_fails_the_build(project: Path) -> None:
    write_chapter(project, "1")
    text = (project / "book/intro.md").read_text()
    (project / "book/intro.md").write_text(text + "\nSee {ref}`nowhere`.\n")
    for _ in range(2):
        status, said = build(project)
        assert status != 0
        assert "nowhere" in said
    (project / "book/intro.md").write_text(text)
    assert build(project)[0] == 0


def test_state_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache belongs to sources, pins, measured numbers and GENNOTES_*; not to pages or tests."""
    for name in ("src/gennotes/a.py", "src/gennotes/b.js", "requirements.txt", "book/measurements/vae.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    states = [gennotes_book.state_of_the_code(tmp_path)]
    assert gennotes_book.state_of_the_code(tmp_path) == states[0]
    for name in ("src/gennotes/a.py", "src/gennotes/b.js", "requirements.txt", "book/measurements/vae.json"):
        (tmp_path / name).write_text("2")
        states.append(gennotes_book.state_of_the_code(tmp_path))
    monkeypatch.setenv("GENNOTES_DEVICE", "cpu:0")
    states.append(gennotes_book.state_of_the_code(tmp_path))
    assert len(set(states)) == len(states)
    (tmp_path / "book/intro.md").write_text("text")
    (tmp_path / "src/gennotes/a.pyc").write_text("3")
    assert gennotes_book.state_of_the_code(tmp_path) == states[-1]


def test_plain_docstrings() -> None:
    lines = [
        "KL of p and q: |x|, *y*, z_ and `a_b`.",
        "",
        "    log p(x)",
        "x, y: (B, L), real.",
        "Returns nats.",
        "1. first,",
        "   on two lines",
        "2. second",
        "Raises ValueError if not.",
    ]
    gennotes_book.plain_docstring(None, "function", "f", None, None, lines)
    assert lines == [
        r"KL of p and q: \|x\|, \*y\*, z\_ and ``a_b``.",
        "",
        "",
        "::",
        "",
        "    log p(x)",
        "",
        "x, y: (B, L), real.",
        "",
        "Returns nats.",
        "",
        "1. first,",
        "   on two lines",
        "2. second",
        "",
        "Raises ValueError if not.",
        "",
    ]

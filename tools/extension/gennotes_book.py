"""What the book needs of Sphinx beyond its settings.

Kernels are told that they make a static page (GENNOTES_STATIC=1). The cache of executed notebooks belongs to one state
of the package, the pins and the GENNOTES_* variables: another state, another folder, and every notebook runs again.
Pages load nothing from elsewhere. Docstrings are plain text, not reStructuredText. After the build, the log says what
each notebook took.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)


def state_of_the_code(root: Path) -> str:
    """A hash of everything besides a notebook's own cells that its outputs depend on."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    sources = [path for path in (root / "src").rglob("*") if path.suffix in {".py", ".js", ".css"}]
    numbers = [root / "book/published.json", *(root / "book/measurements").glob("*.json")]
    for path in sorted([root / "requirements.txt", *sources, *numbers]):
        if path.is_file():
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    for name, value in sorted(os.environ.items()):
        if name.startswith("GENNOTES_"):
            digest.update(f"{name}={value}\0".encode())
    return digest.hexdigest()[:16]


def prepare_execution(app: Sphinx, config) -> None:
    """Choose the cache for this state of the code, and drop those of other states."""
    os.environ["GENNOTES_STATIC"] = "1"
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is of no use on a finished page
    caches = Path(app.outdir).parent / "executed"
    cache = caches / state_of_the_code(Path(app.srcdir))
    for old in caches.glob("*"):
        if old != cache:
            shutil.rmtree(old, ignore_errors=True)
    # Sphinx reads all pages again when this value differs from the last build's.
    config.nb_execution_cache_path = str(cache)


def pages_with_numbers_of_others(app: Sphinx, env) -> list[str]:
    """Write front and back matter each time: it shows outputs of chapters (`glue`), which may have run again."""
    return [name for name in env.found_docs if not env.doc2path(name).endswith(".ipynb")]


def without_icon_script(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Give layout.html a filter that drops the theme's 1.5 MB icon script: its style sheet draws the icons."""
    script = re.compile(r"<script[^>]*fontawesome\.js[^>]*></script>")
    context["without_icon_script"] = lambda html: script.sub("", html)


def mended_body(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Put right what the writer of HTML gets wrong for readers with a screen reader, and for the eye.

    An entry of the bibliography has a role that no list may hold; an empty cell is no header; a line breaks between a
    formula and the comma behind it.
    """
    if "body" not in context:
        return
    math = r'<span class="math notranslate nohighlight">[^<]*</span>'
    for pattern, replacement in (
        (r'role="doc-biblioentry"', 'role="listitem"'),
        (r'<th class="head[^"]*">(<p></p>)?</th>', "<td></td>"),
        (rf"([(\u201c\u2018]*{math}[,.;:?)\u201d\u2019]+)", r'<span class="nobreak">\1</span>'),
    ):
        context["body"] = re.sub(pattern, replacement, context["body"])


def plain_docstring(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Turn a docstring in plain text into reStructuredText.

    Paragraphs, `code`, lists ("- ", "1. ") and blocks indented by four (formulas, code) are kept; a line that begins
    with "Returns", "Raises", "Source" or the name of a parameter begins a paragraph.
    """
    paragraph = re.compile(r"(Returns|Raises|Warns|Yields|Sources?)\b|\w+(, \w+)*: ")
    out: list[str] = []
    before = "empty"
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if not text:
            kind = "empty" if before != "block" else "block"
        elif indent >= 4 and before in ("empty", "block"):
            kind = "block"
        elif re.match(r"(-|\d+\.) ", text):
            kind = "item"
        else:
            kind = "item" if indent and before == "item" else "text"
        if text and kind == "block" and before != "block":
            out += ["", "::", ""]
        elif text and before != "empty" and (kind != before or (kind == "text" and paragraph.match(text))):
            out.append("")
        out.append(line if kind == "block" else plain_line(line if kind == "item" else text))
        before = kind
    lines[:] = [*out, ""]


def plain_line(line: str) -> str:
    """Escape what reStructuredText would read as mark-up, outside `code`."""
    mark, rest = re.match(r"(\s*(?:(?:-|\d+\.) )?)(.*)", line).groups()
    parts = re.split(r"`+([^`]+)`+", rest)
    return mark + "".join(
        f"``{part}``" if i % 2 else re.sub(r"([\\*_|])", r"\\\1", part) for i, part in enumerate(parts)
    )


def type_in_a_signature(app: Sphinx, env, node, contnode):
    """Link a type of ours to where it is documented, under the name it is imported by; leave all others as text."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    if not target.startswith("gennotes."):
        return contnode
    domain = env.get_domain("py")
    public = [name for name in domain.objects if name.rpartition(".")[2] == target.rpartition(".")[2]]
    if len(public) != 1:
        return contnode
    return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], public[0], node, contnode)


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax, its fonts and its TeX extensions beside the pages."""
    if error or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    target = Path(app.outdir) / "_static/mathjax"
    for part in ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions"):
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def report(app: Sphinx, error: Exception | None) -> None:
    """Say what each notebook took; after a failure, make the next build look at every page again."""
    runs = {name: data["exec_data"] for name, data in app.env.nb_metadata.items() if "exec_data" in data}
    for name, run in sorted(runs.items()):
        if run["succeeded"]:
            log.info("%-24s %7.1f s", f"{name}.ipynb", run["runtime"])
        else:
            log.info("%-24s failed", f"{name}.ipynb")
    if error or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    """Connect the above."""
    app.add_config_value("comments_config", {}, "")  # Jupyter Book sets it; the extension that reads it is left out
    app.config.templates_path.append(str(Path(__file__).parent / "templates"))
    app.connect("config-inited", prepare_execution)
    app.connect("env-get-updated", pages_with_numbers_of_others)
    app.add_js_file("book.js", loading_method="defer")
    app.connect("html-page-context", without_icon_script)
    app.connect("html-page-context", mended_body)
    app.connect("autodoc-process-docstring", plain_docstring)
    app.connect("missing-reference", type_in_a_signature)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", report, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

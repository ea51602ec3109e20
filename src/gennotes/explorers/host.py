"""Where explorers live: one ES module each, hosted by anywidget in JupyterLab and by `page.js` on a page alone.

Where the variable `GENNOTES_STATIC` is set (the book's build sets it), an explorer opens no comm and shows itself as
one piece of HTML that needs neither a kernel nor a network. Elsewhere it is an ordinary widget, and a saved notebook
does not carry its weights.
"""

import hashlib
import html
import itertools
import json
import os
import re
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from ipywidgets import Layout, widget_serialization
from ipywidgets.widgets.trait_types import InstanceDict

FOLDER = Path(__file__).parent
VARIABLE = "GENNOTES_STATIC"

_IMPORT = re.compile(r'^import (?:(?P<default>\w+)|\{(?P<names>[^}]*)\}) from "\./(?P<file>[\w.-]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.MULTILINE)
_serial = itertools.count(1)


def bundle(source: str, folder: Path = FOLDER) -> str:
    """The text of one ES module that imports nothing: every relative import in `source` is written out.

    An imported file becomes a function that is called once and returns its exports, so that names of different files
    cannot meet. `source` keeps its own exports.

    Raises ValueError for an import of another form than `import {a, b as c} from "./file.js"` or
    `import name from "./file.js"`, and for a text that would end the script element it stands in.
    """
    files: dict[str, str] = {}  # written out, each after the files that it needs

    def resolve(text: str) -> str:
        def replace(found: re.Match) -> str:
            name = include(found["file"])
            if found["default"]:
                return f"const {found['default']} = {name}.$default;"
            return f"const {{{found['names'].replace(' as ', ': ')}}} = {name};"

        text = _IMPORT.sub(replace, text)
        if left := re.search(r"^import\b.*$", text, re.MULTILINE):
            raise ValueError(f'the import {left[0]!r} cannot be written out; give import {{name}} from "./file.js";')
        return text

    def include(file: str) -> str:
        name = "$" + re.sub(r"\W", "_", file)
        if file not in files:
            text = resolve((folder / file).read_text("utf-8"))
            exports = _EXPORT.findall(text)
            if re.search(r"^export default ", text, re.MULTILINE):
                text = re.sub(r"^export default ", "const $default = ", text, flags=re.MULTILINE)
                exports.append("$default")
            text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
            files[file] = f"const {name} = (() => {{\n{text}\nreturn {{ {', '.join(exports)} }};\n}})();\n"
        return name

    main = resolve(source)
    text = "\n".join([*files.values(), main])
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("a module may not contain '</script' or '<!--': either would end the script element in a page")
    return text


def read(file: str) -> str:
    """The text of a file of this folder."""
    return (FOLDER / file).read_text("utf-8")


class Explorer(anywidget.AnyWidget):
    """An interactive figure. A subclass names its module and synchronises the traits that the module reads."""

    module: ClassVar[str]  # the file of the ES module, in this folder; a style sheet of the same name goes with it
    _css = read("explorer.css")

    layout = InstanceDict(Layout, (), allow_none=True).tag(sync=True, **widget_serialization)
    title = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    poster = traitlets.Unicode()  # a still picture as a data URI, for readers without scripts

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "module" in cls.__dict__:  # not for the class that anywidget derives for each widget
            cls._esm = bundle(read(cls.module))
            own = Path(cls.module).with_suffix(".css")  # beside what all explorers share
            cls._css = read("explorer.css") + (read(own.name) if (FOLDER / own).exists() else "")
        super().__init_subclass__(**kwargs)

    def __init__(self, **values: Any) -> None:
        self.static = bool(os.environ.get(VARIABLE))
        if self.static:
            values["layout"] = None  # it would be a widget too, with a comm of its own
        super().__init__(**values)

    def open(self) -> None:
        """Opens the comm to the notebook, except on a static page."""
        if not self.static:
            super().open()

    def to_html(self) -> str:
        """The explorer as a piece of HTML: poster, values, style, module and page host, with no reference outside."""
        own = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
        values = {name: getattr(self, name) for name in sorted(own) if not name.startswith("_")}
        data = json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        name = f"gn-{hashlib.sha256(data.encode()).hexdigest()[:8]}-{next(_serial)}"
        entry = [
            f'import explorer from "./{self.module}";',
            'import { mount } from "./page.js";',
            f'mount(explorer, "{name}");',
        ]
        module = bundle("\n".join(entry))
        return (
            f'<div id="{name}" class="gn-explorer-host">\n'
            f"<style>\n{self._css}</style>\n"
            f'<img class="gn-poster dark-light" src="{self.poster}" alt="{html.escape(self.alt)}">\n'
            f'<script type="application/json">{data}</script>\n'
            f'<script type="module">\n{module}\n</script>\n'
            "</div>"
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return {"text/html": self.to_html()} if self.static else super()._repr_mimebundle_(**kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.title!r})"

"""A panel that runs Python with the reader's own settings, for pages that have a kernel."""

import os
from collections.abc import Callable
from typing import Any

from ipywidgets import Widget, interactive

from .host import VARIABLE

NOTE = "This panel needs a kernel: open the chapter in JupyterLab (make lab) to use it."


def panel(run: Callable[..., Any], action: str, **controls: Widget) -> "interactive | Note":
    """Controls, and a button named `action` that calls `run` with their values and shows what it prints and displays.

    run: is called with one keyword argument for each of `controls`, which are widgets with a `value`.
    Returns a widget where there is a kernel, and on a static page one line that says where the panel is to be had.
    """
    if os.environ.get(VARIABLE):
        return Note()
    return interactive(run, {"manual": True, "manual_name": action}, **controls)


class Note:
    """The line that stands for a panel on a static page."""

    def _repr_html_(self) -> str:
        return f"<p><em>{NOTE}</em></p>"

    def __repr__(self) -> str:
        return NOTE

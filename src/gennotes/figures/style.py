"""The look of the figures: one palette, one type scale, two themes, and a figure that shows itself once and sharp."""

import functools
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import matplotlib.colors
import matplotlib.figure
import matplotlib.textpath
import numpy as np
from matplotlib.font_manager import FontProperties
from PIL import Image

# Okabe & Ito, Color Universal Design, 2008. A colour means the same thing on every page.
DATA = "#0072B2"  # data, and what comes from it
MODEL = "#D55E00"  # model, decoder or generator
CRITIC = "#009E73"  # discriminator or critic
MIXTURE = "#F0E442"  # the mixture M = (P + Q)/2; too light on paper alone, so always with a dark edge
OTHER = "#CC79A7"  # a fourth series; in a diagram what is scored
REFERENCE = "#7A7F85"  # prior, exact value, published value

# Ten classes, Tol's "muted" scheme (Colour Schemes, SRON/EPS/TN/09-002, 2021) with its pale grey made dark enough for
# points. Ten colours are more than an eye can tell apart by colour alone: print the class beside its points as well.
CLASSES = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#6B7075",
)

SERIES = (DATA, MODEL, CRITIC, OTHER, REFERENCE)
DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 2)))
MARKERS = ("o", "s", "^", "D", "v")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\")

WIDTH = 7.2  # inches: the text width of a page
TITLE, TEXT, SMALL = 13.0, 12.0, 11.0  # points; at a phone's width a page shows them at about half size
RASTER_DPI = 192  # twice the 96 pixels per inch of a page


@dataclass(frozen=True)
class Theme:
    """The colours of paper and ink."""

    paper: str
    ink: str
    quiet: str  # ticks, notes
    faint: str  # grid lines, frames
    images: str  # colour map of grey images: ink on paper


THEMES = {
    "light": Theme(paper="#ffffff", ink="#1f2328", quiet="#59616a", faint="#dfe3e8", images="gray_r"),
    "dark": Theme(paper="#14181d", ink="#e8ebee", quiet="#a9b1ba", faint="#363d45", images="gray"),
}

_theme = THEMES["light"]


def theme() -> Theme:
    """The theme in use."""
    return _theme


def use(theme: str = "light") -> None:
    """Draws every later figure in `theme` ("light" or "dark"), the reader's own pyplot figures too.

    The figures of this package have the house's look without this call; it is there to change the theme.
    Raises ValueError if there is no such theme.
    """
    global _theme
    if theme not in THEMES:
        raise ValueError(f"theme {theme!r} is unknown; give one of {', '.join(map(repr, THEMES))}")
    _theme = THEMES[theme]
    matplotlib.rcParams.update(settings())


def settings() -> dict[str, Any]:
    """matplotlib's settings for the theme in use."""
    return {
        "figure.figsize": (WIDTH, 3.6),
        "figure.dpi": 96,
        "figure.facecolor": _theme.paper,
        "savefig.facecolor": "auto",
        "savefig.dpi": RASTER_DPI,
        "svg.fonttype": "path",  # the same letters on every machine
        "svg.hashsalt": "gennotes",  # the same bytes in every run
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
        "font.size": TEXT,
        "mathtext.fontset": "dejavuserif",
        "text.color": _theme.ink,
        "axes.facecolor": _theme.paper,
        "axes.edgecolor": _theme.quiet,
        "axes.linewidth": 0.9,
        "axes.labelcolor": _theme.ink,
        "axes.labelsize": TEXT,
        "axes.titlesize": SMALL,
        "axes.titlelocation": "left",
        "axes.titlecolor": _theme.quiet,
        "axes.titlepad": 8.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "axes.prop_cycle": matplotlib.cycler(color=SERIES),
        "grid.color": _theme.faint,
        "grid.linewidth": 0.8,
        "xtick.color": _theme.quiet,
        "ytick.color": _theme.quiet,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
        "patch.linewidth": 1.0,
        "hatch.linewidth": 0.8,
        "legend.frameon": False,
        "legend.fontsize": SMALL,
        "image.interpolation": "nearest",
        "image.cmap": _theme.images,
    }


class Figure(matplotlib.figure.Figure):
    """A figure at text width that a notebook shows once: SVG for line art, PNG at twice the resolution for images.

    It is not known to pyplot, so nothing is left open and nothing shows it a second time.

    height: inches. raster: True for a figure that is mostly pixels. dpi: resolution of its PNG. colours: how many
    colours its PNG may have, up to 256, for a file of a third of the size; None for all.
    """

    def __init__(
        self,
        height: float = 3.6,
        raster: bool = False,
        dpi: float = RASTER_DPI,
        layout: str = "constrained",
        colours: int | None = None,
    ) -> None:
        self._settings = settings() | {"savefig.dpi": dpi}
        self._raster, self._colours = raster, colours
        with matplotlib.rc_context(self._settings):
            super().__init__(figsize=(WIDTH, height), layout=layout)
        _register()

    def draw(self, renderer: Any) -> None:
        """Draws with the settings the figure was made with, whatever the reader has set since."""
        with matplotlib.rc_context(self._settings):
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """As matplotlib's, in the house's resolution and with the same bytes in every run."""
        with matplotlib.rc_context(self._settings):
            super().savefig(fname, **options)

    def _repr_svg_(self) -> str | None:
        if self._raster:
            return None
        buffer = io.StringIO()
        self.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        # Smaller by a third: a hundredth of a point is enough for a path, and nobody reads the indentation.
        shorter = functools.partial(re.sub, r"(\.\d\d)\d+", r"\1")
        svg = re.sub(r' d="[^"]*"', lambda path: shorter(path[0]), buffer.getvalue())
        return re.sub(r"\n +", "\n", svg)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]] | None:
        if not self._raster:
            return None
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
        if self._colours:
            with Image.open(buffer) as image:
                few = image.convert("RGB").quantize(self._colours, dither=Image.Dither.NONE)
            buffer = io.BytesIO()
            few.save(buffer, "PNG", optimize=True)
        width, height = self.get_size_inches() * 96
        return buffer.getvalue(), {"width": round(width), "height": round(height)}


@functools.cache
def _register() -> None:
    """Puts the two methods above before the printers that pyplot registers for every figure in a notebook."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    if (shell := get_ipython()) is not None:
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, Figure._repr_svg_)
        shell.display_formatter.formatters["image/png"].for_type(Figure, Figure._repr_png_)


def house(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Makes a figure function draw with the house's settings and leave the reader's own as they are."""

    @functools.wraps(draw)
    def drawn(*args: Any, **options: Any) -> Figure:
        with matplotlib.rc_context(settings()):
            return draw(*args, **options)

    return drawn


def title(figure: Figure, text: str) -> None:
    """Sets the figure's title, flush left, wrapped at the width of the page."""
    place = {} if figure.get_layout_engine() else {"y": 1 - 0.08 / figure.get_figheight()}  # else the layout finds it
    look = {"ha": "left", "va": "top", "fontsize": TITLE, "fontweight": "bold", "linespacing": 1.25}
    figure.suptitle(wrap_title(text), x=0.006, **look, **place)


def wrap_title(text: str) -> str:
    """`text` in lines that fit the width of the page as a title."""
    return wrap(text, WIDTH - 0.15, TITLE, "bold")


def wrap(text: str, width: float, size: float = TEXT, weight: str = "normal") -> str:
    """`text` in lines of at most `width` inches at `size` points, but no word is cut; line breaks it has are kept."""
    lines: list[str] = []
    for part in text.split("\n"):
        line = ""
        for word in part.split():
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size, weight) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)


def ink(colour: str, contrast: float = 4.5) -> str:
    """`colour` for letters: moved towards the ink until it has `contrast` with the paper (WCAG 2.1, section 1.4.3)."""
    start, end = (np.array(matplotlib.colors.to_rgb(c)) for c in (colour, _theme.ink))
    for share in np.linspace(0.0, 1.0, 21):
        mixed = matplotlib.colors.to_hex((1.0 - share) * start + share * end)
        if contrast_ratio(mixed, _theme.paper) >= contrast:
            break
    return mixed


def contrast_ratio(a: Any, b: Any) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.1, "contrast ratio")."""

    def luminance(colour: Any) -> float:
        rgb = np.array(matplotlib.colors.to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def text_width(text: str, size: float = TEXT, weight: str = "normal") -> float:
    """Width in inches of the widest line of `text` at `size` points."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    measure = matplotlib.textpath.text_to_path.get_text_width_height_descent
    return max(measure(line, font, ismath="$" in line)[0] for line in text.split("\n")) / 72.0

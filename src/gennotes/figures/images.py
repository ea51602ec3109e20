"""Rows and grids of images, pixel for pixel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from gennotes.figures import style
from gennotes.figures.arrays import pixels

GAP = 6  # device pixels between neighbours
LARGEST, FINEST = 1.05, 150  # no image is drawn wider than these inches, or these pixels to an inch


@style.house
def image_rows(
    rows: Mapping[str, Any], title: str, column_labels: Sequence[str] | None = None, note: str = ""
) -> style.Figure:
    """Rows of images, each with its label on the left.

    rows: label -> images (N, H, W), (N, 1, H, W) or (N, 3, H, W) in [0, 1]; rows may differ in N, not in H and W.
    column_labels: one above each column. note: one line under the title.
    Raises ValueError on another shape or range.
    """
    if not rows:
        raise ValueError("rows is empty; give at least one label with its images")
    pictures = {label: pixels(f"rows[{label!r}]", images) for label, images in rows.items()}
    shapes = {label: x.shape[1:3] for label, x in pictures.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"rows have images of different sizes: {shapes}; give one (H, W) for all")
    columns = max(len(x) for x in pictures.values())
    if column_labels is not None and len(column_labels) != columns:
        raise ValueError(f"column_labels has {len(column_labels)} entries; give {columns}, one for each column")
    return _draw(pictures, columns, title, column_labels, note)


@style.house
def image_grid(
    images: Any, title: str, columns: int = 10, row_labels: Sequence[str] | None = None, note: str = ""
) -> style.Figure:
    """Images in reading order, `columns` to a row.

    images: (N, H, W), (N, 1, H, W) or (N, 3, H, W) in [0, 1]. row_labels: one for each row.
    Raises ValueError on another shape or range, or if the labels do not match the rows.
    """
    x = pixels("images", images)
    if columns < 1:
        raise ValueError(f"columns is {columns}; give at least 1")
    starts = range(0, len(x), columns)
    if row_labels is not None and len(row_labels) != len(starts):
        raise ValueError(f"row_labels has {len(row_labels)} entries; give {len(starts)}, one for each row")
    labels = row_labels if row_labels is not None else [""] * len(starts)
    pictures = {
        (i, label): x[start : start + columns] for i, (label, start) in enumerate(zip(labels, starts, strict=True))
    }
    return _draw(pictures, min(columns, len(x)), title, None, note)


def reconstructions(originals: Any, reconstructions: Any, title: str, note: str = "") -> style.Figure:
    """Two rows: the data x, and below each image the pixel means the decoder gives for its code.

    originals, reconstructions: both (N, H, W) or (N, C, H, W) with C of 1 or 3, in [0, 1].
    Raises ValueError if the shapes differ.
    """
    x, y = pixels("originals", originals), pixels("reconstructions", reconstructions)
    if x.shape != y.shape:
        raise ValueError(f"originals has shape {x.shape}, reconstructions {y.shape}; give the same shape")
    return image_rows({"data $x$": originals, "pixel\nmeans": reconstructions}, title, note=note)


def _draw(
    rows: Mapping[Any, np.ndarray], columns: int, title: str, column_labels: Sequence[str] | None, note: str
) -> style.Figure:
    """Draws rows on a canvas of device pixels, every image pixel a whole number of them wide."""
    theme = style.theme()
    height, width = next(iter(rows.values())).shape[1:3]
    labels = [key if isinstance(key, str) else key[1] for key in rows]
    labels = [style.wrap(label, 1.3, style.SMALL) for label in labels]
    margin, left = 0.04, 0.04  # inches
    if any(labels):
        left += max(style.text_width(label, style.SMALL) for label in labels) + 0.12

    # The resolution is the one at which whole device pixels fill the width: the first at or above that of the style.
    # Images too large for that are scaled down to the width.
    largest = max(LARGEST, width / FINEST)
    room, gaps = max(style.WIDTH - left - margin, 1.0), (columns - 1) * GAP
    scale, dpi = 0, 0.0  # device pixels to an image pixel
    while dpi < style.RASTER_DPI:
        scale += 1
        dpi = (columns * scale * width + gaps) / room
    if not scale * width / largest <= dpi <= 1.5 * style.RASTER_DPI:
        dpi = style.RASTER_DPI
        widest = min(largest * dpi, (room * dpi - gaps) / columns)
        scale = widest // width or widest / width
    w, h = round(scale * width), round(scale * height)
    canvas, margin, left = style.WIDTH * dpi, round(margin * dpi), round(left * dpi)

    head = round((0.1 + 0.235 * len(style.wrap_title(title).split("\n"))) * dpi) + (round(0.24 * dpi) if note else 0)
    above = round(0.26 * dpi) if column_labels is not None else round(0.06 * dpi)
    tall = head + above + len(rows) * (h + GAP) + margin

    figure = style.Figure(height=(tall + 1e-3) / dpi, raster=True, dpi=dpi, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, canvas), ylim=(tall, 0))  # downwards, as images run
    style.title(figure, title)
    if note:
        axes.text(margin, head - 0.05 * dpi, note, fontsize=style.SMALL, color=theme.quiet, va="bottom")
    frames = []
    for i, (label, images) in enumerate(zip(labels, rows.values(), strict=True)):
        top = head + above + i * (h + GAP)
        if label:
            axes.text(margin, top + h / 2, label, fontsize=style.SMALL, va="center", linespacing=1.2)
        for j, image in enumerate(images):
            x = left + j * (w + GAP)
            box = (x, x + w, top + h, top)
            axes.imshow(image, cmap=theme.images, vmin=0, vmax=1, extent=box, interpolation="nearest", aspect="auto")
            frames.append(Rectangle((x - 1, top - 1), w + 2, h + 2))
    for j, label in enumerate(column_labels or ()):
        x = left + j * (w + GAP) + w / 2
        axes.text(x, head + above - 0.05 * dpi, label, fontsize=style.SMALL, ha="center", va="bottom")
    axes.add_collection(PatchCollection(frames, facecolor="none", edgecolor=theme.faint, linewidth=0.75))
    axes.set(xlim=(0, canvas), ylim=(tall, 0))
    return figure

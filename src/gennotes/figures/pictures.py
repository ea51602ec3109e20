"""Convolutions by their arithmetic, overlaps of kernels, numbers by seed, distances of samples to real images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import ConnectionPatch, FancyArrowPatch, Polygon, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from gennotes.figures import style
from gennotes.figures.arrays import arrays


@style.house
def layer_maps(rows: Mapping[str, tuple[Sequence[tuple[int, int]], str]], title: str) -> style.Figure:
    """The maps that pass through convolutional networks, one network a row, each map a block of (channels, side).

    rows: label -> (the (channels, side) of each map from the input to the output, colour); a side of 1 is a vector.
    The front of a block is as large as its side, its depth grows with the logarithm of the channels.
    Raises ValueError without rows, for a row of fewer than two maps, or for a size below 1.
    """
    if not rows or any(len(maps) < 2 or min(min(one) for one in maps) < 1 for maps, _ in rows.values()):
        raise ValueError("rows must hold at least two maps each, of (channels, side) of at least 1")
    tall, head = 1.75, 0.42  # inches
    height = head + tall * len(rows)
    figure = style.Figure(height=height, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    largest = max(side for maps, _ in rows.values() for _, side in maps)
    for i, (label, (maps, colour)) in enumerate(rows.items()):
        y = height - head - i * tall - 0.72
        axes.text(0.06, y, style.wrap(label, 1.2), va="center", fontsize=style.TEXT)
        places, end = np.linspace(1.9, style.WIDTH - 0.85, len(maps)), 0.0  # where the block before ends
        for k, (x, (channels, side)) in enumerate(zip(places, maps, strict=True)):
            front, depth = max(side / largest, 0.1), 0.045 * np.log2(2 * channels)
            left, low = x - (front + depth) / 2, y - (front + depth) / 2
            look = {"edgecolor": colour, "linewidth": 1.4, "joinstyle": "round", "zorder": 3}
            for corners, share in (
                ([(0, 0), (front, 0), (front, front), (0, front)], 0.3),
                ([(0, front), (front, front), (front + depth, front + depth), (depth, front + depth)], 0.16),
                ([(front, 0), (front + depth, depth), (front + depth, front + depth), (front, front)], 0.5),
            ):
                shape = Polygon(np.add(corners, (left, low)), facecolor=to_rgba(colour, share), **look)
                axes.add_patch(shape)
            words = f"{channels} × {side} × {side}" if side > 1 else f"{channels}"
            axes.text(x, y - 0.66, words, ha="center", va="top", fontsize=style.SMALL, color=style.theme().ink)
            if k:
                ends = (end + 0.06, y), (left - 0.06, y)
                axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=11, color=style.theme().quiet))
            end = x + (front + depth) / 2
    axes.set(xlim=(0, style.WIDTH), ylim=(0, height))
    style.title(figure, title)
    return figure


@style.house
def convolution_arithmetic(side: int, kernel: int, stride: int, padding: int, title: str) -> style.Figure:
    """A convolution of a square image of `side` pixels, and its transpose, as windows on a grid of pixels.

    Left, the convolution: each place of the kernel gives one output pixel; two of the places are drawn, shifted by the
    stride, with the padding around the image. Right, its transpose: the same lines read the other way, each input pixel
    is spread over the pixels of a window, and what falls on the padding is cut off.
    The output has ⌊(side + 2 padding − kernel) / stride⌋ + 1 pixels a side.
    Raises ValueError if a number is out of its range or the kernel is larger than the padded image.
    """
    if min(side, kernel, stride) < 1 or padding < 0 or kernel > side + 2 * padding:
        raise ValueError(
            f"side {side}, kernel {kernel}, stride {stride}, padding {padding}: give numbers ≥ 1, a padding ≥ 0 and a "
            f"kernel of at most side + 2 padding = {side + 2 * padding}"
        )
    small = (side + 2 * padding - kernel) // stride + 1
    figure = style.Figure(height=3.3)
    panels = figure.subplots(1, 2)
    windows = [(0, 0, style.DATA), (small - 1, max(small - 2, 0), style.MODEL)]
    for axes, transposed in zip(panels, (False, True), strict=True):
        left, gap = side + 2 * padding, 2.2
        _pixels(axes, padding, padding, side, style.theme().quiet)
        if padding:
            outline = {"fill": False, "edgecolor": style.theme().quiet, "linestyle": (0, (3, 2)), "linewidth": 1.0}
            axes.add_patch(Rectangle((0, 0), left, left, **outline))
        top = (left - small) / 2
        _pixels(axes, left + gap, top, small, style.theme().quiet)
        for row, column, colour in windows:
            window = (stride * column, stride * row)
            pixel = (left + gap + column, top + row)
            axes.add_patch(Rectangle(window, kernel, kernel, facecolor=colour, alpha=0.22, linewidth=0))
            axes.add_patch(Rectangle(window, kernel, kernel, fill=False, edgecolor=colour, linewidth=2.0))
            axes.add_patch(Rectangle(pixel, 1, 1, facecolor=colour, alpha=0.55, linewidth=0))
            ends = [(window[0] + kernel, window[1] + kernel / 2), (pixel[0], pixel[1] + 0.5)]
            head = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "mutation_scale": 11, "zorder": 5}
            axes.add_patch(ConnectionPatch(*(ends[::-1] if transposed else ends), "data", "data", **head))
        words = {"ha": "center", "va": "top", "fontsize": style.SMALL, "color": style.theme().ink}
        axes.text(left / 2, left + 0.4, f"{side} × {side}", **words)
        axes.text(left + gap + small / 2, top + small + 0.4, f"{small} × {small}", **words)
        axes.set(xlim=(-0.2, left + gap + small + 0.2), ylim=(left + 1.6, -0.2), aspect="equal")
        axes.set_axis_off()
        axes.set_title("transposed: spread and add" if transposed else "convolution: weigh and add", loc="left")
    style.title(figure, title)
    return figure


def _pixels(axes: Axes, x: float, y: float, side: int, colour: str) -> None:
    """A square grid of pixels with its upper left corner at (x, y)."""
    for i in range(side + 1):
        look = {"color": colour, "linewidth": 0.7}
        axes.plot([x + i, x + i], [y, y + side], **look)
        axes.plot([x, x + side], [y + i, y + i], **look)


@style.house
def convolution_matrix(matrix: Any, kernel: int, stride: int, padding: int, title: str) -> style.Figure:
    """A convolution on a line as a matrix, and the transpose of that matrix, with the kernel's weights in their places.

    matrix: (M, N) with the entry j + 1 where weight w_j stands and 0 elsewhere; at most 12 of each.
    kernel, stride, padding: named in the panels. Raises ValueError on another shape or entries beyond the kernel.
    """
    (places,) = arrays(matrix=(matrix, "M N"))
    if max(places.shape) > 12 or places.min() < 0 or places.max() > kernel:
        raise ValueError(
            f"matrix has shape {places.shape} and entries to {places.max():g}; give at most 12 × 12, 0 to {kernel}"
        )
    figure = style.Figure(height=3.7)
    wide, tall = figure.subplots(1, 2, width_ratios=(places.shape[1], places.shape[0] + 1.5))
    for axes, shown, words in ((wide, places, "C"), (tall, places.T, r"C^\top")):
        rows, columns = shown.shape
        for i in range(rows):
            for j in range(columns):
                weight = int(shown[i, j])
                colour = style.SERIES[(weight - 1) % len(style.SERIES)]
                look = {"facecolor": colour, "alpha": 0.25} if weight else {"facecolor": "none"}
                axes.add_patch(Rectangle((j, i), 1, 1, linewidth=0, **look))
                axes.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor=style.theme().faint, linewidth=0.8))
                letter = rf"$w_{{{weight - 1}}}$" if weight else "0"
                look = {"color": style.theme().ink if weight else style.theme().quiet}
                axes.text(j + 0.5, i + 0.5, letter, ha="center", va="center", fontsize=style.SMALL, **look)
        axes.set(xlim=(0, columns), ylim=(rows, 0), aspect="equal", xticks=(), yticks=())
        axes.set(xlabel=f"{columns} pixels in", ylabel=f"{rows} pixels out")
        axes.set_title(
            rf"${words}$: kernel {kernel}, stride {stride}, padding {padding}" if words == "C" else "its transpose"
        )
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    style.title(figure, title)
    return figure


@style.house
def overlap_maps(
    panels: Mapping[str, Any], title: str, note: str = "number of products that reach a pixel"
) -> style.Figure:
    """Maps of numbers by pixel, all on one scale: how often kernels meet a pixel, or how much it varies.

    panels: label -> (H, W), at most four. note: what the numbers are, written along the scale.
    Raises ValueError on another shape, none or more than four panels.
    """
    if not 1 <= len(panels) <= 4:
        raise ValueError(f"panels has {len(panels)} entries; give one to four maps")
    maps = {label: arrays(**{f"panels[{label!r}]": (values, "H W")})[0] for label, values in panels.items()}
    largest = max(values.max() for values in maps.values())
    figure = style.Figure(height=2.95, raster=True)
    row = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
    for axes, (label, values) in zip(row, maps.items(), strict=True):
        extent = (0, values.shape[1], values.shape[0], 0)
        shown = axes.imshow(values, cmap="cividis", vmin=0, vmax=largest, extent=extent)
        axes.set(xticks=(), yticks=(), xlabel="column", ylabel="row" if axes is row[0] else "")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_title(label)
    bar = figure.colorbar(shown, ax=row, shrink=0.8, pad=0.02, label=style.wrap(note, 1.9))
    bar.ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    bar.outline.set_visible(False)
    style.title(figure, title)
    return figure


@style.house
def seed_dots(
    rows: Mapping[str, Any],
    title: str,
    xlabel: str,
    reference: Mapping[str, float] | None = None,
    log_x: bool = False,
    marked: str | None = None,
) -> style.Figure:
    """One row a condition: a dot for each seed, and a bar at their mean.

    rows: label -> values (S,). reference: label -> value, drawn as vertical grey lines and named below. log_x: a
    logarithmic scale, for values above 0; the mean is then the geometric one. marked: the row whose dots are in the
    generator's colour.
    Raises ValueError without rows, on other shapes, or on values that a logarithmic scale cannot show.
    """
    if not rows:
        raise ValueError("rows is empty; give at least one label with its values")
    values = {label: arrays(**{f"rows[{label!r}]": (row, "S")})[0] for label, row in rows.items()}
    if log_x and min(row.min() for row in values.values()) <= 0:
        raise ValueError("rows hold values of 0 or below; give log_x=False for these")
    figure = style.Figure(height=1.3 + 0.4 * len(values) + (0.3 if reference else 0))
    axes = figure.add_subplot()
    for i, (label, row) in enumerate(values.items()):
        colour = style.MODEL if label == marked else style.DATA
        mean = np.exp(np.log(row).mean()) if log_x else row.mean()
        axes.plot([mean, mean], [i - 0.3, i + 0.3], color=colour, linewidth=2.4)
        shift = (np.arange(len(row)) - (len(row) - 1) / 2) * min(0.4 / max(len(row) - 1, 1), 0.09)
        marker = "s" if label == marked else "o"
        axes.plot(row, i + shift, marker, color=colour, markersize=5.5, markeredgewidth=0, alpha=0.75)
    for k, (label, value) in enumerate((reference or {}).items()):
        dash = style.DASHES[(k + 1) % len(style.DASHES)]
        axes.axvline(value, color=style.REFERENCE, linewidth=1.4, linestyle=dash, label=label, zorder=1)
    axes.set(xlabel=xlabel, xscale="log" if log_x else "linear", ylim=(len(values) - 0.5, -0.5))
    axes.set_yticks(range(len(values)), [style.wrap(label, 2.4, style.SMALL) for label in values])
    axes.grid(axis="y", visible=False)
    if log_x:
        _plain_log(axes)
    else:
        axes.margins(x=0.04)
    if reference:
        figure.legend(loc="outside lower center", ncols=len(reference))
    axes.set_title("dot: a seed; bar: the " + ("geometric mean" if log_x else "mean"))
    style.title(figure, title)
    return figure


def _plain_log(axes: Axes) -> None:
    """A logarithmic axis with plain numbers at 1, 2, 5 times the powers of ten."""
    low, high = axes.get_xlim()
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = [step * power for power in powers for step in ((1, 2, 5) if high / low < 300 else (1,))]
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


@style.house
def neighbour_distances(groups: Mapping[str, Any], title: str, xlabel: str) -> style.Figure:
    """Of each group of images, the share whose nearest training image lies within a distance.

    groups: label -> distances (N,), each at least 0, up to five groups.
    Raises ValueError on other shapes, negative distances, or no group.
    """
    if not 1 <= len(groups) <= len(style.SERIES):
        raise ValueError(f"groups has {len(groups)} entries; give one to {len(style.SERIES)}")
    figure = style.Figure(height=3.9)
    axes = figure.add_subplot()
    for i, (label, given) in enumerate(groups.items()):
        (distances,) = arrays(**{f"groups[{label!r}]": (given, "N")})
        if distances.min() < 0:
            raise ValueError(
                f"groups[{label!r}] has distances down to {distances.min():.3g}; give values of at least 0"
            )
        shares = (np.arange(201) + 0.5) / 201
        look = {"color": style.SERIES[i], "linestyle": style.DASHES[i], "label": label}
        axes.plot(np.quantile(distances, shares), shares, **look)
    axes.set(xlabel=xlabel, ylabel="share of the images", ylim=(0, 1))
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower center", ncols=min(len(groups), 3))
    style.title(figure, title)
    return figure

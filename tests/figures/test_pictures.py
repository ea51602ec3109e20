"""What the figures of the chapter on pictures draw: sizes, windows, matrices, dots and shares."""

import numpy as np
import pytest
import torch
from matplotlib.patches import ConnectionPatch, Rectangle
from torch.nn import functional as F

from gennotes import figures


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding"), [(6, 4, 2, 1), (7, 3, 2, 0), (5, 3, 1, 1), (8, 2, 3, 0)]
)
def test_the_arithmetic_is_that_of_torch(side, kernel, stride, padding):
    figure = figures.convolution_arithmetic(side, kernel, stride, padding, "A title")
    small = F.conv2d(torch.zeros(1, 1, side, side), torch.zeros(1, 1, kernel, kernel), None, stride, padding).shape[-1]
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == [f"{side} × {side}", f"{small} × {small}"]
        windows = [box for box in axes.patches if isinstance(box, Rectangle) and box.get_linewidth() == 2.0]
        assert [box.get_width() for box in windows] == [kernel, kernel]
        last = stride * (small - 1)
        assert windows[1].get_y() == last
        assert last + kernel <= side + 2 * padding < last + kernel + stride
    arrows = [[patch for patch in axes.patches if isinstance(patch, ConnectionPatch)] for axes in figure.axes]
    assert [one.xy1 for one in arrows[0]] == [one.xy2 for one in arrows[1]]  # the transpose reads the lines backwards


def test_dots_and_their_mean():
    values = {"a": [1.0, 4.0], "b": [9.0]}
    lines = figures.seed_dots(values, "A title", "FD").axes[0].lines
    assert list(lines[0].get_xdata()) == [2.5, 2.5]
    np.testing.assert_array_equal(lines[1].get_xdata(), [1, 4])
    lines = figures.seed_dots(values, "A title", "FD", log_x=True).axes[0].lines
    assert list(lines[0].get_xdata()) == pytest.approx([2.0, 2.0])


def test_shares_of_distances():
    line = figures.neighbour_distances({"a": np.arange(1, 1001)}, "A title", "distance").axes[0].lines[0]
    share = np.interp(500, line.get_xdata(), line.get_ydata())
    assert share == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: figures.convolution_arithmetic(4, 7, 1, 1, "t"), r"a kernel of at most side \+ 2 padding = 6"),
        (lambda: figures.convolution_arithmetic(4, 3, 0, 1, "t"), "stride 0"),
        (lambda: figures.convolution_matrix(np.ones((20, 3)), 3, 1, 0, "t"), r"shape \(20, 3\)"),
        (lambda: figures.convolution_matrix(np.full((2, 3), 5), 3, 1, 0, "t"), "entries to 5"),
        (lambda: figures.layer_maps({"a": ([(3, 1)], "k")}, "t"), "at least two maps"),
        (lambda: figures.overlap_maps({}, "t"), "panels has 0 entries"),
        (lambda: figures.overlap_maps({"a": np.zeros(3)}, "t"), r"panels\['a'\] has shape \(3,\)"),
        (lambda: figures.seed_dots({}, "t", "x"), "rows is empty"),
        (lambda: figures.seed_dots({"a": [0.0]}, "t", "x", log_x=True), "values of 0 or below"),
        (lambda: figures.neighbour_distances({"a": [-1.0]}, "t", "x"), "distances down to -1"),
        (lambda: figures.neighbour_distances({}, "t", "x"), "groups has 0 entries"),
    ],
)
def test_input_that_does_not_fit_is_refused(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()

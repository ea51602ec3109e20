"""What holds for every figure: titles, labelled axes, words that do not touch, size, both themes, one image a cell."""

import io
import itertools
import json
import subprocess
import sys
import textwrap
import xml.etree.ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from gennotes import figures
from gennotes.figures import style

# Figures that are pictures, without axes to label.
DIAGRAMS = {"autoencoder_diagram", "vae_diagram", "gan_diagram", "model_taxonomy", "layer_maps"}
DIAGRAMS |= {"cgan_diagram", "translation_diagram", "unet_diagram"}
PICTURES = DIAGRAMS | {"image_grid", "image_rows", "reconstructions", "mode_panels", "convolution_arithmetic"}
PLANES = {"mode_panels", "score_surface", "critic_surface", "points_in_time", "value_surfaces"}
RASTER = PLANES | {"image_grid", "image_rows", "reconstructions", "decoded_plane", "holes", "traversal"}
RASTER |= {"class_clouds", "loss_against_quality", "overlap_maps", "patch_reach"}
NAMED_ROWS = {"decomposition", "estimator_spread", "information_bars", "coverage_strip"}
NAMED_ROWS |= {"recipe_scores", "seed_dots"}
LARGE = {"decoded_plane", "holes", "traversal"}  # as large as a page is wide, and nearly as high
LARGE |= {"critic_surface", "value_surfaces"}


def words(figure):
    """(text, its box in pixels) of every text that is drawn."""
    seen, draw = {}, Text.draw

    def note(text, renderer):
        if text.get_visible() and text.get_text().strip():
            # the box of the words alone: an annotation's own would hold its arrow too
            seen[text] = Text.get_window_extent(text, renderer)
        draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", note)
        figure.draw_without_rendering()
    return [(text.get_text(), box) for text, box in seen.items()]


def touching(figure):
    """Pairs of texts whose boxes overlap by more than a pixel."""
    boxes = [(text, box.padded(-0.75)) for text, box in words(figure)]
    return [(a, b) for (a, p), (b, q) in itertools.combinations(boxes, 2) if p.overlaps(q)]


def test_has_a_title_and_labelled_axes(figure, name):
    assert len(figure.get_suptitle()) > 3
    if name not in PICTURES:
        bottom = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"][-1]
        assert bottom.get_xlabel()
        for axes in figure.axes:
            if axes is not figure.axes[0] and axes.get_shared_y_axes().joined(axes, figure.axes[0]):
                continue  # the first panel of a row has the label for all
            rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]  # the names of rows are a label too
            assert axes.get_ylabel() or name in NAMED_ROWS
            assert axes.get_ylabel() or all(row[0].isalpha() for row in rows)


def test_words_do_not_touch_and_stay_on_the_page(figure):
    assert touching(figure) == []
    page = figure.bbox.padded(0.5)
    outside = [text for text, box in words(figure) if not (page.contains(*box.min) and page.contains(*box.max))]
    assert outside == []


def test_the_check_for_touching_words_sees_a_collision():
    figure = figures.curves({"a": ([0, 1], [0, 1])}, "A line", "nats")
    assert touching(figure) == []
    figure.axes[0].text(0.5, 0.5, "one", transform=figure.axes[0].transAxes)
    figure.axes[0].text(0.51, 0.5, "two", transform=figure.axes[0].transAxes)
    assert touching(figure) == [("one", "two")]


def test_letters_are_large_enough_for_a_phone(figure):
    assert figure.get_figwidth() == style.WIDTH
    for text in figure.findobj(Text):
        if text.get_text().strip():
            assert text.get_fontsize() >= 10.5, text.get_text()


def test_is_one_format_small_and_reproducible(figure, make, name):
    if name in RASTER:
        assert figure._repr_svg_() is None
        png, size = figure._repr_png_()
        image = Image.open(io.BytesIO(png))
        assert image.width >= 2 * size["width"] - 1  # sharp on a retina screen
        assert image.width / image.height == pytest.approx(size["width"] / size["height"], rel=0.01)
        assert len(png) < (180_000 if name in LARGE else 60_000)
        assert name != "image_rows" or png == make()._repr_png_()[0]
    else:
        assert figure._repr_png_() is None
        svg = figure._repr_svg_()
        assert xml.etree.ElementTree.fromstring(svg).get("width") == f"{72 * style.WIDTH:g}pt"
        assert len(svg) < 80_000
        assert name not in ("vae_diagram", "rate_distortion") or make()._repr_svg_() == make()._repr_svg_()


def test_follows_the_theme_and_leaves_the_readers_settings_and_pyplot_alone(make):
    paper = style.THEMES["dark"].paper
    figures.use("dark")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 3.0, "lines.linewidth": 9.0}):
        before = dict(matplotlib.rcParams)
        figure = make()
        assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    assert all(matplotlib.colors.to_hex(axes.get_facecolor()) == paper for axes in (figure, *figure.axes))
    for text in figure.findobj(Text):
        if text.get_text().strip():
            assert style.contrast_ratio(text.get_color(), paper) >= 4.0, text.get_text()


def test_importing_figures_loads_neither_torch_nor_pyplot():
    code = "import sys, gennotes.figures; print([m for m in ('torch', 'matplotlib.pyplot') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_torch_tensors_are_taken():
    import torch

    steps, values = torch.arange(3), torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    line = figures.curves({"a": (steps, values)}, "A line", "nats").axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [1, 2, 4])


NOTEBOOK = """
import json, nbclient, nbformat
cells = [
    "import numpy as np\\nfrom gennotes import figures\\nline = {'a': (np.arange(9), np.arange(9.0))}",
    "figures.curves(line, 'A line', 'nats')",
    "figures.image_grid(np.zeros((4, 28, 28)), 'Four')",
    "import matplotlib.pyplot as plt\\nplt.plot([1, 2]);",
    "figures.curves(line, 'A line', 'nats')",
    "figures.image_grid(np.zeros((4, 28, 28)), 'Four')",
    "kept = figures.curves(line, 'A line', 'nats')",
]
book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
shown = [[sorted(m for m in o.data if m.startswith("image/")) for o in c.outputs] for c in book.cells]
print(json.dumps(shown))
"""


def test_a_notebook_shows_each_figure_once_in_one_format():
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(NOTEBOOK)], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    svg, png = [["image/svg+xml"]], [["image/png"]]
    assert json.loads(done.stdout) == [[], svg, png, png, svg, png, []]

"""Fits of one normal to two modes, the tree of models, and entropies as lengths: drawn as given."""

import numpy as np
import pytest

from gennotes import figures

X = np.linspace(-6, 6, 301)


def normal(mean: float, sd: float) -> np.ndarray:
    return np.exp(-0.5 * ((X - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))


DATA = 0.5 * normal(-3, 1) + 0.5 * normal(3, 1)


def check_fits(draw) -> None:
    """The first minimum is the thick solid line, the others are thin and dashed, the data is filled."""
    axes = draw({"reverse": [normal(-3, 1), normal(3, 1)]}).axes[0]
    best = max(axes.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(best.get_ydata(), normal(-3, 1))
    assert best.get_linestyle() == "-"
    (other,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(other.get_ydata(), normal(3, 1))
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(DATA.max())
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] >= normal(3, 1).max()


def test_fits_draw_the_lowest_minimum_solid() -> None:
    check_fits(lambda fitted: figures.fitted_normals(X, DATA, fitted))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(
            lambda fitted: figures.fitted_normals(X, DATA, {k: v[::-1] for k, v in fitted.items()}), id="order"
        ),
        pytest.param(lambda fitted: figures.fitted_normals(X, 2 * DATA, fitted), id="data scaled"),
        pytest.param(
            lambda fitted: figures.fitted_normals(X, DATA, {k: v[:1] for k, v in fitted.items()}), id="one lost"
        ),
    ],
)
def test_the_check_of_fits_rejects_mistakes(wrong) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_fits(wrong)


def check_minima(draw) -> None:
    rows = [(2.0, [0.0], [0.1]), (8.0, [4.0, 0.0, -4.0], [0.69, 1.87, 0.69])]
    axes = draw(rows).axes[0]
    dots = {line.get_fillstyle(): line for line in axes.lines if line.get_marker() == "o"}
    assert sorted(map(tuple, dots["full"].get_xydata())) == [(2.0, 0.0), (8.0, -4.0), (8.0, 4.0)]
    assert dots["none"].get_xydata().tolist() == [[8.0, 0.0]]
    assert dots["full"].get_markersize() > dots["none"].get_markersize()
    modes = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() != "o"]
    assert sorted(modes) == [[[0, 0], [8, -4]], [[0, 0], [8, 4]]]


def test_minima_tell_the_lowest_from_the_others() -> None:
    check_minima(lambda rows: figures.minima_by_parting({"reverse": rows}))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda parting, means, values: (parting, means, [-v for v in values]), id="sign"),
        pytest.param(lambda parting, means, values: (parting / 2, means, values), id="half the parting"),
        pytest.param(lambda parting, means, values: (parting, means[:1], values[:1]), id="one minimum only"),
    ],
)
def test_the_check_of_minima_rejects_mistakes(wrong) -> None:
    with pytest.raises(AssertionError):
        check_minima(lambda rows: figures.minima_by_parting({"reverse": [wrong(*row) for row in rows]}))


def test_taxonomy_names_every_model_once() -> None:
    figure = figures.model_taxonomy()
    text = " ".join(text.get_text() for text in figure.axes[0].texts).split()
    for model in ("VAE", "GAN\nDCGAN", "WGAN", "pix2pix", "mixture"):
        assert all(text.count(word) >= 1 for word in model.split())
    assert text.count("VAE") == text.count("WGAN") == 1


def check_bars(draw) -> None:
    """H(X) starts at 0, H(Y) ends at H(X, Y), and I is where both are."""
    axes = draw(3.0, 2.3, 1.1).axes[0]
    spans = {}
    for patch in axes.patches:
        row = round(patch.get_y() + 0.3)
        spans[row] = (patch.get_x(), patch.get_x() + patch.get_width())
    labels = [label.get_text() for label in axes.get_yticklabels()]
    found = dict(zip(labels, [spans[row] for row in range(6)], strict=True))
    wanted = {"X, Y": (0, 3), "X": (0, 2.3), "Y": (1.9, 3), "X | Y": (0, 1.9), "Y | X": (2.3, 3)}
    for name, span in wanted.items():
        np.testing.assert_allclose(found[f"H({name})"], span, atol=1e-12)
    np.testing.assert_allclose(found["I(X; Y)"], (1.9, 2.3))
    assert [text.get_text() for text in axes.texts] == ["3.00", "2.30", "1.10", "1.90", "0.40", "0.70"]


def test_information_bars_add_up() -> None:
    check_bars(figures.information_bars)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda joint, x, y: figures.information_bars(joint, y, x), id="swapped"),
        pytest.param(lambda joint, x, y: figures.information_bars(x + y, x, y), id="independent"),
    ],
)
def test_the_check_of_bars_rejects_mistakes(wrong) -> None:
    with pytest.raises(AssertionError):
        check_bars(wrong)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.fitted_normals(X, DATA, {}), "at least one for each objective"),
        (lambda: figures.fitted_normals(X, DATA, {"a": []}), r"fitted has \[0\] minima"),
        (lambda: figures.fitted_normals(X, DATA, {"a": [X[1:]]}), "T = 301 as in x"),
        (lambda: figures.minima_by_parting({}), "minima is empty"),
        (lambda: figures.minima_by_parting({"a": [(1.0, [0.0], [0.0, 1.0])]}), r"values has shape \(2,\)"),
        (lambda: figures.information_bars(1.0, 2.0, 0.5), "give entropies with"),
        (lambda: figures.information_bars(3.0, 1.0, 1.0), "give entropies with"),
    ],
)
def test_wrong_input(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()

"""The figures of the latent plane draw the codes, contours and pictures they are given, where they belong."""

import numpy as np
import pytest
from matplotlib.patches import Circle
from scipy import stats

from gennotes import figures

RNG = np.random.default_rng(0)
CODES, CLASSES = RNG.normal(0, 1.3, (60, 2)), np.arange(60) % 10


def circles(axes):
    return [patch for patch in axes.patches if isinstance(patch, Circle)]


def check_contours(radii):
    np.testing.assert_allclose(stats.chi2(2).cdf(np.square(radii)), [0.5, 0.9, 0.99], atol=1e-9)


def test_contours_hold_their_share_of_the_prior():
    axes = figures.code_maps({"": (CODES, CLASSES)}, "A map").axes[0]
    check_contours([circle.radius for circle in circles(axes)])
    assert [text.get_text() for text in axes.texts] == ["50 %", "90 %", "99 %"]
    assert axes.get_aspect() == 1
    assert circles(figures.code_maps({"": (CODES, CLASSES)}, "A map", prior=False).axes[0]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        stats.norm.ppf([0.75, 0.95, 0.995]),  # the contours of one dimension
        np.sqrt(-np.log1p(-np.array([0.5, 0.9, 0.99]))),  # the 2 is lost
    ],
)
def test_the_check_of_contours_rejects_mistakes(wrong):
    with pytest.raises(AssertionError):
        check_contours(wrong)


def test_each_code_is_drawn_as_its_class():
    axes = figures.code_maps({"": (CODES, CLASSES)}, "A map").axes[0]
    drawn = axes.collections
    assert len(drawn) == 10
    for c, points in enumerate(drawn):
        np.testing.assert_allclose(points.get_offsets(), CODES[c == CLASSES])
    shapes = {len(points.get_paths()[0].vertices) for points in drawn}
    assert len(shapes) > 4  # told apart without colour
    assert np.abs(CODES).max() < axes.get_xlim()[1] == -axes.get_xlim()[0]


def check_plane(shown, pictures):
    """The picture in row i, column j of the grid lies i from below and j from the left."""
    n, _, height, width = pictures.shape
    for i in range(n):
        for j in range(n):
            top = (n - 1 - i) * height
            np.testing.assert_array_equal(shown[top : top + height, j * width : (j + 1) * width], pictures[i, j])


def test_the_decoded_plane_has_its_pictures_in_place(digits):
    pictures = digits[:9].reshape(3, 3, 28, 28)
    axes = figures.decoded_plane(pictures, [-1.0, 0.0, 1.0], "Nine").axes[0]
    check_plane(axes.images[0].get_array(), pictures)
    assert axes.images[0].get_extent() == [0, 3, 0, 3]
    for wrong in (pictures[::-1], pictures.swapaxes(0, 1)):
        with pytest.raises(AssertionError):
            check_plane(axes.images[0].get_array(), wrong)


def test_the_plane_is_labelled_where_its_codes_are(digits):
    z = stats.norm.ppf((np.arange(20) + 0.5) / 20)
    axes = figures.decoded_plane(digits[:400].reshape(20, 20, 28, 28), z, "The plane").axes[0]
    for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        assert float(label.get_text().replace("−", "-")) == pytest.approx(z[int(place)], abs=0.051)


def test_the_arrow_follows_the_path_and_its_pictures_run_along(digits):
    path = np.linspace([-2, -1], [2, 1.5], 6)
    above, below = figures.traversal(CODES, CLASSES, path, digits[:6], "A path").axes
    np.testing.assert_allclose(above.lines[0].get_xydata(), path)
    np.testing.assert_allclose(np.stack([image.get_array() for image in below.images]), digits[:6, 0])
    lefts = [image.get_extent()[0] for image in below.images]
    assert lefts == sorted(lefts)


def test_classes_are_sorted_by_their_mean():
    shares = np.array([[0.9, 0.1, 0.4], [0.7, 0.3, 0.6]])
    axes = figures.shares_by_class(shares, "abc", 0.5, "share", "Shares").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c", "a"]
    means = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(means, [0.2, 0.5, 0.8])
    np.testing.assert_allclose(axes.lines[0].get_xdata(), 0.5)


def test_thin_draws_are_crosses_and_counted():
    thin = np.array([True, False, False, True])
    axes = figures.holes({"one": (CODES, CODES[:4], thin), "two": (CODES, CODES[:4], ~thin)}, "Holes").axes
    crosses = next(line for line in axes[0].lines if line.get_marker() == "x")
    np.testing.assert_allclose(crosses.get_xydata(), CODES[[0, 3]])
    assert "50 %" in axes[0].get_title(loc="left")


def test_norms_show_the_median_and_the_middle_98_percent():
    values = RNG.uniform(0.5, 1.5, 1001)
    axes = figures.norms({"L = 2": {"a": values, "b": values + 1}}, "Norms").axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), np.quantile(values, [0.01, 0.99]))
    assert axes.lines[1].get_xdata()[0] == pytest.approx(np.median(values))
    assert axes.lines[1].get_marker() != axes.lines[3].get_marker()


def test_the_quantile_grid_gives_equal_shares():
    left, right = figures.prior_grid(8).axes
    z = left.lines[-1].get_xdata()
    np.testing.assert_allclose(stats.norm.cdf(z), (np.arange(8) + 0.5) / 8, atol=1e-9)
    assert len(right.lines[0].get_xdata()) == 64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: figures.code_maps({}, "t"), "there are 0 panels; give one or two"),
        (lambda x: figures.code_maps({"": (CODES, CLASSES + 1)}, "t"), "give whole numbers from 0 to 9"),
        (lambda x: figures.code_maps({"": (CODES, CLASSES[:9])}, "t"), "classes has shape"),
        (lambda x: figures.decoded_plane(x[:4], [0.0, 1.0], "t"), r"give \(2, 2, H, W\)"),
        (lambda x: figures.traversal(CODES, CLASSES, CODES[:3], x[:2], "t"), "images has 2 pictures; give 3"),
        (lambda x: figures.shares_by_class([[0.5]], "ab", 0.5, "x", "t"), "names has 2 entries; give 1"),
        (lambda x: figures.norms({"a": {"k": [1.0]}, "b": {"l": [1.0]}}, "t"), "rows have different kinds"),
        (lambda x: figures.prior_grid(1), "n is 1; give at least 2"),
        (lambda x: figures.holes({"a": (CODES, CODES, [True])}, "t"), "thin has shape"),
    ],
)
def test_wrong_input(digits, call, message):
    with pytest.raises(ValueError, match=message):
        call(digits)

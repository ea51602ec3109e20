"""Modes, scores and coverage: drawn as given, and every mistake named here fails a check."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from gennotes import figures
from gennotes.figures import style

MODES = np.array([[1.0, 0], [0, 1], [-1, 0]])
SAMPLES = np.random.default_rng(0).normal(size=(2, 20, 2)) * 0.1
COUNTS = np.array([[5, 4, 3], [20, 0, 0]])
TITLE = "A title of some words"


def lines(axes, marker: str) -> np.ndarray:
    """All points drawn with a marker, in order."""
    return np.concatenate([line.get_xydata() for line in axes.lines if line.get_marker() == marker])


def check_panels(draw) -> None:
    whole, poor = draw({"one": (SAMPLES, COUNTS)}).axes
    assert (whole.get_title(loc="center"), poor.get_title(loc="center")) == ("3 of 3", "1 of 3")
    rings = [line for line in poor.lines if line.get_fillstyle() == "none" and line.get_marker() == "o"]
    np.testing.assert_array_equal(rings[0].get_xydata(), MODES[:1])
    np.testing.assert_array_equal(lines(poor, "x"), MODES[1:])
    assert lines(whole, "x").size == 0
    np.testing.assert_array_equal(lines(poor, "o")[1:], SAMPLES[1])
    assert poor.title.get_fontweight() == "bold" != whole.title.get_fontweight()
    assert poor.spines["left"].get_linestyle() != whole.spines["left"].get_linestyle()  # not by colour alone


def test_panels_mark_the_modes_that_are_missed():
    check_panels(lambda runs: figures.mode_panels(runs, MODES, TITLE))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"one": (SAMPLES[::-1], COUNTS)}, id="samples of another seed"),
        pytest.param({"one": (SAMPLES, COUNTS[::-1])}, id="counts of another seed"),
        pytest.param({"one": (SAMPLES, COUNTS[:, ::-1])}, id="modes in another order"),
        pytest.param({"one": (SAMPLES[..., ::-1], COUNTS)}, id="axes swapped"),
    ],
)
def test_the_check_of_panels_rejects_mistakes(wrong):
    with pytest.raises(AssertionError):
        check_panels(lambda runs: figures.mode_panels(wrong, MODES, TITLE))


STEPS = np.array([0, 10, 30])
SHARES = np.array([[1.0, 0], [0.25, 0.5], [0, 0.1]])


def check_hopping(draw) -> None:
    axes, scale = draw({"one": SHARES}).axes
    (mesh,) = axes.collections
    np.testing.assert_allclose(np.asarray(mesh.get_array()), 100 * SHARES.T)
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [0, 5, 20, 30])  # halfway between the steps
    assert mesh.get_clim() == (0, 100)
    assert to_hex(mesh.cmap(1.0)) == style.MODEL.lower()
    assert scale.lines[-1].get_ydata()[0] == 50  # an even share


def test_hopping_draws_shares_over_steps():
    check_hopping(lambda shares: figures.mode_hopping(STEPS, shares, TITLE))


@pytest.mark.parametrize(
    ("steps", "shares"), [(STEPS, SHARES[:, ::-1]), (STEPS, SHARES[::-1]), (STEPS + 1, SHARES), (STEPS, SHARES**2)]
)
def test_the_check_of_hopping_rejects_mistakes(steps, shares):
    with pytest.raises(AssertionError):
        check_hopping(lambda _: figures.mode_hopping(steps, {"one": shares}, TITLE))


def slope(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A D that rises with x₂ alone, through one half at 0.2, on the cells of [−1, 1]²."""
    middles = (np.arange(size) + 0.5) * 2 / size - 1
    return middles, np.repeat((0.5 + 0.4 * (middles - 0.2))[:, None], size, 1)


def check_surface(draw) -> None:
    middles, values = slope(20)
    figure = draw(values)
    axes = figure.axes[0]
    fill, half = axes.collections
    vertices = np.concatenate([path.vertices for path in half.get_paths()])
    np.testing.assert_allclose(vertices[:, 1], 0.2, atol=1e-9)  # where D is one half
    assert np.ptp(vertices[:, 0]) == pytest.approx(np.ptp(middles))
    assert (fill.levels[0], fill.levels[-1]) == (0, 1)
    assert style.contrast_ratio(fill.cmap(1.0), "#000000") > style.contrast_ratio(fill.cmap(0.0), "#000000")
    assert axes.get_ylim() == pytest.approx((middles[0], middles[-1]))


def test_a_surface_has_its_line_where_d_is_one_half():
    check_surface(lambda values: figures.score_surface({"one": values}, 1.0, TITLE))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda values: figures.score_surface({"one": values.T}, 1.0, TITLE), id="axes swapped"),
        pytest.param(lambda values: figures.score_surface({"one": values[::-1]}, 1.0, TITLE), id="upside down"),
        pytest.param(lambda values: figures.score_surface({"one": values}, 1.1, TITLE), id="another extent"),
        pytest.param(lambda values: figures.score_surface({"one": values}, 1.0, TITLE, probability=False), id="scores"),
    ],
)
def test_the_check_of_surfaces_rejects_mistakes(wrong):
    with pytest.raises((AssertionError, ValueError)):
        check_surface(wrong)


def test_a_critic_has_a_scale_of_its_own_in_each_panel():
    _, values = slope(20)
    scores = {"one": values, "other": 10 * values - 7}
    first, second = figures.score_surface(scores, 1.0, TITLE, probability=False).axes
    for axes, drawn in ((first, values), (second, 10 * values - 7)):
        assert axes.collections[0].levels[[0, -1]] == pytest.approx([drawn.min(), drawn.max()])
        assert len(axes.collections[1].levels) == 11
    assert second.get_title(loc="left") == "other\nfrom −6.60 to 1.00"


def test_a_surface_without_one_half_names_no_line():
    figure = figures.score_surface({"one": np.full((4, 4), 0.9)}, 1.0, TITLE, data=MODES)
    assert [text.get_text() for text in figure.legends[0].texts] == ["data"]


def check_strip(draw) -> None:
    found, share = np.array([3, 1, 3]), np.array([0.9, 0.1, 0.7])
    left, right = draw({"a": ([3.0], [0.5]), "b": (found, share)}).axes
    np.testing.assert_allclose(lines(left, "o")[:, 0], [3, 3, 3])
    np.testing.assert_allclose(lines(left, "s")[:, 0], [1])  # a seed that misses a mode
    np.testing.assert_allclose(lines(right, "o")[:, 0], [50, 90, 70])
    np.testing.assert_allclose(lines(right, "s")[:, 0], [10])
    for marker in "os":  # a seed stands at one height
        np.testing.assert_allclose(lines(left, marker)[:, 1], lines(right, marker)[:, 1])
    medians = [line.get_xdata()[0] for line in right.lines if line.get_marker() == "None"]
    np.testing.assert_allclose(medians, [50, 70])
    np.testing.assert_allclose(lines(right, "D"), [[95.6, 1]])


def test_the_strip_shows_every_seed():
    check_strip(lambda runs: figures.coverage_strip(runs, 3, TITLE, {"b": (2.9, 0.956)}))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda runs: figures.coverage_strip(runs, 4, TITLE, {"b": (2.9, 0.956)}), id="more modes"),
        pytest.param(lambda runs: figures.coverage_strip(runs, 3, TITLE, {"a": (2.9, 0.956)}), id="another row"),
        pytest.param(
            lambda runs: figures.coverage_strip(dict(reversed(runs.items())), 3, TITLE, {"b": (2.9, 0.956)}), id="order"
        ),
    ],
)
def test_the_check_of_the_strip_rejects_mistakes(wrong):
    with pytest.raises((AssertionError, ValueError)):
        check_strip(wrong)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: figures.mode_panels({}, MODES, TITLE), "runs is empty"),
        (lambda: figures.mode_panels({"a": (SAMPLES, COUNTS[:1])}, MODES, TITLE), r"counts of 'a' has shape \(1, 3\)"),
        (lambda: figures.mode_panels({"a": (SAMPLES, COUNTS)}, MODES[:2], TITLE), r"modes has shape \(2, 2\)"),
        (lambda: figures.mode_hopping(STEPS, {}, TITLE), "shares is empty"),
        (lambda: figures.mode_hopping(STEPS[::-1], {"a": SHARES}, TITLE), "steps do not ascend"),
        (lambda: figures.mode_hopping(STEPS, {"a": 2 * SHARES}, TITLE), r"shares of 'a' .* 0 to 2; give shares"),
        (lambda: figures.score_surface({}, 1.0, TITLE), "there are 0 surfaces"),
        (lambda: figures.score_surface({"a": np.ones((3, 3))}, 0.0, TITLE), r"extent is 0\.0"),
        (lambda: figures.score_surface({"a": 2 * np.ones((3, 3))}, 1.0, TITLE), r"D lies in \[0, 1\]"),
        (lambda: figures.score_surface({"a": np.ones((3, 4))}, 1.0, TITLE), r"shape \(3, 4\)"),
        (lambda: figures.coverage_strip({}, 8, TITLE), "runs is empty"),
        (lambda: figures.coverage_strip({"a": ([9], [0.5])}, 8, TITLE), "9 to 9; there are 8 modes"),
        (lambda: figures.coverage_strip({"a": ([8], [50])}, 8, TITLE), "50 to 50; give shares"),
        (lambda: figures.coverage_strip({"a": ([8], [0.5])}, 8, TITLE, {"b": (8, 1)}), "published has 'b'"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()

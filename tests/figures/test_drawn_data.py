"""What each figure draws is what it was given, and wrong input ends in one clear error."""

import numpy as np
import pytest
from scipy import stats

from gennotes import figures
from gennotes.figures import latent
from gennotes.figures.labels import number, spaced


def test_image_grid_draws_the_pixels_in_reading_order(digits):
    figure = figures.image_grid(digits[:5], "Five", columns=3, row_labels=["a", "b"])
    shown = figure.axes[0].images
    np.testing.assert_allclose(np.stack([image.get_array() for image in shown]), digits[:5, 0])
    lefts, tops = np.array([image.get_extent() for image in shown])[:, [0, 3]].T
    assert (np.diff(lefts[:3]) > 0).all()
    assert lefts[3] == lefts[0]
    assert (tops[3:] > tops[0]).all()  # the y axis points down
    assert {"a", "b"} <= {text.get_text() for text in figure.axes[0].texts}


@pytest.mark.parametrize("columns", [1, 5, 8, 10, 12, 20])
def test_every_image_pixel_is_a_whole_number_of_pixels_wide(columns):
    noise = np.random.default_rng(0).random((columns, 14, 14)).round()
    figure = figures.image_grid(noise, "Noise", columns=columns)
    for image in figure.axes[0].images:
        x0, x1, y0, y1 = image.get_extent()
        assert (x1 - x0) % 14 == (y0 - y1) % 14 == 0
        assert x0 == round(x0)


def test_reconstructions_are_two_rows(digits):
    figure = figures.reconstructions(digits[:4], 1 - digits[:4], "Four")
    shown = np.stack([image.get_array() for image in figure.axes[0].images])
    np.testing.assert_allclose(shown, np.concatenate([digits[:4, 0], 1 - digits[:4, 0]]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["data $x$", "pixel\nmeans"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: figures.image_grid(x, "t", columns=0), "columns is 0"),
        (lambda x: figures.image_grid(x, "t", row_labels=["a"]), "row_labels has 1 entries; give 50"),
        (lambda x: figures.image_grid(x * 255, "t"), r"images has pixels from 0 to 255; give pixels in \[0, 1\]"),
        (lambda x: figures.image_rows({}, "t"), "rows is empty"),
        (lambda x: figures.image_rows({"a": x, "b": x[:, :, :9]}, "t"), "rows have images of different sizes"),
        (lambda x: figures.image_rows({"a": x[:3]}, "t", column_labels=["1"]), "column_labels has 1 entries; give 3"),
        (lambda x: figures.reconstructions(x, x[:3], "t"), "give the same shape"),
        (lambda x: figures.curves({}, "t", "y"), "series is empty"),
        (lambda x: figures.curves({"a": ([1, 2], [1, 2, 3])}, "t", "y"), "values of 'a' has shape .* T = 2"),
        (lambda x: figures.curves({"a": ([1], [1])}, "t", "y", spread="iqr"), "spread 'iqr' is unknown"),
        (lambda x: figures.posteriors([0.0], [0.0]), "sigma has a value of 0; give standard deviations above 0"),
        (lambda x: figures.posteriors([0.0, 1.0], [1.0]), "sigma has shape"),
        (lambda x: figures.kl_by_unit([1.0, -0.5], [True, True]), "kl has a value of -0.5; a divergence"),
        (lambda x: figures.kl_by_unit([1.0, 0.5], [True]), r"active has shape \(1,\); give shape \(2,\)"),
        (lambda x: figures.decomposition(["a"], [-3.0], [-1.0], -4.0), "gap has a value of -1; a divergence"),
        (lambda x: figures.decomposition(["a"], [-3.0, -2.0], [0.0, 1.0], -1.0), "labels has 1 entries; give 2"),
        (lambda x: figures.bound_by_samples([0, 1], [1, 2], [0, 0]), "k starts at 0"),
        (lambda x: figures.rate_distortion([1], [[1.0]], [1.0]), r"distortion has shape \(1,\); give shape \(S, B\)"),
        (lambda x: figures.estimator_spread({}, 0.0), "estimates is empty"),
        (lambda x: figures.estimator_spread({"a": [1.0]}, 0.0), "give at least 2 of each"),
    ],
)
def test_wrong_input(digits, call, message):
    with pytest.raises(ValueError, match=message):
        call(digits)


def test_curves_draw_mean_and_band():
    steps, values = np.array([0, 10, 20]), np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 7.0]])
    axes = figures.curves({"a": (steps, values)}, "A", "nats").axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.column_stack([steps, [2, 2, 5]]))
    corners = {tuple(corner) for corner in axes.collections[0].get_paths()[0].vertices}
    assert {(0, 1), (0, 3), (10, 2), (20, 3), (20, 7)} <= corners
    assert "mean of 2 seeds; band: lowest to highest" in axes.get_title(loc="left")

    axes = figures.curves({"a": (steps, values)}, "A", "nats", spread="sd").axes[0]
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(5 + np.sqrt(8))  # standard deviation of 3 and 7, with n − 1


def test_curves_leave_a_hole_at_nan_and_name_each_line_once():
    series = {"a": ([0, 1, 2], [1.0, np.nan, 3.0]), "b": ([0, 1, 2], [1.0, 2.0, np.nan])}
    axes = figures.curves(series, "Two", "nats", reference={"published": 2.0}).axes[0]
    assert np.isnan(axes.lines[0].get_ydata()[1])
    assert sorted(text.get_text() for text in axes.texts) == ["a", "b", "published"]
    styles = {(line.get_color(), line.get_linestyle()) for line in axes.lines[:3]}
    assert len({style for _, style in styles}) >= 2  # told apart without colour


def check_density(density):
    z = np.linspace(-9, 9, 4001)
    for mean, sd in ((0.0, 1.0), (1.5, 0.3), (-2.0, 0.05)):
        np.testing.assert_allclose(density(z, mean, sd), stats.norm(mean, sd).pdf(z), atol=1e-12)


def test_density_of_the_normal():
    check_density(latent._normal)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda z, m, s: np.exp(-0.5 * (z - m) ** 2 / s) / np.sqrt(2 * np.pi * s),  # a variance for a deviation
        lambda z, m, s: np.exp(-0.5 * ((z - m) / s) ** 2) / np.sqrt(2 * np.pi),  # not normalised
        lambda z, m, s: np.exp(-0.5 * ((z + m) / s) ** 2) / (np.sqrt(2 * np.pi) * s),  # sign of the mean
    ],
)
def test_density_check_rejects_mistakes(wrong):
    with pytest.raises(AssertionError):
        check_density(wrong)


def check_aggregate(z, drawn, mu, sigma):
    exact = np.mean(stats.norm(mu[:, None], sigma[:, None]).pdf(z), axis=0)
    np.testing.assert_allclose(drawn, exact, atol=2e-3)


def test_posteriors_draw_prior_single_and_aggregate():
    rng = np.random.default_rng(0)
    mu, sigma = rng.normal(0.3, 0.9, 400), rng.uniform(0.2, 0.5, 400)
    figure = figures.posteriors(mu, sigma, shown=7)
    upper, lower = ({line.get_label(): line for line in axes.lines} for axes in figure.axes)
    assert [line.get_label() for line in figure.axes[0].lines].count("single") == 7
    z, prior = upper["prior"].get_data()
    np.testing.assert_allclose(prior, stats.norm.pdf(z), atol=1e-12)
    z, aggregate = lower["aggregate"].get_data()
    check_aggregate(z, aggregate, mu, sigma)
    with pytest.raises(AssertionError):
        check_aggregate(z, aggregate, mu, sigma**2)  # a variance for a deviation
    with pytest.raises(AssertionError):
        check_aggregate(z, stats.norm(mu.mean(), sigma.mean()).pdf(z), mu, sigma)  # one normal of means for the mixture


def test_aggregate_of_very_narrow_posteriors_keeps_its_mass():
    mu = np.random.default_rng(0).normal(0, 1, 200)
    lines = {line.get_label(): line for line in figures.posteriors(mu, np.full(200, 1e-4)).axes[1].lines}
    z, aggregate = lines["aggregate"].get_data()
    assert aggregate.sum() * (z[1] - z[0]) == pytest.approx(1.0, abs=0.01)


def test_decomposition_adds_up():
    elbo, gap = np.array([-34.3, -31.9]), np.array([3.1, 0.7])
    axes = figures.decomposition(["prior", "diagonal"], elbo, gap, -31.2).axes[0]
    bars = [patch for patch in axes.patches if patch.get_hatch()]
    np.testing.assert_allclose([bar.get_x() for bar in bars], elbo)
    np.testing.assert_allclose([bar.get_x() + bar.get_width() for bar in bars], -31.2)
    assert any(np.allclose(line.get_xdata(), -31.2) for line in axes.lines)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["prior", "diagonal"]
    assert max(axes.get_xticks()) <= -31.2  # nothing is offered above log p(x)


def test_estimators_show_variance_and_mean():
    rng = np.random.default_rng(0)
    samples = {"a": rng.normal(1, 2, 1000), "b": rng.normal(1, 20, 1000)}
    left, right = figures.estimator_spread(samples, 1.0).axes
    variances = [line.get_xdata()[0] for line in right.lines]
    np.testing.assert_allclose(variances, [x.var(ddof=1) for x in samples.values()])
    assert [text.get_text() for text in right.texts] == [number(v) for v in variances]
    means = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(means, [x.mean() for x in samples.values()])
    assert right.get_xscale() == "log"


def test_kl_by_unit_sorts_and_tells_collapsed_units_without_colour():
    figure = figures.kl_by_unit([0.001, 2.0, 1.0], [False, True, True])
    axes = figure.axes[0]
    np.testing.assert_allclose([patch.get_height() for patch in axes.patches], [2.0, 1.0, 0.001])
    assert [bool(patch.get_hatch()) for patch in axes.patches] == [False, False, True]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "3", "1"]
    assert figure.get_suptitle().startswith("2 of 3")


def test_bound_by_samples_draws_errors_on_a_log_axis():
    axes = figures.bound_by_samples([1, 5, 50], [-3.0, -2.0, -1.0], [0.1, 0.2, 0.3]).axes[0]
    bars = axes.collections[0].get_segments()
    np.testing.assert_allclose([(bar[1, 1] - bar[0, 1]) / 2 for bar in bars], [0.1, 0.2, 0.3])
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["−3.00", "−2.00", "−1.00"]


def test_rate_distortion_labels_each_beta():
    rate, distortion = np.array([[9.0, 4.0], [11.0, 6.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    axes = figures.rate_distortion([0.5, 4], rate, distortion).axes[0]
    np.testing.assert_allclose(axes.lines[-1].get_xydata(), [[10, 2], [5, 3]])
    assert [text.get_text() for text in axes.texts] == ["β = 0.5", "β = 4"]


def check_spaced(place):
    """Against a search over all small grids: order kept, no overlap, inside, least squared shift."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        wanted, sizes = rng.uniform(-0.2, 1.2, 3), rng.uniform(0.05, 0.3, 3)
        placed = place(wanted, sizes)
        order = np.argsort(wanted)
        assert placed[order[0]] - sizes[order[0]] / 2 >= -1e-9
        assert placed[order[-1]] + sizes[order[-1]] / 2 <= 1 + 1e-9
        assert (np.diff(placed[order]) >= (sizes[order][1:] + sizes[order][:-1]) / 2 - 1e-9).all()
        cost = np.sum((placed - wanted) ** 2)
        others = placed[order] + rng.normal(0, 0.05, (400, 3))
        half = sizes[order] / 2
        allowed = (others[:, 0] >= half[0]) & (others[:, -1] <= 1 - half[-1])
        allowed &= (np.diff(others, axis=1) >= half[1:] + half[:-1]).all(axis=1)
        costs = np.sum((others[allowed] - wanted[order]) ** 2, axis=1)
        assert costs.min(initial=np.inf) >= cost - 1e-9


def _pushed_up(wanted, sizes):
    """Each is moved up as far as the one below asks: no overlap, but not the least shift."""
    placed, top = np.empty(len(wanted)), 0.0
    for i in np.argsort(wanted):
        placed[i] = max(wanted[i], top + sizes[i] / 2)
        top = placed[i] + sizes[i] / 2
    return placed


def test_labels_are_spaced():
    check_spaced(spaced)
    np.testing.assert_allclose(spaced(np.array([0.5, 0.5]), np.array([0.2, 0.2])), [0.4, 0.6])


@pytest.mark.parametrize(
    "wrong",
    [lambda wanted, sizes: wanted, lambda wanted, sizes: np.clip(wanted, 0, 1), _pushed_up],
)
def test_spacing_check_rejects_mistakes(wrong):
    with pytest.raises(AssertionError):
        check_spaced(wrong)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (-31.24, "−31.2"),
        (0.62, "0.62"),
        (1571.9, "1,572"),
        (-9.996, "−10.00"),
        (3.2e-7, r"3.2$\times 10^{-7}$"),
        (-4.5e7, r"−4.5$\times 10^{7}$"),
    ],
)
def test_numbers_read_well(value, text):
    assert number(value) == text

"""Densities and their integrands: what is drawn is what was given, and the areas are the divergences."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy import integrate, stats

from gennotes import figures
from gennotes.figures import densities, style

X = np.linspace(-12, 12, 2401)
P, Q = stats.norm(-0.5, 0.8).pdf(X), stats.norm(1, 1.6).pdf(X)


def line(axes, label):
    return next(line for line in axes.lines if line.get_label() == label)


def printed(axes):
    """The number that stands over an integrand."""
    return float(axes.get_title(loc="left").split(" = ")[1].removesuffix(" nats"))


def exact(integrand):
    return integrate.quad(integrand, -12, 12, limit=200, epsabs=1e-12)[0]


def check_log_ratio(log_ratio):
    np.testing.assert_allclose(
        np.trapezoid(log_ratio(P, Q), X),
        exact(
            lambda x: stats.norm(-0.5, 0.8).pdf(x) * (stats.norm(-0.5, 0.8).logpdf(x) - stats.norm(1, 1.6).logpdf(x))
        ),
        atol=1e-9,
    )
    np.testing.assert_array_equal(log_ratio(np.array([0.0, 1.0]), np.array([0.0, 1.0])), [0, 0])


def test_log_ratio():
    check_log_ratio(densities._log_ratio)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda p, q: densities._log_ratio(q, p), id="order"),
        pytest.param(lambda p, q: -densities._log_ratio(p, q), id="sign"),
        pytest.param(lambda p, q: densities._log_ratio(p, q) / np.log(2), id="bits"),
        pytest.param(lambda p, q: q / p * densities._log_ratio(p, q), id="weighted by q"),
    ],
)
def test_log_ratio_rejects(wrong):
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        check_log_ratio(wrong)


def test_kl_panels_draw_and_print_the_divergence_of_p_from_q():
    figure = figures.kl_panels(X, {"one": (P, Q), "two": (Q, P), "three": (P, P)})
    upper, upper2, lower, lower2, third, area = figure.axes
    for axes, p, q in ((upper, P, Q), (upper2, Q, P), (third, P, P)):
        for name, density in (("P", p), ("Q", q)):
            x, y = line(axes, name).get_data()
            np.testing.assert_allclose(y, np.interp(x, X, density), atol=1e-12)
    closed = np.log(2) + (0.8**2 + 1.5**2) / (2 * 1.6**2) - 0.5
    other = -np.log(2) + (1.6**2 + 1.5**2) / (2 * 0.8**2) - 0.5
    assert [printed(lower), printed(lower2), printed(area)] == [round(closed, 2), round(other, 2), 0.0]
    x, y = lower.lines[0].get_data()
    np.testing.assert_allclose(y, np.interp(x, X, densities._log_ratio(P, Q)), atol=1e-12)
    assert lower.get_ylim() == lower2.get_ylim() == area.get_ylim()  # areas can be compared by eye


def test_js_panels_draw_the_mixture_in_yellow_and_print_js():
    figure = figures.js_panels(X, {"one": (P, Q)})
    _, upper, lower_kl, lower = figure.axes
    m = line(upper, "M")
    np.testing.assert_allclose(m.get_ydata(), np.interp(m.get_xdata(), X, (P + Q) / 2), atol=1e-12)
    assert to_hex(m.get_color()).upper() == style.MIXTURE
    assert m.get_path_effects()  # a dark edge
    p, q = stats.norm(-0.5, 0.8).pdf, stats.norm(1, 1.6).pdf
    half = [exact(lambda x, a=a: 0.5 * a(x) * np.log(2 * a(x) / (p(x) + q(x)))) for a in (p, q)]
    assert printed(lower) == round(sum(half), 2)
    assert printed(lower_kl) != printed(lower)
    assert lower.lines[0].get_ydata().min() > -1e-12  # nowhere negative


def test_areas_tell_sign_without_colour():
    lower = figures.kl_panels(X, {"one": (P, Q)}).axes[1]
    plain, hatched = lower.collections
    assert hatched.get_hatch()
    assert not plain.get_hatch()
    assert (
        max(path.vertices[:, 1].max() for path in hatched.get_paths()) <= 0 <= plain.get_paths()[0].vertices[:, 1].min()
    )


def test_densities_draw_references_in_grey_with_dashes_of_their_own():
    axes = figures.density_curves(X, {"P": P, "one": Q, "two": 0.5 * Q}, "Three").axes[0]
    assert line(axes, "P").get_color() == style.DATA
    greys = [line(axes, name) for name in ("one", "two")]
    assert {grey.get_color() for grey in greys} == {style.REFERENCE}
    assert greys[0].get_linestyle() == greys[1].get_linestyle() == "--"
    assert greys[0]._dash_pattern != greys[1]._dash_pattern


def test_cross_entropies_add_up():
    axes = figures.cross_entropies(["a", "b"], 1.2, [0.0, 0.3]).axes[0]
    plain, hatched = axes.containers
    np.testing.assert_allclose([bar.get_width() for bar in plain], 1.2)
    np.testing.assert_allclose([bar.get_x() for bar in hatched], 1.2)
    np.testing.assert_allclose([bar.get_x() + bar.get_width() for bar in hatched], [1.2, 1.5])
    assert [text.get_text() for text in axes.texts] == ["1.20", "1.50"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.density_curves(X, {}, "t"), "curves is empty"),
        (lambda: figures.density_curves(X, {"P": P[1:]}, "t"), r"P has shape \(2400,\)"),
        (lambda: figures.density_curves(X[::-1], {"P": P}, "t"), "x does not ascend"),
        (lambda: figures.density_curves(X, {"P": -P}, "t"), "P has a value of -0.499; a density is not negative"),
        (lambda: figures.kl_panels(X, {}), "pairs is empty"),
        (lambda: figures.kl_panels(X, {"a": (P, np.where(X > 0, Q, 0))}), "q is 0 at 12.. points where p is not"),
        (lambda: figures.js_panels(X, {}), "pairs is empty"),
        (lambda: figures.cross_entropies(["a"], 1.0, [0.1, 0.2]), "labels has 1 entries; give 2"),
        (lambda: figures.cross_entropies(["a"], 1.0, [-0.1]), "the smallest kl -0.1; give values of at least 0"),
    ],
)
def test_wrong_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

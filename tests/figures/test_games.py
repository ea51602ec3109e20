"""Figures of two players: drawn as given."""

import numpy as np
import pytest

from gennotes import figures

X = np.linspace(-4, 4, 81)
SHARE = 1 / (1 + np.exp(-X))


def check_slopes(draw) -> None:
    made = {"saturating": (np.log(1 - SHARE), -SHARE), "non-saturating": (-np.log(SHARE), SHARE - 1)}
    left, right = draw(X, made).axes
    for axes, which in ((left, 0), (right, 1)):
        for line, pair in zip(axes.lines, made.values(), strict=True):
            np.testing.assert_allclose(line.get_xdata(), X)
            np.testing.assert_allclose(line.get_ydata(), pair[which])
    assert len({(line.get_color(), str(line.get_linestyle())) for line in left.lines}) == 2


def test_losses_stand_beside_their_slopes() -> None:
    check_slopes(figures.loss_slopes)
    axes = figures.loss_slopes(X, {"a": (X, X)}, ranges=((-1, 2), (-3, 0))).axes
    assert [one.get_ylim() for one in axes] == [(-1, 2), (-3, 0)]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda x, made: figures.loss_slopes(x, {k: v[::-1] for k, v in made.items()}), id="swapped"),
        pytest.param(lambda x, made: figures.loss_slopes(-x, made), id="mirrored"),
    ],
)
def test_the_check_of_slopes_rejects_mistakes(wrong) -> None:
    with pytest.raises(AssertionError):
        check_slopes(wrong)


def test_the_best_discriminator_is_drawn_over_the_trained_ones() -> None:
    trained = np.stack([SHARE, SHARE**2])
    upper, lower = figures.discriminator_fit(X, X**2, 1 + X**2, SHARE, trained).axes
    np.testing.assert_allclose(upper.lines[0].get_ydata(), X**2)
    np.testing.assert_allclose(upper.lines[1].get_ydata(), 1 + X**2)
    half, first, second, best = lower.lines
    assert set(half.get_ydata()) == {0.5}
    np.testing.assert_allclose([first.get_ydata(), second.get_ydata()], trained)
    np.testing.assert_allclose(best.get_ydata(), SHARE)
    assert first.get_color() == second.get_color() != best.get_color()


def turn(points: np.ndarray) -> np.ndarray:
    return points[:, ::-1] * (-1, 1)


def check_paths(draw) -> None:
    angle = np.linspace(0, 6, 50)
    walk = np.stack([np.cos(angle), 2 * np.sin(angle)], axis=1)
    (axes,) = draw({"in turn": walk}, {"in turn": turn}).axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), walk)
    np.testing.assert_allclose(axes.lines[1].get_xydata(), walk[:1])
    np.testing.assert_allclose(axes.lines[2].get_xydata(), walk[-1:])
    (darts,) = axes.patches
    tips, others = (
        darts.get_path().vertices.reshape(-1, 4, 2)[:, :1],
        darts.get_path().vertices.reshape(-1, 4, 2)[:, 1:3],
    )
    ways, middles = (tips - others.mean(1, keepdims=True))[:, 0], (tips + others.mean(1, keepdims=True))[:, 0] / 2
    wanted = turn(middles)
    cosine = (ways * wanted).sum(1) / np.maximum(np.hypot(*ways.T) * np.hypot(*wanted.T), 1e-12)
    away = np.hypot(*middles.T) > 1e-9
    np.testing.assert_allclose(cosine[away], 1, atol=1e-9)


def test_paths_and_directions_are_those_given() -> None:
    check_paths(figures.game_paths)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda p, f: figures.game_paths(p, {"in turn": lambda points: -turn(points)}), id="backwards"),
        pytest.param(lambda p, f: figures.game_paths({"in turn": p["in turn"][:, ::-1]}, f), id="axes swapped"),
        pytest.param(lambda p, f: figures.game_paths({"in turn": p["in turn"][::-1]}, f), id="end for start"),
    ],
)
def test_the_check_of_paths_rejects_mistakes(wrong) -> None:
    with pytest.raises(AssertionError):
        check_paths(wrong)


def test_each_moment_has_a_panel_over_the_same_data() -> None:
    points = np.random.default_rng(0).normal(size=(3, 20, 2))
    panels = figures.points_in_time(dict(zip(["a", "b", "c"], points, strict=True)), points[0]).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["a", "b", "c"]
    for axes, fake in zip(panels, points, strict=True):
        np.testing.assert_allclose(axes.lines[0].get_xydata(), points[0])
        np.testing.assert_allclose(axes.lines[1].get_xydata(), fake)
        assert axes.lines[0].get_color() != axes.lines[1].get_color()


def test_points_out_of_sight_are_counted() -> None:
    data = np.array([[1.0, 0.0], [0.0, 1.0]])
    moments = {"near": data, "far": np.array([[9.0, 0.0], [0.0, -9.0], [1.0, 1.0]])}
    near, far = figures.points_in_time(moments, data).axes
    assert [text.get_text() for text in near.texts] == []
    assert [text.get_text() for text in far.texts] == ["2 beyond"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.loss_slopes(X, {}), "generator_losses is empty"),
        (lambda: figures.loss_slopes(X, {"a": (X, X[1:])}), "T = 81 as in scores"),
        (lambda: figures.discriminator_fit(X, X, X, X, SHARE[None]), r"values outside of \[0, 1\]"),
        (lambda: figures.game_paths({"a": np.zeros((3, 2))}, {"b": turn}), "give the same names"),
        (lambda: figures.game_paths({"a": np.zeros((3, 3))}, {"a": turn}), r"give shape \(T, 2\)"),
        (lambda: figures.points_in_time({}, X), "snapshots is empty"),
    ],
)
def test_wrong_input(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()

"""Transport of points against scipy on the line, assignment in space, and its dual; every mistake here is found."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch.autograd import gradcheck
from torch.testing import assert_close

from gennotes.divergences import Transport, wasserstein, wasserstein_points, wasserstein_samples


def draws(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def counts(n, total, seed):
    """Whole numbers of sum `total` for n points, some of them 0."""
    rows = torch.randint(n, (total,), generator=torch.Generator().manual_seed(seed))
    return rows.bincount(minlength=n)


def shares(counts):
    return counts.double() / 24


def lengths(x, y):
    return torch.from_numpy(np.linalg.norm(x.numpy()[:, None] - y.numpy()[None], axis=-1))


def uniform(points):
    return points.new_full((len(points),), 1 / len(points))


def assignment(x, y):
    """The distance of two sets of equally many points of one weight: the best of all pairings."""
    costs = lengths(x, y).numpy()
    return costs[optimize.linear_sum_assignment(costs)].mean()


def close(result, expected, atol=1e-9):
    assert_close(result, torch.as_tensor(expected, dtype=torch.float64), rtol=0, atol=atol)


INSTANCES = [
    (draws(n, d, seed=seed), 2 * draws(m, d, seed=seed + 1) + 1, counts(n, 24, seed), counts(m, 24, seed + 1))
    for seed, (n, m, d) in enumerate([(7, 5, 2), (6, 6, 2), (5, 9, 3), (1, 4, 3), (8, 1, 10), (7, 7, 1), (24, 30, 2)])
]


def check_distance(solve):
    for x, y, a, b in INSTANCES:
        # 24 points of one weight, each as often as its share says, are paired.
        close(
            solve(x, y, shares(a), shares(b)).distance, assignment(x.repeat_interleave(a, 0), y.repeat_interleave(b, 0))
        )
    for d in (1, 2, 5):
        x, y = draws(20, d, seed=30), draws(20, d, seed=31) + 0.5
        close(solve(x, y).distance, assignment(x, y))


def check_line(solve):
    for n, m in ((1, 1), (6, 4), (15, 40)):
        x, y, p, q = (
            draws(n, seed=n),
            2 * draws(m, seed=m) + 1,
            draws(n, seed=2).softmax(0),
            draws(m, seed=3).softmax(0),
        )
        expected = stats.wasserstein_distance(x.numpy(), y.numpy(), p.numpy(), q.numpy())
        close(solve(x.view(-1, 1), y.view(-1, 1), p, q).distance, float(expected))
        close(solve(x.view(-1, 1), y.view(-1, 1)).distance, wasserstein_samples(x, y))
    places = torch.tensor([-3.0, -2.5, 0.0, 0.1, 1.0, 9.0], dtype=torch.float64)
    p, q = draws(2, 6, seed=5).softmax(-1)
    close(solve(places.view(-1, 1), places.view(-1, 1), p, q).distance, wasserstein(p, q, positions=places))


def check_plan(solve):
    """The plan moves p to q, and costs what the distance says."""
    for x, y, a, b in INSTANCES:
        result = solve(x, y, shares(a), shares(b))
        assert result.plan.shape == (len(x), len(y))
        assert (result.plan >= 0).all()
        close(result.plan.sum(1), shares(a))
        close(result.plan.sum(0), shares(b))
        close((result.plan * lengths(x, y)).sum(), result.distance)


def check_duality(solve):
    """The potentials are no steeper than 1 between any two points, and give the value of the plan: both are optimal."""
    for x, y, a, b in INSTANCES:
        result = solve(x, y, shares(a), shares(b))
        assert result.potential_x.shape == x.shape[:1]
        assert result.potential_y.shape == y.shape[:1]
        points, values = torch.cat([x, y]), torch.cat([result.potential_x, result.potential_y])
        assert ((values.unsqueeze(1) - values).abs() <= lengths(points, points) + 1e-12).all()
        assert values.min() == 0
        dual = shares(a) @ result.potential_x - shares(b) @ result.potential_y
        close((result.plan * lengths(x, y)).sum(), dual, atol=1e-8)
        close(result.distance, dual, atol=1e-8)


def check_translation(solve):
    """All mass goes the same way; of parallel lines θ apart the distance is |θ|."""
    x, step = draws(12, 4), torch.tensor([3.0, -4.0, 12.0, 0.0], dtype=torch.float64)
    close(solve(x, x + step, p := draws(12, seed=1).softmax(0), p).distance, 13.0)
    height = torch.linspace(0, 1, 10, dtype=torch.float64)
    for theta in (-2.0, -0.3, 0.0, 0.01, 1.0):
        line, other = (torch.stack([torch.full_like(height, where), height], 1) for where in (0.0, theta))
        close(solve(line, other).distance, abs(theta))


def altered(**changes):
    """The right answer with some parts computed otherwise, each from (right answer, x, y, p, q)."""

    def wrong(x, y, p=None, q=None):
        right = wasserstein_points(x, y, p, q)
        masses = [uniform(points) if mass is None else mass.double() for points, mass in ((x, p), (y, q))]
        return right._replace(**{name: change(right, x, y, *masses) for name, change in changes.items()})

    return wrong


def other_cost(power, norm=2):
    """The cheapest plan for |x − y|^power in another norm, and its cost to the 1/power."""

    def wrong(x, y, p=None, q=None):
        p, q = (uniform(points) if mass is None else mass.double() for points, mass in ((x, p), (y, q)))
        cost = (x[:, None] - y[None]).norm(norm, dim=-1) ** power
        rows, columns = np.kron(np.eye(len(x)), np.ones(len(y))), np.kron(np.ones(len(x)), np.eye(len(y)))
        found = optimize.linprog(
            cost.flatten().numpy(), A_eq=np.vstack([rows, columns]), b_eq=torch.cat([p, q]).numpy()
        )
        f, g = torch.tensor(found.eqlin.marginals).split([len(x), len(y)])
        plan = torch.tensor(found.x).view(cost.shape)
        return Transport(torch.tensor(found.fun ** (1 / power), dtype=torch.float64), plan, f, -g)

    return wrong


def nearest(right, x, y, p, q):
    """All mass of a point goes to the nearest place."""
    return torch.nn.functional.one_hot(lengths(x, y).argmin(1), len(y)) * p.unsqueeze(1)


def one_axis_at_a_time(right, x, y, p, q):
    parts = [wasserstein_points(x[:, [i]], y[:, [i]], p, q).distance for i in range(x.shape[1])]
    return torch.stack(parts).sum()


CHECKS = [
    (
        check_distance,
        {
            "squares": other_cost(2),
            "city blocks": other_cost(1, norm=1),
            "masses left out": lambda x, y, p=None, q=None: wasserstein_points(x, y),
            "masses of the other": lambda x, y, p=None, q=None: wasserstein_points(x, y, p if q is None else None, q),
            "product": altered(distance=lambda right, x, y, p, q: p @ lengths(x, y) @ q),
            "nearest": altered(distance=lambda right, x, y, p, q: p @ lengths(x, y).amin(1)),
            "means": altered(distance=lambda right, x, y, p, q: (p @ x - q @ y).norm()),
            "one axis at a time": altered(distance=one_axis_at_a_time),
            "mean over pairs": altered(distance=lambda right, x, y, p, q: right.distance / len(x)),
        },
    ),
    (
        check_line,
        {
            "squares": other_cost(2),
            "masses left out": lambda x, y, p=None, q=None: wasserstein_points(x, y),
            "product": altered(distance=lambda right, x, y, p, q: p @ lengths(x, y) @ q),
            "means": altered(distance=lambda right, x, y, p, q: (p @ x - q @ y).norm()),
        },
    ),
    (
        check_plan,
        {
            "product": altered(plan=lambda right, x, y, p, q: p.unsqueeze(1) * q),
            "nearest": altered(plan=nearest),
            "conditional": altered(plan=lambda right, x, y, p, q: right.plan / right.plan.sum(1, keepdim=True)),
            "swapped": lambda x, y, p=None, q=None: wasserstein_points(y, x, q, p),
            "masses left out": lambda x, y, p=None, q=None: wasserstein_points(x, y),
            "squares": other_cost(2),
        },
    ),
    (
        check_duality,
        {
            "sign": altered(
                potential_x=lambda right, *_: right.potential_x.max() - right.potential_x,
                potential_y=lambda right, *_: right.potential_x.max() - right.potential_y,
            ),
            "sign of one": altered(potential_y=lambda right, *_: -right.potential_y),
            "too steep": altered(
                potential_x=lambda right, *_: 2 * right.potential_x, potential_y=lambda right, *_: 2 * right.potential_y
            ),
            "not optimal": altered(
                potential_x=lambda right, *_: 0.9 * right.potential_x,
                potential_y=lambda right, *_: 0.9 * right.potential_y,
            ),
            "product": altered(plan=lambda right, x, y, p, q: p.unsqueeze(1) * q),
            "squares": other_cost(2),
        },
    ),
    (
        check_translation,
        {
            "city blocks": other_cost(1, norm=1),
            "one axis at a time": altered(distance=one_axis_at_a_time),
            "product": altered(distance=lambda right, x, y, p, q: p @ lengths(x, y) @ q),
            "mean over pairs": altered(distance=lambda right, x, y, p, q: right.distance / len(x)),
        },
    ),
]


@pytest.mark.parametrize("check", [pytest.param(check, id=check.__name__) for check, _ in CHECKS])
def test_holds(check):
    check(wasserstein_points)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        pytest.param(check, wrong, id=f"{check.__name__}: {name}")
        for check, mistakes in CHECKS
        for name, wrong in mistakes.items()
    ],
)
def test_rejects(check, wrong):
    with pytest.raises(AssertionError):
        check(wrong)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_units_do_not_matter(scale):
    """The solver's tolerances are absolute: the program is solved in units of the largest distance."""
    x, y, a, b = INSTANCES[2]
    small, large = (wasserstein_points(unit * x, unit * y, shares(a), shares(b)) for unit in (1.0, scale))
    assert_close(large.distance, scale * small.distance, rtol=1e-9, atol=0)
    dual = shares(a) @ large.potential_x - shares(b) @ large.potential_y
    assert_close(large.distance, dual, rtol=1e-8, atol=0)


def test_masses_of_every_size():
    """Down to 1e-18, where rounding of the sums makes 11 of these 60 programs infeasible if all equations are kept."""
    for seed in range(60):
        x, y = draws(20, 3, seed=seed), draws(15, 3, seed=seed + 100)
        p, q = ((8 * draws(n, seed=seed + 200)).softmax(0) for n in (20, 15))
        result = wasserstein_points(x, y, p, q)
        close(result.plan.sum(1), p)
        close(result.plan.sum(0), q)
        close(result.distance, p @ result.potential_x - q @ result.potential_y, atol=1e-8)


def test_a_far_set_keeps_its_digits():
    """|x|² − 2xy + |y|² would be off by more than the distance."""
    x = draws(9, 2) * 1e-4 + 1e4
    close(wasserstein_points(x, x + 3e-5).distance, 3e-5 * math.sqrt(2), atol=1e-11)


def test_it_is_a_metric():
    x, y, z = (draws(6, 3, seed=seed) for seed in range(3))
    xy, yx, yz, xz, xx = (
        wasserstein_points(*pair).distance for pair in ((x, y), (y, x), (y, z), (x, z), (x, x.flip(0).repeat(2, 1)))
    )
    close(xy, yx)
    close(xx, 0.0, atol=1e-12)
    assert xz <= xy + yz
    assert xy > 0


def test_all_points_in_one_place():
    result = wasserstein_points(torch.ones(3, 2), torch.ones(2, 2))
    assert result.distance == 0
    close(result.plan.sum(), 1.0)
    assert_close(torch.cat(result[2:]), torch.zeros(5, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.float32, torch.float64])
def test_the_answer_is_in_float64(dtype):
    x, y = torch.tensor([[0, 0], [4, 3]]).to(dtype), torch.tensor([[4, 3], [3, 4]]).to(dtype)
    result = wasserstein_points(x, y)
    assert {part.dtype for part in result} == {torch.float64}
    close(result.distance, 2.5)
    assert result.plan.tolist() == [[0, 0.5], [0.5, 0]]


def test_gradients():
    x, y = draws(4, 2).requires_grad_(), draws(3, 2, seed=1).requires_grad_()
    p, q = draws(4, seed=2).softmax(0), draws(3, seed=3).softmax(0)
    assert gradcheck(lambda x, y: wasserstein_points(x, y, p, q).distance, (x, y))
    result = wasserstein_points(x, y, p.requires_grad_(), q)
    assert not any(part.requires_grad for part in result[1:])


def test_a_solver_that_gives_up(monkeypatch):
    failed = SimpleNamespace(status=4, message="numerical difficulties")
    monkeypatch.setattr(optimize, "linprog", lambda *args, **kwargs: failed)
    with pytest.raises(RuntimeError, match="found no plan; the solver says: numerical difficulties"):
        wasserstein_points(draws(3, 2), draws(3, 2, seed=1))


def test_a_plan_that_is_not_the_shortest(monkeypatch):
    product = SimpleNamespace(status=0, x=np.full(9, 1 / 9), eqlin=SimpleNamespace(marginals=np.zeros(5)))
    monkeypatch.setattr(optimize, "linprog", lambda *args, **kwargs: product)
    with pytest.raises(RuntimeError, match=r"found a plan that is 0\.\d+ longer than its dual allows"):
        wasserstein_points(draws(3, 2), draws(3, 2, seed=1))


TWO, THREE = torch.zeros(2, 2), torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wasserstein_points(TWO[:0], TWO), r"wasserstein_points got x of shape \(0, 2\).*at least one"),
        (lambda: wasserstein_points(TWO, TWO[:, :0]), r"wasserstein_points got y of shape \(2, 0\)"),
        (lambda: wasserstein_points(TWO[0], TWO), r"got x of shape \(2,\); .*on a line are \(N, 1\)"),
        (lambda: wasserstein_points(TWO, TWO.view(1, 2, 2)), r"got y of shape \(1, 2, 2\)"),
        (lambda: wasserstein_points(TWO, torch.zeros(2, 3)), r"x \(2, 2\) and y \(2, 3\); give points of the same"),
        (lambda: wasserstein_points(TWO * math.nan, TWO), "got x with NaN or infinite values; leave these points out"),
        (lambda: wasserstein_points(TWO, TWO + math.inf), "got y with NaN or infinite values"),
        (lambda: wasserstein_points(torch.zeros(1_001, 1), TWO[:, :1]), "got 1,001 points x; give at most 1,000"),
        (lambda: wasserstein_points(TWO, torch.zeros(1_001, 2)), "got 1,001 points y"),
        (lambda: wasserstein_points(TWO, THREE, torch.ones(3) / 3), r"got p of shape \(3,\) for 2 points x; give one"),
        (lambda: wasserstein_points(TWO, THREE, q=torch.ones(1, 3) / 3), r"got q of shape \(1, 3\) for 3 points y"),
        (lambda: wasserstein_points(TWO, TWO, torch.tensor([1.5, -0.5])), "got p with the negative value -0.5"),
        (lambda: wasserstein_points(TWO, TWO, q=torch.tensor([0.5, 0.4])), r"got q with the sum 0\.9, which must be 1"),
        (lambda: wasserstein_points(TWO, TWO, q=torch.tensor([1.0, math.nan])), "got q with NaN or infinite"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()

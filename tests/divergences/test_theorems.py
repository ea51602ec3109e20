"""What holds for all distributions, tried on tables that hypothesis makes: with zeros, with small numbers, of any size.

Every theorem is shown to be able to fail: each mistake named beside it in THEOREMS breaks it on some table.
"""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import integrate
from torch.testing import assert_close

from gennotes.divergences import (
    conditional_entropy,
    cross_entropy,
    entropy,
    js,
    kl,
    mutual_information,
    total_variation,
    wasserstein,
)

LOG_2 = math.log(2)
ROUNDING = 1e-12


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def exact(result, expected):
    assert_close(result, torch.as_tensor(expected, dtype=torch.float64), rtol=ROUNDING, atol=ROUNDING)


def for_all(*strategies, examples=300):
    """Runs a statement on so many drawn examples, the same ones wherever the same modules are loaded."""
    run = settings(max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    return lambda statement: run(given(*strategies)(statement))()


@st.composite
def tables(draw, count, outcomes=None):
    """`count` distributions over the same outcomes, two to five if not told: (count, K)."""
    outcomes = outcomes or draw(st.integers(2, 5))
    number = st.integers(-30, 100)  # a quarter of the outcomes have no mass, others as little as 1e-8
    row = st.lists(number, min_size=outcomes, max_size=outcomes).filter(lambda numbers: max(numbers) > 0)
    weights = (tensor(*draw(st.lists(row, min_size=count, max_size=count))).clamp(min=0) / 100) ** 4
    return weights / weights.sum(-1, keepdim=True)


@st.composite
def channels(draw):
    """Two distributions of K outcomes, and a stochastic matrix (K, J) that blurs them."""
    pair = draw(tables(2))
    return pair, draw(tables(pair.shape[-1], draw(st.integers(1, 4))))


@st.composite
def joints(draw):
    rows, columns = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    return draw(tables(1, rows * columns))[0].view(rows, columns)


@st.composite
def grids(draw, points):
    steps = draw(st.lists(st.floats(0.01, 5), min_size=points - 1, max_size=points - 1))
    return tensor(draw(st.floats(-9, 9)), *steps).cumsum(0)


def gibbs(kl):
    @for_all(tables(2))
    def statement(pair):
        p, q = pair
        assert kl(p, q) >= -ROUNDING
        assert abs(kl(p, p)) <= ROUNDING
        if (p - q).abs().max() > 1e-3:
            assert kl(p, q) > ROUNDING


def infinite_unless_absolutely_continuous(divergence):
    @for_all(tables(2))
    def statement(pair):
        p, q = pair
        continuous = not bool(((p > 0) & (q == 0)).any())
        assert divergence(p, q).isfinite() == continuous
        assert divergence(p, q) >= -ROUNDING


def entropy_bounds(entropy):
    @for_all(tables(1))
    def statement(p):
        assert -ROUNDING <= entropy(p[0]) <= math.log(p.shape[-1]) + ROUNDING
        exact(entropy(torch.ones_like(p[0]) / p.shape[-1]), math.log(p.shape[-1]))
        exact(entropy(torch.cat([p[0], tensor(0.0)])), entropy(p[0]))


def kl_is_the_excess_of_cross_entropy(kl, cross_entropy, entropy):
    @for_all(tables(2))
    def statement(pair):
        p, q = pair
        exact(kl(p, q), cross_entropy(p, q) - entropy(p))


def js_bounds(js):
    @for_all(tables(2))
    def statement(pair):
        p, q = pair
        assert -ROUNDING <= js(p, q) <= LOG_2 + ROUNDING
        exact(js(p, q), js(q, p))
        exact(js(torch.cat([p, 0 * q]), torch.cat([0 * p, q])), LOG_2)  # no outcome shared
        assert js(p, q) <= LOG_2 * 0.5 * (p - q).abs().sum() + ROUNDING  # Lin 1991


def root_of_js_is_a_metric(js):
    @for_all(tables(3))
    def statement(triple):
        p, q, r = triple
        pq, qr, pr = (js(*pair).clamp(min=0).sqrt() for pair in ((p, q), (q, r), (p, r)))
        assert pr <= pq + qr + 1e-7  # the root of rounding
        exact(pq, js(q, p).clamp(min=0).sqrt())


def total_variation_is_the_largest_difference(total_variation):
    @for_all(tables(2))
    def statement(pair):
        p, q = pair
        events = tensor(*product((0, 1), repeat=len(p)))
        exact(total_variation(p, q), (events @ (p - q)).max())


def pinsker(kl, total_variation):
    @for_all(tables(2))
    def statement(pair):
        p, q = pair
        assert 2 * total_variation(p, q) ** 2 <= kl(p, q) + ROUNDING
        near = (p + 0.01 * (q - p)) + 0.0  # where the inequality is all but an equality for two outcomes
        assert 2 * total_variation(p, near) ** 2 <= kl(p, near) + ROUNDING


def data_processing(divergence):
    @for_all(channels(), examples=1_000)  # a wrong one keeps the inequality for most of them
    def statement(drawn):
        (p, q), channel = drawn
        assert divergence(p @ channel, q @ channel) <= divergence(p, q) + ROUNDING


def wasserstein_is_a_metric(wasserstein):
    @for_all(tables(3, outcomes=4), grids(4), st.floats(-5, 5))
    def statement(triple, places, shift):
        p, q, r = triple
        pq, qr, pr, qp = (wasserstein(*pair, positions=places) for pair in ((p, q), (q, r), (p, r), (q, p)))
        assert pr <= pq + qr + ROUNDING
        exact(pq, qp)
        exact(wasserstein(p, q, positions=places + shift), pq)
        exact(wasserstein(p, q, positions=2 * places), 2 * pq)


def a_translation_moves_by_its_length(wasserstein):
    @for_all(tables(1, outcomes=4), grids(4), st.floats(0.1, 9))
    def statement(p, places, gap):
        p, shift = p[0], places[-1] - places[0] + gap
        both = torch.cat([places, places + shift])
        exact(wasserstein(torch.cat([p, 0 * p]), torch.cat([0 * p, p]), positions=both), shift)


def chain_rule(mutual_information, conditional_entropy):
    @for_all(joints())
    def statement(joint):
        rows, columns, both = entropy(joint.sum(1)), entropy(joint.sum(0)), entropy(joint.flatten())
        information = mutual_information(joint)
        exact(information, rows + columns - both)
        exact(information, rows - conditional_entropy(joint, given="columns"))
        exact(information, columns - conditional_entropy(joint, given="rows"))


def information_bounds(mutual_information):
    @for_all(joints(), tables(4, outcomes=3))
    def statement(joint, channel):
        information = mutual_information(joint)
        assert -ROUNDING <= information <= min(entropy(joint.sum(1)), entropy(joint.sum(0))) + ROUNDING
        assert mutual_information(joint @ channel[: joint.shape[1]]) <= information + ROUNDING
        assert abs(mutual_information(joint.sum(1, keepdim=True) * joint.sum(0))) <= ROUNDING


def a_grid_is_a_table_of_masses(kl, entropy, wasserstein):
    """The widths of the points are scipy's trapezoidal rule, applied to one point at a time."""

    @for_all(tables(2, outcomes=5), grids(5))
    def statement(pair, at):
        widths = torch.from_numpy(integrate.trapezoid(np.eye(5), at.numpy()))
        p, q = pair / widths
        exact(kl(p, q, at), kl(*pair))
        exact(wasserstein(p, q, at), wasserstein(*pair, positions=at))
        exact(entropy(p, at), entropy(pair[0]) + (pair[0] * widths.log()).sum())


def logarithms_say_the_same(divergence):
    @for_all(tables(2))
    def statement(pair):
        p, q = pair
        exact(divergence(p.log(), q.log(), log=True), divergence(p, q))


def scaled(function, factor):
    return lambda *args, **kwargs: factor * function(*args, **kwargs)


def swapped(function):
    return lambda p, q, **kwargs: function(q, p, **kwargs)


def smoothed(p, q):
    """KL with the usual ε that keeps a logarithm finite."""
    return kl(p, (q + 1e-9) / (1 + 1e-9 * len(q)))


def kl_where_both_are_positive(p, q):
    both = (p > 0) & (q > 0)
    return (p[both] * (p[both] / q[both]).log()).sum()


def js_of_a_geometric_m(p, q):
    m = (p * q).sqrt() + 1e-12
    return 0.5 * (kl(p, m / m.sum()) + kl(q, m / m.sum()))


def js_of_unequal_parts(p, q):
    m = 0.3 * p + 0.7 * q
    return 0.5 * (kl(p, m) + kl(q, m))


def squares(p, q):
    return (p - q).square().sum(-1)


def entropy_gained(p, q):
    return (entropy(q) - entropy(p)).abs()


def transport(total, steps=torch.diff):
    """W₁ with another total of the gaps between the distribution functions, or with other steps."""
    return lambda p, q, positions: total((p - q).cumsum(-1)[..., :-1], steps(positions))


def information_backwards(joint):
    return kl((joint.sum(1, keepdim=True) * joint.sum(0)).flatten(), joint.flatten())


def given_the_other(joint, given):
    return conditional_entropy(joint, given={"rows": "columns", "columns": "rows"}[given])


def normalised(p, at=None):
    """Masses of points that each stand for the step on their right, or for the same step if no grid is given."""
    mass = p if at is None else p * torch.cat([at.diff(), at.diff()[-1:]])
    return mass / mass.sum()


def in_base(base, *logarithms):
    return [(math.log(base) * values).softmax(-1) for values in logarithms]


BITS = 1 / LOG_2
THEOREMS = [
    (
        gibbs,
        [kl],
        {
            "sign": [scaled(kl, -1)],
            "entropy of the other": [lambda p, q: cross_entropy(p, q) - entropy(q)],
            "cross-entropy": [cross_entropy],
            "zeros left out": [kl_where_both_are_positive],
        },
    ),
    (
        infinite_unless_absolutely_continuous,
        [kl],
        {
            "never infinite": [smoothed],
            "swapped": [swapped(kl)],
            "zeros left out": [kl_where_both_are_positive],
            "JS": [js],
            "NaN": [lambda p, q: (p * (p / q).log()).sum()],
        },
    ),
    (
        infinite_unless_absolutely_continuous,
        [cross_entropy],
        {"swapped": [swapped(cross_entropy)], "zeros": [lambda p, q: -(p * q.log()).sum()]},
    ),
    (
        entropy_bounds,
        [entropy],
        {
            "sign": [scaled(entropy, -1)],
            "bits": [scaled(entropy, BITS)],
            "mean": [lambda p: entropy(p) / len(p)],
            "zeros": [lambda p: -(p * p.log()).sum()],
        },
    ),
    (
        kl_is_the_excess_of_cross_entropy,
        [kl, cross_entropy, entropy],
        {
            "swapped": [swapped(kl), cross_entropy, entropy],
            "bits": [scaled(kl, BITS), cross_entropy, entropy],
            "sign of H": [kl, cross_entropy, scaled(entropy, -1)],
            "swapped cross-entropy": [kl, swapped(cross_entropy), entropy],
        },
    ),
    (
        js_bounds,
        [js],
        {
            "no half": [scaled(js, 2)],
            "bits": [scaled(js, BITS)],
            "one half of the two": [lambda p, q: kl(p, 0.5 * (p + q))],
            "KL": [kl],
            "unequal parts": [js_of_unequal_parts],
            "geometric M": [js_of_a_geometric_m],
        },
    ),
    (
        root_of_js_is_a_metric,
        [js],
        {
            "no root": [lambda p, q: js(p, q).square()],
            "KL": [kl],
            "Jeffreys": [lambda p, q: (kl(p, q) + kl(q, p)).nan_to_num(posinf=1e9)],
        },
    ),
    (
        total_variation_is_the_largest_difference,
        [total_variation],
        {
            "no half": [scaled(total_variation, 2)],
            "largest of one outcome": [lambda p, q: (p - q).abs().max()],
            "squares": [lambda p, q: squares(p, q).sqrt()],
        },
    ),
    (
        pinsker,
        [kl, total_variation],
        {
            "no half": [kl, scaled(total_variation, 2)],
            "half of KL": [scaled(kl, 0.5), total_variation],
            "sign": [scaled(kl, -1), total_variation],
            "JS": [js, total_variation],
        },
    ),
    (data_processing, [kl], {"squares": [squares], "entropies": [entropy_gained], "sign": [scaled(kl, -1)]}),
    (data_processing, [js], {"geometric M": [js_of_a_geometric_m], "sign": [scaled(js, -1)]}),
    (
        data_processing,
        [total_variation],
        {"squares": [lambda p, q: squares(p, q).sqrt()], "largest": [lambda p, q: (p - q).abs().max()]},
    ),
    (
        wasserstein_is_a_metric,
        [wasserstein],
        {
            "squares": [transport(lambda gaps, steps: (gaps.square() * steps).sum(-1))],
            "signed": [transport(lambda gaps, steps: (gaps * steps).sum(-1))],
            "no positions": [transport(lambda gaps, steps: gaps.abs().sum(-1))],
            "weights of the places": [transport(lambda gaps, x: (gaps.abs() * x).sum(-1), lambda x: x[1:])],
        },
    ),
    (
        a_translation_moves_by_its_length,
        [wasserstein],
        {
            "mean": [transport(lambda gaps, steps: (gaps.abs() * steps).mean(-1))],
            "half": [scaled(wasserstein, 0.5)],
            "no positions": [transport(lambda gaps, steps: gaps.abs().sum(-1))],
            "squares": [transport(lambda gaps, steps: (gaps.square() * steps).sum(-1))],
        },
    ),
    (
        chain_rule,
        [mutual_information, conditional_entropy],
        {
            "backwards": [information_backwards, conditional_entropy],
            "half": [scaled(mutual_information, 0.5), conditional_entropy],
            "given the other": [mutual_information, given_the_other],
            "sign": [mutual_information, scaled(conditional_entropy, -1)],
        },
    ),
    (
        information_bounds,
        [mutual_information],
        {
            "backwards": [information_backwards],
            "sign": [scaled(mutual_information, -1)],
            "bits": [scaled(mutual_information, BITS)],
            "joint entropy": [lambda joint: entropy(joint.flatten())],
        },
    ),
    (
        a_grid_is_a_table_of_masses,
        [kl, entropy, wasserstein],
        {
            "no grid": [lambda p, q, at=None: kl(normalised(p), normalised(q)), entropy, wasserstein],
            "left": [lambda p, q, at=None: kl(normalised(p, at), normalised(q, at)), entropy, wasserstein],
            "no width in the entropy": [kl, lambda p, at=None: entropy(normalised(p, at)), wasserstein],
        },
    ),
    *(
        (
            logarithms_say_the_same,
            [divergence],
            {
                "base 2": [lambda p, q, log=False, f=divergence: f(*in_base(2, p, q) if log else (p, q))],
                "base 10": [lambda p, q, log=False, f=divergence: f(*in_base(10, p, q) if log else (p, q))],
            },
        )
        for divergence in (kl, cross_entropy, js, total_variation, wasserstein)
    ),
]


def name(theorem, right):
    return f"{theorem.__name__}: {right[0].__name__}"


@pytest.mark.parametrize(("theorem", "right"), [pytest.param(t, right, id=name(t, right)) for t, right, _ in THEOREMS])
def test_holds(theorem, right):
    theorem(*right)


@pytest.mark.parametrize(
    ("theorem", "wrong"),
    [
        pytest.param(theorem, wrong, id=f"{name(theorem, right)}: {mistake}")
        for theorem, right, mistakes in THEOREMS
        for mistake, wrong in mistakes.items()
    ],
)
def test_rejects(theorem, wrong):
    with pytest.raises(AssertionError):
        theorem(*wrong)

"""Divergences of tables and grids against scipy, torch and quadrature; every mistake named here fails its check."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.spatial.distance import jensenshannon
from torch.autograd import gradcheck
from torch.distributions import Laplace, Normal, Uniform, kl_divergence
from torch.testing import assert_close

from gennotes.divergences import (
    conditional_entropy,
    cross_entropy,
    entropy,
    entropy_normal,
    js,
    kl,
    mutual_information,
    total_variation,
    wasserstein,
)

LOG_2 = math.log(2)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def normal(mean, deviation):
    return Normal(*tensor(mean, deviation))


def tables(rows=20, outcomes=7, seed=0, zeros=False):
    p = torch.rand(rows, outcomes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) ** 3
    if zeros:
        p[:, 2] = 0
    return p / p.sum(-1, keepdim=True)


P, Q = tables(zeros=True), tables(seed=1)
JOINT = tables(20, 12, seed=2, zeros=True).unflatten(-1, (3, 4))
PLACES = tensor(-3.0, -2.5, 0.0, 0.1, 1.0, 4.0, 9.0)
LINE = torch.linspace(-40, 40, 8001, dtype=torch.float64)
NORMAL_P, NORMAL_Q = normal(0.3, 0.5), normal(1.0, 2.0)


def density(distribution, at=LINE):
    return distribution.log_prob(at).exp()


def exact(result, expected, atol=1e-12):
    assert_close(result, torch.as_tensor(expected, dtype=torch.float64), rtol=0, atol=atol)


def check_entropy(entropy):
    exact(entropy(P), stats.entropy(P, axis=-1))
    exact(entropy(torch.full((5,), 0.2)), math.log(5))
    for p in (NORMAL_P, normal(0.0, 0.1)):  # of the second it is negative
        exact(entropy(density(p), LINE), p.entropy())
        exact(entropy(p.log_prob(LINE), LINE, log=True), entropy_normal(2 * p.scale.log().view(1)))
    laplace = Laplace(*tensor(0.5, 0.7))
    exact(entropy(density(laplace), LINE), laplace.entropy(), atol=1e-4)  # the kink
    edges = tensor(-1, -1e-9, 0, 1, 2, 2 + 1e-9, 3)
    exact(entropy(tensor(0, 0, 0.5, 0.5, 0.5, 0, 0), edges), Uniform(*tensor(0, 2)).entropy(), atol=1e-9)


def check_cross_entropy(cross_entropy):
    loss = torch.nn.functional.cross_entropy(Q.log(), P, reduction="none")
    exact(cross_entropy(P, Q), loss)
    exact(cross_entropy(P.log(), Q.log(), log=True), loss)
    expected = NORMAL_P.entropy() + kl_divergence(NORMAL_P, NORMAL_Q)
    exact(cross_entropy(density(NORMAL_P), density(NORMAL_Q), LINE), expected)


def check_kl(kl):
    exact(kl(P, Q), stats.entropy(P, Q, axis=-1))
    exact(kl(Q, P), torch.full((20,), math.inf))
    exact(kl(density(NORMAL_P), density(NORMAL_Q), LINE), kl_divergence(NORMAL_P, NORMAL_Q))
    for p, q in ((NORMAL_P, NORMAL_Q), (NORMAL_Q, NORMAL_P), (NORMAL_P, normal(0.0, 0.1))):
        exact(kl(p.log_prob(LINE), q.log_prob(LINE), LINE, log=True), kl_divergence(p, q))
    uneven = torch.cat([LINE[:4000], LINE[4000:5000:2], LINE[5000:]])
    exact(kl(density(NORMAL_P, uneven), density(NORMAL_Q, uneven), uneven), kl_divergence(NORMAL_P, NORMAL_Q), 1e-5)


def check_js(js):
    exact(js(P, Q), jensenshannon(P.numpy(), Q.numpy(), axis=-1) ** 2)

    def integrand(x):
        p, q = stats.norm.pdf(x, 0.3, 0.5), stats.norm.pdf(x, 1.0, 2.0)
        return 0.5 * (p * math.log(2 * p / (p + q)) + q * math.log(2 * q / (p + q)))

    expected, _ = integrate.quad(integrand, -15, 15, points=[0.3, 1.0], epsabs=1e-12)
    exact(js(density(NORMAL_P), density(NORMAL_Q), LINE), expected, atol=1e-11)
    exact(js(NORMAL_P.log_prob(LINE), NORMAL_Q.log_prob(LINE), LINE, log=True), expected, atol=1e-11)


def check_total_variation(total_variation):
    exact(total_variation(P, Q), np.abs(P.numpy() - Q.numpy()).sum(-1) / 2)
    exact(total_variation(tensor(0.2, 0.8), tensor(0.7, 0.3)), 0.5)
    parted = density(normal(0.0, 1.0)), density(normal(3.0, 1.0))
    exact(total_variation(*parted, LINE), math.erf(1.5 / math.sqrt(2)), atol=1e-4)


def check_wasserstein(wasserstein):
    for places, where in ((PLACES, {"positions": PLACES}), (torch.arange(7), {})):
        expected = [stats.wasserstein_distance(places, places, p, q) for p, q in zip(P, Q, strict=True)]
        exact(wasserstein(P, Q, **where), expected)
    p, moved, wide = (density(normal(*values)) for values in ((0.0, 1.0), (3.0, 1.0), (0.0, 2.0)))
    exact(wasserstein(p, moved, LINE), 3.0)
    exact(wasserstein(p, wide, LINE), math.sqrt(2 / math.pi), atol=1e-4)


def check_mutual_information(mutual_information):
    independent = JOINT.sum(-1, keepdim=True) * JOINT.sum(-2, keepdim=True)
    exact(mutual_information(JOINT), stats.entropy(JOINT.flatten(1), independent.flatten(1), axis=-1))
    exact(mutual_information(torch.eye(3) / 3), math.log(3), atol=1e-7)
    exact(mutual_information(independent), torch.zeros(20))


def check_conditional_entropy(conditional_entropy):
    rows = [np.average(stats.entropy(table, axis=1), weights=table.sum(1)) for table in JOINT[:, :, [0, 1, 3]].numpy()]
    joint = JOINT[:, :, [0, 1, 3]] / JOINT[:, :, [0, 1, 3]].sum((1, 2), keepdim=True)
    rows, columns = (
        [np.average(stats.entropy(table, axis=axis), weights=table.sum(axis)) for table in joint.numpy()]
        for axis in (1, 0)
    )
    exact(conditional_entropy(joint, given="rows"), rows)
    exact(conditional_entropy(joint, given="columns"), columns)


def scaled(function, factor):
    return lambda *args, **kwargs: factor * function(*args, **kwargs)


def swapped(function):
    return lambda p, q, *args, **kwargs: function(q, p, *args, **kwargs)


def smoothed(function):
    """With the usual ε that keeps a logarithm finite."""
    return lambda p, q, at=None, log=False: function(p, q if log else q + 1e-9, at, log=log)


def gridless(function):
    """Densities taken for probabilities."""

    def wrong(*args, log=False, **kwargs):
        at = args[-1]
        if at is not LINE:
            return function(*args, log=log, **kwargs)
        masses = [value.exp() if log else value for value in args[:-1]]
        return function(*(mass / mass.sum() for mass in masses))

    return wrong


def js_of_a_normal_m(p, q, at=None, log=False):
    """M with the mean parameters, in place of the mixture."""
    if at is None or log:
        return js(p, q, at, log=log)
    m = density(normal(0.65, 1.25))
    return 0.5 * (kl(p, m, at) + kl(q, m, at))


def js_of_a_geometric_m(p, q, at=None, log=False):
    if at is not None:
        return js(p, q, at, log=log)
    m = (p * q).sqrt() + 1e-300
    m = m / m.sum(-1, keepdim=True)
    return 0.5 * (kl(p, m) + kl(q, m))


def transport(total, places=True):
    """W₁ with another total of the gaps between the distribution functions, or with all points one apart."""

    def wrong(p, q, at=None, positions=None):
        widths = torch.ones(7) if at is None else integrate.trapezoid(np.eye(8001), LINE.numpy())
        where = positions if at is None else at
        steps = where.diff() if places and where is not None else 1
        return total(((p - q) * torch.as_tensor(widths)).cumsum(-1)[..., :-1], steps)

    return wrong


def information_backwards(joint):
    independent = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return kl(independent.flatten(-2), joint.flatten(-2))


def given_the_other(joint, given):
    return conditional_entropy(joint, given={"rows": "columns", "columns": "rows"}[given])


def unweighted(joint, given):
    """The entropies of the conditional distributions, averaged as if all were equally probable."""
    axis = -1 if given == "rows" else -2
    return entropy((joint / joint.sum(axis, keepdim=True)).movedim(axis, -1)).mean(-1)


BITS = 1 / LOG_2
CHECKS = [
    (
        check_entropy,
        entropy,
        {"sign": scaled(entropy, -1), "bits": scaled(entropy, BITS), "no grid": gridless(entropy)},
    ),
    (
        check_cross_entropy,
        cross_entropy,
        {
            "swapped": swapped(cross_entropy),
            "bits": scaled(cross_entropy, BITS),
            "divergence": kl,
            "no grid": gridless(cross_entropy),
        },
    ),
    (
        check_kl,
        kl,
        {
            "swapped": swapped(kl),
            "sign": scaled(kl, -1),
            "bits": scaled(kl, BITS),
            "cross-entropy": cross_entropy,
            "never infinite": smoothed(kl),
        },
    ),
    (
        check_js,
        js,
        {
            "no half": scaled(js, 2),
            "bits": scaled(js, BITS),
            "root": lambda *args, **kwargs: js(*args, **kwargs).sqrt(),
            "normal M": js_of_a_normal_m,
            "geometric M": js_of_a_geometric_m,
        },
    ),
    (
        check_total_variation,
        total_variation,
        {
            "no half": scaled(total_variation, 2),
            "largest": lambda p, q, at=None: (p - q).abs().amax(-1),
            "squares": lambda p, q, at=None: (p - q).square().sum(-1).sqrt(),
            "no grid": lambda p, q, at=None: 0.5 * (p - q).abs().sum(-1),
        },
    ),
    (
        check_wasserstein,
        wasserstein,
        {
            "mean": transport(lambda gaps, steps: (gaps.abs() * steps).mean(-1)),
            "without sign": transport(lambda gaps, steps: (gaps * steps).sum(-1).abs()),
            "squares": transport(lambda gaps, steps: (gaps.square() * steps).sum(-1)),
            "largest": transport(lambda gaps, steps: gaps.abs().amax(-1)),
            "no positions": transport(lambda gaps, steps: (gaps.abs() * steps).sum(-1), places=False),
        },
    ),
    (
        check_mutual_information,
        mutual_information,
        {
            "backwards": information_backwards,
            "sign": scaled(mutual_information, -1),
            "bits": scaled(mutual_information, BITS),
            "entropy": lambda joint: entropy(joint.flatten(-2)),
        },
    ),
    (
        check_conditional_entropy,
        conditional_entropy,
        {
            "other side": given_the_other,
            "unweighted": unweighted,
            "joint": lambda joint, given: entropy(joint.flatten(-2)),
            "bits": scaled(conditional_entropy, BITS),
        },
    ),
]


@pytest.mark.parametrize(("check", "right"), [pytest.param(*row[:2], id=row[0].__name__) for row in CHECKS])
def test_holds(check, right):
    check(right)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        pytest.param(check, wrong, id=f"{check.__name__}: {name}")
        for check, _, mistakes in CHECKS
        for name, wrong in mistakes.items()
    ],
)
def test_rejects(check, wrong):
    with pytest.raises(AssertionError):
        check(wrong)


PAIRS = [entropy, cross_entropy, kl, js, total_variation, wasserstein]


@pytest.mark.parametrize("function", PAIRS[1:], ids=lambda function: function.__name__)
def test_broadcasts(function):
    p, q = tables(6).view(2, 3, 7), tables(3, seed=1)
    result = function(p, q)
    assert result.shape == (2, 3)
    exact(result[1, 2], function(p[1, 2], q[2]))


@pytest.mark.parametrize("function", PAIRS, ids=lambda function: function.__name__)
def test_is_float64_and_forgives_the_rounding_of_float32(function):
    tensors = (tables().float(), tables(seed=1).float())[: 1 if function is entropy else 2]
    result = function(*tensors)
    assert result.dtype == torch.float64
    assert_close(result, function(*(t.double() / t.double().sum(-1, keepdim=True) for t in tensors)))


def test_a_sum_within_the_tolerance_is_divided_out():
    for p in (tensor(0.333, 0.333, 0.3335), tensor(0.3335, 0.3335, 0.3335)):
        exact(kl(p, p / p.sum()), 0.0)
        exact(cross_entropy(p, tensor(0.25, 0.25, 0.5)), (p / p.sum() * tensor(4, 4, 2).log()).sum())
    exact(kl(density(NORMAL_P) * 0.9995, density(NORMAL_P), LINE), 0.0)


def test_the_smallest_numbers():
    """Where half of a number, or a product with a weight, underflows."""
    p, q = tensor(5e-324, 1.0), tensor(1.0, 5e-324)
    exact(js(p, q), LOG_2)
    assert kl(p, tensor(0.0, 1.0)) == math.inf
    exact(kl(p, q), -math.log(5e-324))
    exact(kl(tensor(5e-324, 10.0, 5e-324), tensor(0.0, 10.0, 0.0), tensor(0.0, 0.1, 0.2)), 0.0)


@pytest.mark.parametrize("at", [None, tensor(-1.0, 0.0, 0.5, 2.0)], ids=["table", "grid"])
@pytest.mark.parametrize("log", [False, True], ids=["values", "logarithms"])
@pytest.mark.parametrize("function", PAIRS, ids=lambda function: function.__name__)
def test_gradients(function, log, at):
    logits = [tables(3, 4, seed=seed).log().requires_grad_() for seed in (3, 4)][: 1 if function is entropy else 2]

    def of_logits(*logits):
        widths = torch.ones(4) if at is None else torch.tensor([0.5, 0.75, 1.0, 0.75])
        values = [(scores.log_softmax(-1) - widths.log()) for scores in logits]
        return function(*(value if log else value.exp() for value in values), at, log=log)

    assert gradcheck(of_logits, logits)


@pytest.mark.parametrize("function", [cross_entropy, kl, js, total_variation, wasserstein])
def test_gradients_at_zero_are_finite(function):
    p, q = tensor(0.0, 0.0, 0.4, 0.6).requires_grad_(), tensor(0.0, 0.2, 0.3, 0.5).requires_grad_()
    for gradient in torch.autograd.grad(function(p, q), (p, q)):
        assert gradient.isfinite().all()
    log_p, log_q = (t.detach().log().requires_grad_() for t in (p, q))
    for gradient in torch.autograd.grad(function(log_p, log_q, log=True), (log_p, log_q)):
        assert gradient.isfinite().all()


def test_the_gradient_of_kl_is_the_one_of_the_formula():
    p, q = tensor(0.0, 0.3, 0.7).requires_grad_(), tensor(0.2, 0.5, 0.3).requires_grad_()
    to_p, to_q = torch.autograd.grad(kl(p, q), (p, q))
    exact(to_p[2] - to_p[1], (p[2] / q[2]).log() - (p[1] / q[1]).log())  # along the simplex
    exact(to_q - to_q[0], -p / q)


HALVES = tensor(0.5, 0.5)
JOINT_2 = torch.full((2, 2), 0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl(tensor(-0.5, 1.5), HALVES), "kl got p with the negative value -0.5.*log=True"),
        (lambda: js(HALVES, tensor(1.5, -0.5)), "js got q with the negative value -0.5"),
        (lambda: entropy(tensor(0.5, 0.4)), "entropy got p with the sum 0.9, which must be 1; divide it by its sum"),
        (lambda: entropy(tensor(3.0, 4.0)), "the sum 7,"),
        (lambda: entropy(tensor(0.0, 0.0)), "the sum 0,"),
        (lambda: entropy(torch.stack([HALVES, 0.9 * HALVES])), "the sum 0.9,"),
        (lambda: kl(HALVES.log(), 2 * HALVES.log(), log=True), "kl got q with the sum 0.5,"),
        (lambda: kl(HALVES, HALVES, log=True), "kl got p with the sum 3.29744,"),
        (lambda: cross_entropy(HALVES, tensor(math.nan, 1)), "cross_entropy got q with NaN or infinite values"),
        (lambda: total_variation(tensor(math.inf, 1), HALVES), "total_variation got p with NaN or infinite"),
        (lambda: kl(HALVES.log(), tensor(math.inf, 0), log=True), "kl got q with NaN or infinite"),
        (lambda: kl(HALVES.log(), tensor(math.nan, 0), log=True), "kl got q with NaN or infinite"),
        (lambda: kl(HALVES, tensor(0.2, 0.3, 0.5)), r"kl got p \(2,\) and q \(3,\); give the same number of values"),
        (lambda: kl(HALVES, tensor(1.0)), r"kl got p \(2,\) and q \(1,\)"),
        (lambda: kl(HALVES.expand(3, 2), HALVES.expand(4, 2)), r"p \(3, 2\) and q \(4, 2\).*must broadcast"),
        (lambda: entropy(tensor()), r"entropy got p of shape \(0,\); give \(..., K\) with at least one"),
        (lambda: entropy(tensor(1.0)[0]), r"of shape \(\)"),
        (lambda: entropy(torch.zeros(0, 3)), r"of shape \(0, 3\)"),
        (lambda: entropy(HALVES, tensor(1.0, 0.0)), "entropy got at that does not increase"),
        (lambda: entropy(HALVES, tensor(1.0, 1.0)), "at that does not increase"),
        (lambda: entropy(HALVES, tensor(math.nan, 1.0)), "at that does not increase or is not finite"),
        (lambda: entropy(HALVES, tensor(0.0, math.inf)), "at that does not increase or is not finite"),
        (lambda: entropy(HALVES, tensor(0.0, 1.0, 2.0)), r"entropy got at of shape \(3,\) for 2 values"),
        (lambda: entropy(HALVES, HALVES.view(1, 2)), r"at of shape \(1, 2\)"),
        (lambda: entropy(tensor(1.0), tensor(0.0)), "a grid of one point"),
        (lambda: js(HALVES, HALVES, tensor(0.0, 1.0)), r"js got p with the integral 0.5 over \[0, 1\].*wide and fine"),
        (lambda: wasserstein(HALVES, HALVES, positions=tensor(3.0, 1.0)), "wasserstein got positions that does not"),
        (lambda: wasserstein(HALVES, HALVES, positions=tensor(3.0)), r"positions of shape \(1,\) for 2 values"),
        (lambda: wasserstein(HALVES, HALVES, HALVES, positions=HALVES), "both at and positions"),
        (lambda: mutual_information(HALVES), r"mutual_information got joint of shape \(2,\); give a table"),
        (lambda: mutual_information(-JOINT_2), "mutual_information got joint with the negative value"),
        (lambda: mutual_information(2 * JOINT_2), "mutual_information got joint with the sum 2,"),
        (lambda: conditional_entropy(2 * JOINT_2, given="rows"), "conditional_entropy got joint with the sum 2,"),
        (lambda: conditional_entropy(JOINT_2, given="a"), "conditional_entropy got given='a'; give \"rows\""),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Entropies and divergences of distributions given by finitely many numbers: probabilities, or densities on a grid.

Both are one case: a density with values p_k at the grid points x_k has the masses w_k p_k, with the weights w_k of the
trapezoidal rule; probabilities are masses as they are, w_k = 1. All functions take the arguments described at `kl`.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

TOLERANCE = 1e-3  # of a sum of masses about 1: a table typed in three decimals passes, a forgotten outcome does not


class _Measure(NamedTuple):
    mass: Tensor  # (..., K), sums to one
    log: Tensor  # logarithm of the probability or density, (..., K), −inf for 0


def entropy(p: Tensor, at: Tensor | None = None, *, log: bool = False) -> Tensor:
    """H(p) = −Σ_k p_k log p_k, or the differential entropy −∫ p(x) log p(x) dx of a density on a grid.

    Arguments and errors as for `kl`.
    Returns nats, (...), float64: in [0, log K] for probabilities; of any sign for densities.
    Source: Cover & Thomas 2006, sections 2.1 and 8.1.
    """
    p_ = _measure("entropy", "p", p, at, log)
    return -_mean(p_.mass, p_.log)


def cross_entropy(p: Tensor, q: Tensor, at: Tensor | None = None, *, log: bool = False) -> Tensor:
    """H(p, q) = −Σ_k p_k log q_k, or −∫ p(x) log q(x) dx of densities on a grid: H(p) + KL(p ‖ q).

    Arguments and errors as for `kl`.
    Returns nats, (...), float64: at least H(p); +inf where q is 0 and p is not.
    Source: Cover & Thomas 2006, section 5.4 (the mean length of a code that was made for q).
    """
    p_, q_ = _pair("cross_entropy", p, q, at, log)
    return -_mean(p_.mass, q_.log)


def kl(p: Tensor, q: Tensor, at: Tensor | None = None, *, log: bool = False) -> Tensor:
    """KL(p ‖ q) = Σ_k p_k log(p_k / q_k), or ∫ p(x) log(p(x) / q(x)) dx of densities on a grid.

    p, q: (..., K), at least 0; leading dimensions broadcast. Probabilities of K outcomes if at is None, otherwise
    values of densities at the grid points at: (K,) with K at least 2, increasing, not necessarily equidistant.
    Their sum, or integral by the trapezoidal rule, must be 1 within 1e-3; they are then divided by it, so that bounds
    and inequalities hold to rounding on any grid.
    log: True if p and q are given as logarithms, −inf for 0. Without it a normal density is 0 beyond 38 standard
    deviations, where float64 ends: give logarithms where such tails matter.

    Computed in float64 on the arguments' device; differentiable, with the gradient of 0 log 0 taken as 0 and no useful
    gradient where the result is +inf.

    Accuracy on a grid: with the step h the error falls faster than any power of h for smooth densities that vanish at
    both ends (h ≤ ½ of the smallest standard deviation leaves rounding and the tails cut off), as h² at a kink, as h
    at a jump, unless two grid points enclose the jump closely.

    Returns nats, (...), float64: at least 0 up to rounding, 0 if and only if p = q; +inf where q is 0 and p is not.
    Raises ValueError, naming the argument, if it is empty, has the wrong shape, a negative, infinite or NaN value or
    another sum than one, or if the grid does not increase.
    Source: Cover & Thomas 2006, sections 2.3 and 8.5.
    """
    p_, q_ = _pair("kl", p, q, at, log)
    return _mean(p_.mass, p_.log - q_.log)


def js(p: Tensor, q: Tensor, at: Tensor | None = None, *, log: bool = False) -> Tensor:
    """JS(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m) with the mixture m = ½ (p + q): the Jensen–Shannon divergence.

    Arguments and errors as for `kl`.
    Returns nats, (...), float64: symmetric, in [0, log 2] up to rounding, log 2 if and only if p and q share no
    outcome; never infinite. Its square root is a metric.
    Source: Lin 1991; Endres & Schindelin 2003.
    """
    p_, q_ = (measure.mass for measure in _pair("js", p, q, at, log))
    log_m = (0.5 * (p_ + q_)).clamp(min=torch.finfo(p_.dtype).tiny).log()  # ½ of the smallest number would be 0
    return 0.5 * (_mean(p_, _log(p_) - log_m) + _mean(q_, _log(q_) - log_m))


def total_variation(p: Tensor, q: Tensor, at: Tensor | None = None, *, log: bool = False) -> Tensor:
    """TV(p, q) = ½ Σ_k |p_k − q_k|, or ½ ∫ |p(x) − q(x)| dx: their largest difference on an event.

    Arguments and errors as for `kl`.
    Returns a number in [0, 1], (...), float64. TV² ≤ KL/2 (Pinsker's inequality).
    Source: Cover & Thomas 2006, section 11.6, where twice this number is the L₁ distance.
    """
    p_, q_ = _pair("total_variation", p, q, at, log)
    return 0.5 * (p_.mass - q_.mass).abs().sum(-1)


def wasserstein(
    p: Tensor, q: Tensor, at: Tensor | None = None, *, positions: Tensor | None = None, log: bool = False
) -> Tensor:
    """Wasserstein-1 distance on the line, W₁(p, q) = ∫ |F_p(x) − F_q(x)| dx with the distribution functions F.

    p, q, at, log and errors as for `kl`. positions: where outcomes with probabilities p and q lie, (K,), increasing; if
    left out 0, 1, 2 and so on. Exact for probabilities; on a grid the error falls as the step squared.
    Returns a distance in the units of at or positions, (...), float64: at least 0, at most the length of the grid.
    Raises ValueError also if both at and positions are given.
    Source: Villani 2009, definition 6.1 and remark 6.5 (by duality); Vallender 1974 (by distribution functions).
    """
    if at is not None and positions is not None:
        raise ValueError("wasserstein got both at and positions; give at for densities, positions for probabilities.")
    p_, q_ = _pair("wasserstein", p, q, at, log)
    where = at if positions is None else positions
    if where is None:
        where = torch.arange(p_.mass.shape[-1])
    name = "at" if positions is None else "positions"
    steps = _steps("wasserstein", name, where, p_.mass)
    return ((p_.mass - q_.mass).cumsum(-1)[..., :-1].abs() * steps).sum(-1)


def mutual_information(joint: Tensor) -> Tensor:
    """I(A; B) = Σ_ab p(a, b) log [ p(a, b) / (p(a) p(b)) ], the divergence of a joint table from independence.

    joint: probabilities p(a, b), (..., A, B), at least 0, of sum 1 within 1e-3 and then divided by it.
    Returns nats, (...), float64: at least 0 up to rounding, at most min(H(A), H(B)); 0 if and only if independent.
    Raises ValueError as `kl` does.
    Source: Cover & Thomas 2006, section 2.3.
    """
    p_ = _table("mutual_information", joint)
    log_product = _log(p_.mass.sum(-1, keepdim=True)) + _log(p_.mass.sum(-2, keepdim=True))
    return _mean(p_.mass.flatten(-2), (p_.log - log_product).flatten(-2))


def conditional_entropy(joint: Tensor, given: Literal["rows", "columns"]) -> Tensor:
    """H(A | B) = −Σ_ab p(a, b) log p(a | b) for given="columns", and H(B | A) = −Σ_ab p(a, b) log p(b | a) for "rows".

    joint: probabilities p(a, b), (..., A, B), a along the rows (A of them), b along the columns; as for
    `mutual_information`. given: the variable that is known.
    Returns nats, (...), float64, in [0, log A] or [0, log B]: H(A, B) less the entropy of the known one.
    Raises ValueError as `kl` does, and for another given.
    Source: Cover & Thomas 2006, section 2.2.
    """
    if given not in ("rows", "columns"):
        raise ValueError(f'conditional_entropy got given={given!r}; give "rows" for H(B | A), "columns" for H(A | B).')
    p_ = _table("conditional_entropy", joint)
    log_known = _log(p_.mass.sum(-1 if given == "rows" else -2, keepdim=True))
    return -_mean(p_.mass.flatten(-2), (p_.log - log_known).flatten(-2))


def _mean(mass: Tensor, values: Tensor) -> Tensor:
    """Σ_k mass_k values_k, where mass 0 counts as 0 whatever the value is, in the gradient too."""
    return (mass * torch.where(mass > 0, values, 0.0)).sum(-1)


def _log(p: Tensor) -> Tensor:
    """log p with −inf for 0, and there the gradient 0."""
    return torch.where(p > 0, torch.where(p > 0, p, 1.0).log(), -torch.inf)


def _pair(function: str, p: Tensor, q: Tensor, at: Tensor | None, log: bool) -> tuple[_Measure, _Measure]:
    measures = _measure(function, "p", p, at, log), _measure(function, "q", q, at, log)
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(
            f"{function} got p {tuple(p.shape)} and q {tuple(q.shape)}; give the same number of values in the last "
            "dimension of both."
        )
    try:
        torch.broadcast_shapes(p.shape, q.shape)
    except RuntimeError as error:
        raise ValueError(
            f"{function} got p {tuple(p.shape)} and q {tuple(q.shape)}; their leading dimensions must broadcast."
        ) from error
    return measures


def _table(function: str, joint: Tensor) -> _Measure:
    if joint.ndim < 2:
        raise ValueError(f"{function} got joint of shape {tuple(joint.shape)}; give a table (..., A, B).")
    measure = _measure(function, "joint", joint.flatten(-2), None, False)
    return _Measure(*(values.unflatten(-1, joint.shape[-2:]) for values in measure))


def _measure(function: str, name: str, values: Tensor, at: Tensor | None, log: bool) -> _Measure:
    """Checks the values of one distribution and makes them sum to one."""
    if values.ndim == 0 or values.numel() == 0:
        raise ValueError(
            f"{function} got {name} of shape {tuple(values.shape)}; give (..., K) with at least one value."
        )
    values = values.double()
    allowed = (values < torch.inf) if log else values.isfinite()
    if not allowed.all():
        raise ValueError(f"{function} got {name} with NaN or infinite values; look for the step that made them.")
    if not log and (values < 0).any():
        raise ValueError(
            f"{function} got {name} with the negative value {values.min():.4g}; give values of at least 0, "
            "or log=True if these are logarithms."
        )
    mass = values.exp() if log else values
    if at is not None:
        steps = _steps(function, "at", at, mass)
        mass = mass * 0.5 * (torch.nn.functional.pad(steps, (1, 0)) + torch.nn.functional.pad(steps, (0, 1)))
    total = mass.sum(-1, keepdim=True)
    worst = total.flatten()[(total.flatten() - 1).abs().argmax()].item()
    if not abs(worst - 1) <= TOLERANCE:
        what, remedy = f"sum {worst:.6g}", "divide it by its sum"
        if at is not None:
            what = f"integral {worst:.6g} over [{at[0]:.4g}, {at[-1]:.4g}]"
            remedy = "give a normalised density, and a grid wide and fine enough to hold it"
        raise ValueError(f"{function} got {name} with the {what}, which must be 1; {remedy}.")
    return _Measure(mass / total, (values if log else _log(values)) - total.log())


def _steps(function: str, name: str, grid: Tensor, values: Tensor) -> Tensor:
    """The lengths x_{k+1} − x_k of a grid for values (..., K): (K − 1,)."""
    if grid.ndim != 1 or len(grid) != values.shape[-1]:
        raise ValueError(
            f"{function} got {name} of shape {tuple(grid.shape)} for {values.shape[-1]} values; give one point a value."
        )
    if name == "at" and len(grid) < 2:
        raise ValueError(f"{function} got a grid of one point; give at least two, or at=None for probabilities.")
    steps = grid.to(values).diff()
    if not (steps > 0).all() or not grid.isfinite().all():
        raise ValueError(f"{function} got {name} that does not increase or is not finite; sort it and drop doubles.")
    return steps

"""Closed forms of normal distributions, in nats."""

import math

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def log_normal(x: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Log density of a diagonal normal: log N(x; μ, diag σ²) = −½ Σ_j [ log 2π + log σ_j² + (x_j − μ_j)² / σ_j² ].

    x, mu, log_var: real, (..., L), broadcast against each other; log_var is log σ².
    Returns nats, (...): summed over the last dimension.
    Raises ValueError if the last dimensions differ.
    """
    _same_length(x=x, mu=mu, log_var=log_var)
    return -0.5 * (LOG_2PI + log_var + (x - mu).square() * torch.exp(-log_var)).sum(-1)


def entropy_normal(log_var: Tensor) -> Tensor:
    """Differential entropy of a diagonal normal: H = ½ Σ_j [ 1 + log 2π + log σ_j² ].

    log_var: log σ², real, (..., L).
    Returns nats, (...): summed over the last dimension; negative where the density is concentrated enough, which for
    L = 1 is σ < 1/√(2πe) ≈ 0.242.
    Source: Cover & Thomas 2006, theorem 8.4.1.
    """
    return 0.5 * (1 + LOG_2PI + log_var).sum(-1)


def kl_normal(mu_p: Tensor, log_var_p: Tensor, mu_q: Tensor | None = None, log_var_q: Tensor | None = None) -> Tensor:
    """KL(p ‖ q) of two diagonal normals p = N(μ_p, diag σ_p²) and q = N(μ_q, diag σ_q²).

    KL = ½ Σ_j [ (σ_pj² + (μ_pj − μ_qj)²) / σ_qj² − 1 + log σ_qj² − log σ_pj² ]

    mu_p, log_var_p: (..., L), real; log_var is log σ². mu_q, log_var_q: the same, broadcast; both left out means
    q = N(0, I), the VAE's prior.
    Returns nats, (...), at least 0 up to rounding: summed over the last dimension.
    Raises ValueError if the last dimensions differ, or if only one of mu_q and log_var_q is given.
    Source: Kingma & Welling 2014, Appendix B.
    """
    _same_length(mu_p=mu_p, log_var_p=log_var_p)
    if (mu_q is None) != (log_var_q is None):
        given, missing = ("mu_q", "log_var_q") if log_var_q is None else ("log_var_q", "mu_q")
        raise ValueError(f"kl_normal got {given} without {missing}; give both, or neither for q = N(0, I).")
    if mu_q is None or log_var_q is None:
        return 0.5 * (log_var_p.exp() + mu_p.square() - 1 - log_var_p).sum(-1)
    _same_length(mu_p=mu_p, mu_q=mu_q, log_var_q=log_var_q)
    log_ratio = log_var_p - log_var_q
    return 0.5 * (log_ratio.exp() + (mu_p - mu_q).square() * torch.exp(-log_var_q) - 1 - log_ratio).sum(-1)


def kl_normal_full(mu_p: Tensor, cov_p: Tensor, mu_q: Tensor, cov_q: Tensor) -> Tensor:
    """KL(p ‖ q) of two normals with full covariance, p = N(μ_p, Σ_p) and q = N(μ_q, Σ_q).

    KL = ½ [ tr(Σ_q⁻¹ Σ_p) + (μ_q − μ_p)ᵀ Σ_q⁻¹ (μ_q − μ_p) − L + log det Σ_q − log det Σ_p ]

    mu_p, mu_q: (..., L); cov_p, cov_q: (..., L, L), symmetric and positive definite (the lower triangle is read).
    Leading dimensions broadcast.
    Returns nats, (...).
    Raises ValueError if the shapes do not fit or a covariance is not positive definite.
    """
    length = mu_p.shape[-1]
    _same_length(mu_p=mu_p, mu_q=mu_q)
    for name, cov in (("cov_p", cov_p), ("cov_q", cov_q)):
        if cov.shape[-2:] != (length, length):
            raise ValueError(
                f"kl_normal_full got {name} of shape {tuple(cov.shape)} for means of length {length}; "
                f"give (..., {length}, {length}), a covariance and not its diagonal."
            )
    root_p, root_q = _cholesky("cov_p", cov_p), _cholesky("cov_q", cov_q)  # Σ = R Rᵀ, R lower triangular
    spread = torch.linalg.solve_triangular(root_q, root_p, upper=False)  # tr(Σ_q⁻¹ Σ_p) = ‖R_q⁻¹ R_p‖²
    shift = torch.linalg.solve_triangular(root_q, (mu_q - mu_p).unsqueeze(-1), upper=False)
    log_det = 2 * (_log_diagonal(root_q) - _log_diagonal(root_p))
    return 0.5 * (spread.square().sum((-2, -1)) + shift.square().sum((-2, -1)) - length + log_det)


def _same_length(**tensors: Tensor) -> None:
    if len({tensor.shape[-1] for tensor in tensors.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(f"The last dimensions differ: {shapes}; they must be one and the same number of units.")


def _cholesky(name: str, cov: Tensor) -> Tensor:
    try:
        return torch.linalg.cholesky(cov)
    except torch.linalg.LinAlgError as error:
        raise ValueError(f"{name} is not positive definite; add a small multiple of the identity to it.") from error


def _log_diagonal(root: Tensor) -> Tensor:
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1)

"""How steep a network can be: weights kept in a box, and a bound of the Lipschitz constant."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def clip_weights(module: nn.Module, bound: float) -> None:
    """Put every parameter back into [−bound, bound], in place; called after each update of a critic.

    Raises ValueError if the bound is not above 0.
    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1.
    """
    if not bound > 0:
        raise ValueError(f"bound={bound}: give a number above 0, such as 0.01")
    for parameter in module.parameters():
        parameter.clamp_(-bound, bound)


@torch.no_grad()
def lipschitz_bound(module: nn.Module) -> Tensor:
    """A bound K of a fully connected network: |f(x) − f(y)| ≤ K |x − y| in the Euclidean norm.

    K is the product of the largest singular values of the weights. It holds for activations with slopes in [−1, 1],
    such as ReLU, LeakyReLU and tanh, which is not checked; the least such K can be much smaller.
    module: a network whose parameters are the weights and biases of linear layers in a chain, such as `MLP`.
    Returns (), or (S,) of an ensemble. Raises ValueError if the module has no weight.
    """
    weights = [p for name, p in module.named_parameters() if name.endswith("weight")]
    if not weights:
        raise ValueError("the module has no weight; give a chain of linear layers, such as models.MLP")
    norms = [torch.linalg.matrix_norm(weight, 2) for weight in weights]
    return torch.stack(norms).prod(0)

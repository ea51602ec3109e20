"""Fully connected networks, single or several side by side as one batched model."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers of the given sizes with an activation between them.

    sizes: of the input, of each hidden layer and of the output, such as (2, 128, 128, 1).
    activation: makes the module between two layers, such as nn.ReLU or lambda: nn.LeakyReLU(0.2).
    seed: of the initial weights (torch's default for nn.Linear: uniform in ±1/√inputs). A sequence of S seeds makes an
        ensemble: S networks as one batched matrix product a layer, member i with the weights of the network of seed i.
        The global random generator is left as it was.

    Takes (B, inputs) to (B, outputs); an ensemble takes (S, B, inputs) to (S, B, outputs). An output of size 1 is
    dropped: scores are (B,) or (S, B).
    Raises ValueError for fewer than two sizes, a size below 1, or an empty sequence of seeds.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[], nn.Module] = nn.ReLU,
        seed: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes are {tuple(sizes)}; give at least the sizes of input and output, each at least 1")
        self.members = None if isinstance(seed, int) else len(seed)
        if self.members == 0:
            raise ValueError("there are no seeds; give one whole number, or one a member")
        chains = [_layers(sizes, s) for s in ([seed] if self.members is None else seed)]
        layers: list[nn.Module] = []
        for same in zip(*chains, strict=True):
            layers += [same[0] if self.members is None else Linears(same), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y.squeeze(-1) if y.shape[-1] == 1 else y

    def input_gradient(self, x: Tensor) -> Tensor | None:
        """∇f(x) of a network with one output and straight pieces, f(x) = W_n D_(n−1) W_(n−1) … D_1 W_1 x + c.

        D_i is the diagonal of the activation's slopes at x, 1 or that of a LeakyReLU's left side; off the kinks a small
        change of the weights leaves it as it is. So the gradient is a product of matrices, W_1ᵀ D_1 … D_(n−1) W_nᵀ, and
        can be differentiated by the weights without differentiating twice.

        x: (B, inputs), or (S, B, inputs). Returns the shape of x, or None for several outputs or another activation.
        """
        linears, bends = self.layers[::2], self.layers[1::2]
        if linears[-1].bias.shape[-1] != 1 or not all(isinstance(bend, nn.ReLU | nn.LeakyReLU) for bend in bends):
            return None
        slopes = []
        with torch.no_grad():
            for linear, bend in zip(linears, bends, strict=False):
                before = linear(x)
                x = bend(before)
                left = torch.full_like(before, getattr(bend, "negative_slope", 0.0))
                slopes.append(left.masked_fill_(before > 0, 1.0))
        weights = [linear.weight if self.members is None else linear.weight.mT for linear in linears]
        gradient = weights.pop()
        for slope in reversed(slopes):
            gradient = (gradient * slope) @ weights.pop()
        return gradient.expand_as(x) if not slopes else gradient


@torch.no_grad()
def scatter_bends(network: MLP, extent: float, slope: float, seed: int | Sequence[int] = 0) -> MLP:
    """Lay the bends of a network's first layer all over its inputs; returns the network, changed in place.

    Unit i of the first layer becomes slope · u_i · (x − c_i), so that a ReLU behind it bends along a line through c_i:
    u_i is a direction drawn evenly, c_i a point drawn evenly from the box [−extent, extent]^n. With torch's own weights
    all bends pass close by the origin, and a small network takes long to see anything that is far from it and small.

    extent: half the side of the box that the data fill. slope: how steep a unit is, one over the length to be resolved.
    seed: of the draws; for an ensemble one a member.
    Raises ValueError if extent or slope is not above 0, or if there is not one seed a member.
    """
    if not (extent > 0 and slope > 0):
        raise ValueError(f"scatter_bends got extent={extent} and slope={slope}; give numbers above 0")
    seeds = [seed] if isinstance(seed, int) else list(seed)
    if len(seeds) != (network.members or 1) or isinstance(seed, int) != (network.members is None):
        raise ValueError(
            f"scatter_bends got seed={seed} for {network.members or 'a single'} network; give one a member"
        )
    first = network.layers[0]
    weights = first.weight.mT[None] if network.members is None else first.weight  # (S, inputs, units), to write to
    biases = first.bias[None, None] if network.members is None else first.bias  # (S, 1, units)
    for weight, bias, s in zip(weights, biases, seeds, strict=True):
        generator = torch.Generator().manual_seed(s)
        way = torch.randn(weight.shape, generator=generator)
        way = slope * way / way.norm(dim=0)
        centre = extent * (2 * torch.rand(weight.shape, generator=generator) - 1)
        weight.copy_(way)
        bias.copy_(-(way * centre).sum(0))
    return network


class Linears(nn.Module):
    """S linear layers side by side: y_s = x_s W_sᵀ + b_s, from (S, B, inputs) to (S, B, outputs)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))  # (S, inputs, outputs)
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers]))  # (S, 1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


def _layers(sizes: Sequence[int], seed: int) -> list[nn.Linear]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
        return [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]

"""Networks of GANs that make points, single or several side by side. They know no loss and no training loop."""

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gennotes.models.mlp import Linears


class NormalisedMLP(nn.Module):
    """Codes to points, the generator of PacGAN's experiments in the plane: each hidden layer is max(0, norm(W h)).

    sizes: of the input, of each hidden layer and of the output.
    seed: of the initial weights; the global random generator is left as it was. A sequence of S seeds makes an
        ensemble, member i with the weights of the network of seed i. Its batch norms take each member's own statistics.

    Takes z (B, inputs) to points (B, outputs), any real numbers; an ensemble takes (S, B, inputs) to (S, B, outputs).
    In training mode a point depends on its whole batch; in evaluation mode batch norm goes by its running averages.
    Initial weights are N(0, 0.02²), biases and shifts 0, scales 1.
    Raises ValueError for fewer than two sizes, a size below 1, an empty sequence of seeds, or z of another shape.
    Source: Lin et al. 2018, and the authors' code for what the paper leaves open: batch norm stands before ReLU and its
    layers have no bias of their own, the last layer is linear with a bias, ε is 1e-4, a step takes the running averages
    5 % of the way. Unlike that code, the variance is averaged, with the factor B/(B − 1), not the standard deviation.
    """

    def __init__(self, sizes: Sequence[int] = (2, 400, 400, 400, 400, 2), seed: int | Sequence[int] = 0) -> None:
        super().__init__()

        def hidden(inputs: int, outputs: int) -> list[nn.Module]:
            linear = nn.Linear(inputs, outputs, bias=False)  # batch norm would take a bias off again
            return [linear, nn.BatchNorm1d(outputs, eps=1e-4, momentum=0.05), nn.ReLU()]

        self.members = None if isinstance(seed, int) else len(seed)
        self.layers = _build(sizes, hidden, seed)

    def forward(self, z: Tensor) -> Tensor:
        if z.ndim != (2 if self.members is None else 3):
            wanted = "(B, inputs)" if self.members is None else f"({self.members}, B, inputs), a batch a member"
            raise ValueError(f"NormalisedMLP got z {tuple(z.shape)}; give {wanted}")
        return self.layers(z)


class MaxoutMLP(nn.Module):
    """Points to logits, the discriminator of PacGAN's experiments in the plane: linear layers with maxout between them.

    A hidden unit is the largest of `pieces` linear functions of the layer before, h_u = max_j (w_ju · x + b_ju): convex
    in it, with straight pieces of its own making (Goodfellow et al. 2013).

    sizes: of the input, of each hidden layer and of the output. pieces: of each hidden unit.
    seed: of the initial weights; the global random generator is left as it was. A sequence of S seeds makes an
        ensemble, member i with the weights of the network of seed i.

    Takes (B, inputs) to (B, outputs); an ensemble takes (S, B, inputs) to (S, B, outputs). An output of size 1 is
    dropped: logits are (B,) or (S, B).
    Initial weights are N(0, 0.02²) and biases 0.
    Raises ValueError for fewer than two sizes, a size or a number of pieces below 1, or an empty sequence of seeds.
    Source: Lin et al. 2018, and the authors' code for what the paper leaves open: no batch norm, no dropout, a bias in
    each layer.
    """

    def __init__(
        self, sizes: Sequence[int] = (2, 200, 200, 200, 1), pieces: int = 5, seed: int | Sequence[int] = 0
    ) -> None:
        super().__init__()
        if pieces < 1:
            raise ValueError(f"pieces={pieces}: give the number of linear functions of a unit, at least 1")
        self.layers = _build(sizes, lambda a, b: [nn.Linear(a, b * pieces), Maxout(pieces)], seed)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y.squeeze(-1) if y.shape[-1] == 1 else y


class Packed(nn.Module):
    """A discriminator of packs: each `size` points in a row of a batch are joined into one input, D(x_1, …, x_m).

    All points of a pack are real, or all are made. Where the generator leaves out modes, its packs vary less than those
    of the data, which a pack shows and a single point does not.

    discriminator: takes (P, size·D) to logits (P,), of an ensemble (S, P, size·D) to (S, P).
    size: m, the points of a pack; 1 changes nothing.

    Takes independent points (B, D) to logits (B/size,), of an ensemble (S, B, D) to (S, B/size).
    A loss that differentiates by the input, such as a gradient penalty, takes the discriminator itself and joined
    points: `gradient_penalty(packed.discriminator, packed.join(real), packed.join(fake), …)`.
    Raises ValueError if size is below 1, or B no multiple of it.
    Source: Lin et al. 2018. A step of theirs takes 100 packs; the m points of a made pack come from m batches of the
    generator, each with its own batch norm, where a generator's one batch of B points has one for all.
    """

    def __init__(self, discriminator: nn.Module, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"size={size}: give the number of points in a pack, at least 1")
        self.discriminator, self.size = discriminator, size

    def join(self, x: Tensor) -> Tensor:
        """Packs (..., B/size, size·D) of points (..., B, D)."""
        if x.ndim not in (2, 3) or x.shape[-2] % self.size:
            raise ValueError(
                f"Packed got points {tuple(x.shape)} to join by {self.size}; give (B, D), or (S, B, D) of an ensemble, "
                f"with B a multiple of {self.size}"
            )
        return x.unflatten(-2, (-1, self.size)).flatten(-2)  # (..., B/size, size, D), then the last two axes as one

    def forward(self, x: Tensor) -> Tensor:
        return self.discriminator(self.join(x))


class MinibatchStd(nn.Module):
    """Appends one feature, the same for all items of a batch: how much the batch varies.

    s = 1/F Σ_f √( 1/B Σ_b (x_bf − x̄_f)² + 1e-8 ), the standard deviation over the batch, averaged over the features.

    Takes (B, F) to (B, F + 1), of an ensemble (S, B, F) to (S, B, F + 1), each member by its own batch: a first or a
    later layer of a discriminator, as in nn.Sequential(MinibatchStd(), MLP((F + 1, 128, 1))).
    Real and made points go in as batches of their own. A layer that mixes a batch's items does not go together with a
    gradient penalty.
    Raises ValueError for x of another shape.
    Source: Karras et al. 2018, section 3; 1e-8, which keeps the gradient finite where all items are equal, is from the
    authors' code. That code takes the deviation over groups of 4 items, the paper and this layer over the batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (2, 3):
            raise ValueError(
                f"MinibatchStd got x {tuple(x.shape)}; flatten each item to give (B, F), or (S, B, F) of an ensemble"
            )
        deviation = (x.var(-2, correction=0, keepdim=True) + 1e-8).sqrt()  # (..., 1, F)
        return torch.cat([x, deviation.mean(-1, keepdim=True).expand(*x.shape[:-1], 1)], -1)


class Maxout(nn.Module):
    """The largest of `pieces` numbers, (..., pieces·U) to (..., U): number j of unit u stands at j·U + u."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.pieces, -1)).amax(-2)


class BatchNorms(nn.Module):
    """S batch norms side by side, (S, B, F) to (S, B, F): each member by its own mean and variance over B."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))  # (S, F), as all below
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))
        self.register_buffer("running_mean", torch.stack([layer.running_mean for layer in layers]))
        self.register_buffer("running_var", torch.stack([layer.running_var for layer in layers]))
        self.eps, self.momentum = layers[0].eps, layers[0].momentum

    def forward(self, x: Tensor) -> Tensor:
        units = x.transpose(0, 1).flatten(1)  # (B, S·F): one batch norm with a channel for each unit of each member
        mean, variance = self.running_mean.view(-1), self.running_var.view(-1)  # moved in place
        weight, bias = self.weight.view(-1), self.bias.view(-1)
        y = F.batch_norm(units, mean, variance, weight, bias, self.training, self.momentum, self.eps)
        return y.unflatten(1, self.weight.shape).transpose(0, 1)


class Products(nn.Module):
    """S linear layers without a bias side by side: y_s = x_s W_sᵀ, from (S, B, inputs) to (S, B, outputs)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))  # (S, inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.bmm(x, self.weight)


def _build(
    sizes: Sequence[int], hidden: Callable[[int, int], list[nn.Module]], seed: int | Sequence[int]
) -> nn.Sequential:
    """Hidden layers and a linear one behind them, with their initial weights; of several seeds side by side."""
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes are {tuple(sizes)}; give at least the sizes of input and output, each at least 1")
    seeds = [seed] if isinstance(seed, int) else seed
    if not len(seeds):
        raise ValueError("there are no seeds; give one whole number, or one a member")
    networks = []
    for s in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(s)  # the CPU's alone; fork_rng puts it back
            layers = [layer for a, b in itertools.pairwise(sizes[:-1]) for layer in hidden(a, b)]
            layers.append(nn.Linear(sizes[-2], sizes[-1]))
            networks.append(nn.Sequential(*layers).apply(_initialise))
    return networks[0] if isinstance(seed, int) else nn.Sequential(*map(_side_by_side, zip(*networks, strict=True)))


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _side_by_side(layers: Sequence[nn.Module]) -> nn.Module:
    """One layer for the same layer of every member."""
    first = layers[0]
    if isinstance(first, nn.Linear):
        return Products(layers) if first.bias is None else Linears(layers)
    return BatchNorms(layers) if isinstance(first, nn.BatchNorm1d) else first

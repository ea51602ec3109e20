"""The DCGAN's networks: the layers and initial weights of the paper, images in [-1, 1], one logit an image."""

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from gennotes import explorers, losses, train
from gennotes.models import (
    CategoryPixels,
    DCGANDiscriminator,
    DCGANGenerator,
    DenseEndsDiscriminator,
    DenseEndsGenerator,
    MinibatchStd,
    Pixels,
    ResizeConv2d,
)

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = [DCGANGenerator, DCGANDiscriminator]
RESIZING = functools.partial(DCGANGenerator, resize=True)
ALL = [*KINDS, RESIZING]
MAPS = {  # (channels, side) of the generator's maps at width 4, up to the image
    8: [(4, 4)],
    14: [(4, 7)],
    28: [(8, 7), (4, 14)],
    32: [(16, 4), (8, 8), (4, 16)],
    64: [(32, 4), (16, 8), (8, 16), (4, 32)],
}


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def inputs(network: nn.Module) -> Tensor:
    """Six codes or images of 28×28."""
    return normal(6, 100) if isinstance(network, DCGANGenerator) else normal(6, 1, 28, 28).tanh()


def maps(network: nn.Module, x: Tensor) -> list[tuple[int, int]]:
    """(channels, side) of what each convolution or reshape makes of x."""
    seen = []
    for layer in network.layers:
        x = layer(x)
        if isinstance(layer, nn.Unflatten | nn.Conv2d | nn.ConvTranspose2d):
            assert x.shape[2] == x.shape[3]
            seen.append((x.shape[1], x.shape[2]))
    return seen


@pytest.mark.parametrize("resize", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", MAPS)
def test_the_shapes_of_images_logits_and_the_maps_between(size: int, channels: int, resize: bool) -> None:
    generator = DCGANGenerator(5, size, width=4, channels=channels, resize=resize)
    discriminator = DCGANDiscriminator(size, width=4, channels=channels)
    images = generator(normal(2, 5))
    assert images.shape == (2, channels, size, size)
    assert discriminator(images).shape == (2,)
    assert discriminator(images[:1]).shape == (1,)
    assert generator.latent == 5
    assert maps(generator, normal(2, 5)) == [*MAPS[size], (channels, size)]
    assert maps(discriminator, images) == MAPS[size][::-1]


def test_images_fill_the_range_from_minus_1_to_1() -> None:
    images = DCGANGenerator(width=8, batch_norm=False)(1e6 * normal(6, 100))
    assert images.min() == -1
    assert images.max() == 1


# The layers, beside the same networks written as formulas.


def batch_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
    return scale[:, None, None] * (x - mean) / (variance + 1e-5).sqrt() + shift[:, None, None]


def generator_28(z: Tensor, parameters: list[Tensor]) -> Tensor:
    w1, scale1, shift1, w2, scale2, shift2, w3, bias3 = parameters
    h = batch_norm((z @ w1.T).reshape(len(z), -1, 7, 7), scale1, shift1).clamp(min=0)
    h = batch_norm(F.conv_transpose2d(h, w2, stride=2, padding=1), scale2, shift2).clamp(min=0)
    return F.conv_transpose2d(h, w3, bias3, stride=2, padding=1).tanh()


def discriminator_28(x: Tensor, parameters: list[Tensor]) -> Tensor:
    w1, bias1, w2, scale2, shift2, w3, bias3 = parameters
    h = F.conv2d(x, w1, bias1, stride=2, padding=1)
    h = torch.maximum(h, 0.2 * h)
    h = batch_norm(F.conv2d(h, w2, stride=2, padding=1), scale2, shift2)
    h = torch.maximum(h, 0.2 * h)
    return h.reshape(len(h), -1) @ w3[0] + bias3


def layers_are_the_papers(network: nn.Module) -> bool:
    """Outputs are those of the formulas, with kernels of 4 and random weights, shifts and biases."""
    network, generator = network.double(), torch.Generator().manual_seed(0)
    parameters = [nn.init.normal_(p, 0, 0.5, generator) for p in network.parameters()]
    x = inputs(network).double()
    formula = generator_28 if isinstance(network, DCGANGenerator) else discriminator_28
    kernels = {p.shape[2:] for p in parameters if p.ndim == 4}
    return kernels == {(4, 4)} and torch.allclose(network(x), formula(x, parameters), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_layers_are_those_of_the_paper(kind: type[nn.Module]) -> None:
    assert layers_are_the_papers(kind(width=8))


@pytest.mark.parametrize(
    ("kind", "place", "wrong"),
    [
        (DCGANGenerator, -1, nn.Sigmoid()),
        (DCGANGenerator, 3, nn.LeakyReLU(0.2)),
        (DCGANDiscriminator, 1, nn.LeakyReLU()),
        (DCGANDiscriminator, 4, nn.ReLU()),
        (DCGANDiscriminator, 3, nn.InstanceNorm2d(16, affine=True)),
    ],
)
def test_the_check_of_the_layers_rejects_mistakes(kind: type[nn.Module], place: int, wrong: nn.Module) -> None:
    network = kind(width=8)
    network.layers[place] = wrong
    assert not layers_are_the_papers(network)


@pytest.mark.parametrize("kind", ALL)
def test_without_batch_norm_each_layer_has_a_bias(kind: type[nn.Module]) -> None:
    layers = [layer for layer in kind(width=8, batch_norm=False).modules() if hasattr(layer, "weight")]
    assert len(layers) == 3
    assert all(layer.bias is not None for layer in layers)


@pytest.mark.parametrize("make", [DCGANGenerator, RESIZING])
@pytest.mark.parametrize("norm", [True, False])
def test_each_parameter_gets_a_gradient(norm: bool, make: Callable) -> None:
    networks = nn.ModuleList([make(width=8, batch_norm=norm), DCGANDiscriminator(width=8, batch_norm=norm)])
    generator, discriminator = networks.double()
    discriminator(generator(normal(6, 100).double())).square().sum().backward()
    sizes = [float(p.grad.norm()) for p in networks.parameters()]
    assert min(sizes) > 1e-9 * max(sizes)  # rounding alone would be 1e-16


# The convolution that doubles the side.


def resized(
    turn: tuple[int, ...] = (2, 3),
    swap: bool = True,
    pads: tuple[tuple[int, ...], ...] = ((1, 0), (0, 1), (0, 0, 1, 0), (0, 0, 0, 1)),
) -> Callable[[ResizeConv2d, Tensor], Tensor]:
    """The layer as one transposed convolution; the mistakes below differ from it in one place each."""

    def forward(layer: ResizeConv2d, x: Tensor) -> Tensor:
        kernel = layer.weight.flip(turn) if turn else layer.weight
        kernel = kernel.transpose(0, 1) if swap else kernel.reshape(kernel.shape[1], kernel.shape[0], 3, 3)
        kernel = F.pad(kernel, pads[0]) + F.pad(kernel, pads[1])
        kernel = F.pad(kernel, pads[2]) + F.pad(kernel, pads[3])
        return F.conv_transpose2d(x, kernel, layer.bias, stride=2, padding=1)

    return forward


def check_resize(forward: Callable[[ResizeConv2d, Tensor], Tensor]) -> None:
    """Values and gradients are those of nearest neighbours and a convolution, in float64, also of a single pixel."""
    draw = torch.Generator().manual_seed(0)
    for bias in (True, False):
        for height, width in ((1, 1), (3, 5), (7, 4)):
            layer = ResizeConv2d(2, 3, bias=bias).double()
            assert (layer.bias is not None) == bias
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.normal_(generator=draw)
            x = torch.randn(4, 2, height, width, generator=draw, dtype=torch.float64, requires_grad=True)
            wanted = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), layer.weight, layer.bias, padding=1)
            found = forward(layer, x)
            assert found.shape == (4, 3, 2 * height, 2 * width)
            assert_close(found, wanted, rtol=1e-12, atol=1e-12)
            slope = torch.randn(wanted.shape, generator=draw, dtype=torch.float64)
            ours, theirs = (torch.autograd.grad(y, [x, *layer.parameters()], slope) for y in (found, wanted))
            assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("forward", [ResizeConv2d.__call__, resized()])
def test_doubling_the_side_is_repeating_each_pixel_before_a_convolution(forward: Callable) -> None:
    check_resize(forward)


@pytest.mark.parametrize(
    "wrong",
    [
        resized(turn=()),
        resized(turn=(2,)),
        resized(turn=(3,)),
        resized(swap=False),
        resized(pads=((1, 0), (1, 0), (0, 0, 1, 0), (0, 0, 0, 1))),
        resized(pads=((1, 0), (0, 1), (0, 0, 0, 1), (0, 0, 0, 1))),
        lambda layer, x: F.conv_transpose2d(x, layer.weight.flip(2, 3).transpose(0, 1), layer.bias, 2, 1, 1),
        lambda layer, x: layer(x.detach()) + 0 * x.sum(),
        lambda layer, x: layer(x.contiguous().view(*x.shape[:2], x.shape[3], x.shape[2]).mT),
    ],
    ids=[
        "kernel not turned",
        "columns not turned",
        "rows not turned",
        "channels in reverse",
        "two pads before",
        "two pads after",
        "zeros between the pixels",
        "no gradient to x",
        "height as width",
    ],
)
def test_the_check_of_doubling_rejects_mistakes(wrong: Callable) -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_resize(wrong)


def resizing_28(z: Tensor, parameters: list[Tensor]) -> Tensor:
    w1, scale1, shift1, w2, scale2, shift2, w3, bias3 = parameters
    twice = lambda h: h.repeat_interleave(2, 2).repeat_interleave(2, 3)  # noqa: E731
    h = batch_norm((z @ w1.T).reshape(len(z), -1, 7, 7), scale1, shift1).clamp(min=0)
    h = batch_norm(F.conv2d(twice(h), w2, padding=1), scale2, shift2).clamp(min=0)
    return F.conv2d(twice(h), w3, bias3, padding=1).tanh()


def test_a_resizing_generator_has_no_transposed_convolution_and_the_layers_of_its_formula() -> None:
    network = RESIZING(width=8).double()
    kinds = [type(layer) for layer in network.layers]
    assert kinds.count(ResizeConv2d) == 2
    assert nn.ConvTranspose2d not in kinds
    generator = torch.Generator().manual_seed(0)
    parameters = [nn.init.normal_(p, 0, 0.5, generator) for p in network.parameters()]
    z = normal(6, 100).double()
    assert_close(network(z), resizing_28(z, parameters), rtol=1e-9, atol=1e-12)
    for wrong in (1, 3, 4):  # a scale, a kernel, another scale
        swapped = [p.flip(0) if i == wrong else p for i, p in enumerate(parameters)]
        assert not torch.allclose(network(z), resizing_28(z, swapped), rtol=1e-3)
    plain = [type(layer) for layer in DCGANGenerator(width=8).layers]
    assert [nn.ConvTranspose2d if kind is ResizeConv2d else kind for kind in kinds] == plain


# The initial weights.


def weights_are_the_papers(network: nn.Module) -> bool:
    """Moments 1, 2 and 4 of each layer's weights within 5 standard errors of the normal's; biases and shifts 0."""
    for layer in network.modules():
        if not hasattr(layer, "weight"):
            continue
        mean = 1 if isinstance(layer, nn.BatchNorm2d) else 0
        unit = (layer.weight.detach().double() - mean) / 0.02
        for power, moment, variance in [(1, 0, 1), (2, 1, 2), (4, 3, 96)]:
            if abs(float((unit**power).mean()) - moment) > 5 * (variance / unit.numel()) ** 0.5:
                return False
        if layer.bias is not None and bool(layer.bias.any()):
            return False
    return True


def torchs_defaults(layer: nn.Module) -> None:
    if hasattr(layer, "reset_parameters"):
        layer.reset_parameters()


def variance_for_deviation(layer: nn.Module) -> None:
    if hasattr(layer, "weight") and not isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 0, 0.02**0.5)


def uniform_of_that_deviation(layer: nn.Module) -> None:
    if hasattr(layer, "weight") and not isinstance(layer, nn.BatchNorm2d):
        nn.init.uniform_(layer.weight, -0.02 * 3**0.5, 0.02 * 3**0.5)


def constant_scales(layer: nn.Module) -> None:
    if isinstance(layer, nn.BatchNorm2d):
        nn.init.ones_(layer.weight)


def scales_around_0(layer: nn.Module) -> None:
    if isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 0, 0.02)


def biases_of_torch(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
        nn.init.uniform_(layer.bias, -0.03, 0.03)


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("kind", ALL)
def test_the_initial_weights_are_those_of_the_paper(kind: type[nn.Module], norm: bool) -> None:
    assert weights_are_the_papers(kind(batch_norm=norm))


@pytest.mark.parametrize(
    "wrong",
    [
        torchs_defaults,
        variance_for_deviation,
        uniform_of_that_deviation,
        constant_scales,
        scales_around_0,
        biases_of_torch,
    ],
)
@pytest.mark.parametrize("kind", ALL)
def test_the_check_of_the_initial_weights_rejects_mistakes(kind: type[nn.Module], wrong: Callable) -> None:
    assert not weights_are_the_papers(kind().apply(wrong))


@pytest.mark.parametrize("kind", ALL)
def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone(kind: type[nn.Module]) -> None:
    def weights(seed: int) -> Tensor:
        return nn.utils.parameters_to_vector(kind(width=8, seed=seed).parameters())

    before = torch.get_rng_state()
    first = weights(1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.randn(10)
    assert torch.equal(first, weights(1))
    assert not torch.equal(first, weights(2))


# Batch norm, and the arguments.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("norm", "training", "alone"), [(True, True, False), (True, False, True), (False, True, True)])
def test_an_image_depends_on_its_batch_only_by_batch_norm_in_training(
    kind: type[nn.Module], norm: bool, training: bool, alone: bool
) -> None:
    network = kind(width=8, batch_norm=norm).double()
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) == norm
    x = inputs(network).double()
    network(x)  # moves the stored averages
    network.train(training)
    assert torch.allclose(network(x[1:2]), network(x)[1:2], rtol=1e-9, atol=0) == alone


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [-28, 0, 4, 7, 20, 27, 30, 48])
def test_a_size_that_is_not_4_or_7_doubled_is_refused(kind: type[nn.Module], size: int) -> None:
    said = f"image_size={size} is not 4 or 7 doubled at least once; pad or resize the images to 28, 32 or 64 pixels"
    with pytest.raises(ValueError, match=said):
        kind(image_size=size)


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        (DCGANGenerator, {"latent": 0}, "latent=0: give latent ≥ 1"),
        (DCGANGenerator, {"width": 0}, "width=0, channels=1: give each at least 1"),
        (DCGANGenerator, {"channels": 0}, "width=64, channels=0: give each at least 1"),
        (DCGANDiscriminator, {"width": 0}, "width=0, channels=1: give each at least 1"),
        (DCGANDiscriminator, {"channels": 0}, "width=64, channels=0: give each at least 1"),
    ],
)
def test_arguments_out_of_range_are_refused(kind: type[nn.Module], wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(**wrong)


# The guidelines, broken one at a time.


def kinds(network: nn.Module) -> list[type]:
    return [type(layer) for layer in network.layers]


def test_a_guideline_that_is_broken_changes_the_layers_it_names_and_no_other() -> None:
    paper, leaky = DCGANGenerator(width=4), DCGANGenerator(width=4, slope=0.2)
    assert [nn.ReLU if kind is nn.LeakyReLU else kind for kind in kinds(leaky)] == kinds(paper)
    assert kinds(leaky).count(nn.LeakyReLU) == 2
    assert nn.LeakyReLU not in kinds(paper)
    paper, bent = DCGANDiscriminator(width=4), DCGANDiscriminator(width=4, slope=0.0)
    assert [nn.LeakyReLU if kind is nn.ReLU else kind for kind in kinds(bent)] == kinds(paper)
    assert kinds(bent).count(nn.ReLU) == 2
    pooled = DCGANDiscriminator(width=4, pooling=True)
    assert [kind for kind in kinds(pooled) if kind is not nn.MaxPool2d] == kinds(paper)
    assert {layer.stride for layer in pooled.layers if isinstance(layer, nn.Conv2d)} == {(1, 1)}
    assert {layer.stride for layer in paper.layers if isinstance(layer, nn.Conv2d)} == {(2, 2)}


@pytest.mark.parametrize("size", MAPS)
def test_pooling_halves_the_side_as_strides_do(size: int) -> None:
    x, sides = normal(2, 1, size, size).tanh(), []
    pooled = DCGANDiscriminator(size, width=4, pooling=True)
    for layer in pooled.layers:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            sides.append((x.shape[1], x.shape[2]))
    assert sides == MAPS[size][::-1]
    assert x.shape == (2, 1)


def pooling_28(x: Tensor, parameters: list[Tensor]) -> Tensor:
    """The largest of each 2×2, as a maximum over four grids of every second pixel."""
    w1, bias1, w2, scale2, shift2, w3, bias3 = parameters

    def halved(h: Tensor) -> Tensor:
        return torch.stack([h[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]).amax(0)

    h = halved(F.conv2d(x, w1, bias1, padding=1))
    h = torch.maximum(h, 0.2 * h)
    h = batch_norm(halved(F.conv2d(h, w2, padding=1)), scale2, shift2)
    h = torch.maximum(h, 0.2 * h)
    return h.reshape(len(h), -1) @ w3[0] + bias3


def test_a_pooling_discriminator_has_the_layers_of_its_formula() -> None:
    network, draw = DCGANDiscriminator(width=4, pooling=True).double(), torch.Generator().manual_seed(0)
    parameters = [nn.init.normal_(p, 0, 0.5, draw) for p in network.parameters()]
    x = inputs(network).double()
    assert_close(network(x), pooling_28(x, parameters), rtol=1e-9, atol=1e-12)
    for place, wrong in ((1, nn.AvgPool2d(2)), (5, nn.ReLU())):
        kept, network.layers[place] = network.layers[place], wrong
        assert not torch.allclose(network(x), pooling_28(x, parameters), rtol=1e-3)
        network.layers[place] = kept


@pytest.mark.parametrize("kind", [*KINDS, DenseEndsGenerator, DenseEndsDiscriminator])
@pytest.mark.parametrize("slope", [-0.1, 1.0])
def test_a_slope_out_of_range_is_refused(kind: type[nn.Module], slope: float) -> None:
    with pytest.raises(ValueError, match=f"slope={slope}: give 0 for ReLU"):
        kind(slope=slope)


# Spectral norm.


def spectral(kind: type[nn.Module] = DCGANDiscriminator, **given: object) -> nn.Module:
    return kind(width=4, batch_norm=False, spectral_norm=True, **given)


def largest(network: nn.Module) -> list[float]:
    """The largest singular value of each weight that the network uses, as a matrix with a row an output."""
    weights = [layer.weight for layer in network.layers if isinstance(layer, nn.Conv2d | nn.Linear)]
    return [torch.linalg.svdvals(w.detach().double().flatten(1))[0].item() for w in weights]


@pytest.mark.parametrize("kind", [DCGANDiscriminator, DenseEndsDiscriminator])
def test_with_spectral_norm_the_largest_singular_value_of_each_weight_is_1(kind: type[nn.Module]) -> None:
    network = spectral(kind)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(50)  # the norm takes any scale off
        for _ in range(100):
            network(normal(2, 1, 28, 28))
    assert largest(network) == pytest.approx([1] * len(largest(network)), abs=1e-3)
    free = kind(width=4, batch_norm=False)  # what the check rejects: weights as they come, and doubled ones
    assert max(abs(value - 1) for value in largest(free)) > 0.1
    network.eval()  # or a look at the weight would go a step on
    with torch.no_grad():
        network.layers[0].parametrizations.weight[0]._u.mul_(0.9)
    assert largest(network)[0] != pytest.approx(1, abs=1e-3)


def test_an_evaluating_network_leaves_the_estimate_alone() -> None:
    network, x = spectral().eval(), normal(2, 1, 28, 28)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert torch.equal(network(x), network(x))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def trained(steps: int, **given: object) -> tuple[nn.Module, train.Player, train.Run]:
    """A discriminator with spectral norm that learns to tell noise from black, in the loop and with an average."""
    network = spectral()
    x = normal(8, 1, 28, 28).tanh()

    class Noise:
        def at(self, step: int, seed: int) -> object:
            return train.dataclasses.make_dataclass("Batch", ["x"])(x)

    def step(players: dict, batch: object, generator: torch.Generator) -> dict[str, Tensor]:
        loss = losses.discriminator(network(batch.x), network(-torch.ones_like(batch.x)))
        players["d"].minimise(loss)
        return {"loss": loss}

    player = train.Player(network, lr=1e-3, ema=0.5)
    run = train.fit(step, {"d": player}, Noise(), steps=steps, seed=0, progress=False, **given)
    return network, player, run


def test_spectral_norm_trains_in_the_loop_with_an_average_and_is_picked_up_from_its_state() -> None:
    network, player, run = trained(6)
    assert run.history.records["loss"][-1] < run.history.records["loss"][0]
    again, other, _ = trained(6, resume=trained(3)[2])
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    for name, tensor in player.averaged.state_dict().items():
        assert torch.equal(tensor, other.averaged.state_dict()[name]), name
    assert not player.averaged.training
    weights = network.layers[0].parametrizations.weight
    means = player.averaged.layers[0].parametrizations.weight
    assert torch.equal(weights[0]._u, means[0]._u)  # a buffer is copied, a weight averaged
    assert not torch.equal(weights.original, means.original)


# Fully connected ends.


def dense_generator_28(z: Tensor, parameters: list[Tensor]) -> Tensor:
    w0, scale0, shift0, *rest = parameters
    h = (z @ w0.T).unsqueeze(2).unsqueeze(3)
    return generator_28(batch_norm(h, scale0, shift0).clamp(min=0).flatten(1), rest)


def dense_discriminator_28(x: Tensor, parameters: list[Tensor], power: float = 0.5, told: float = 1.0) -> Tensor:
    w1, bias1, w2, scale2, shift2, w3, scale3, shift3, w4, bias4 = parameters
    units = discriminator_28(x, [w1, bias1, w2, scale2, shift2, torch.eye(w3.shape[1]).to(w3)[:1], bias4[:0].sum()])
    assert units.shape == (len(x),)  # the formula above, of which only the first unit is kept
    h = F.conv2d(x, w1, bias1, stride=2, padding=1)
    h = torch.maximum(h, 0.2 * h)
    h = batch_norm(F.conv2d(h, w2, stride=2, padding=1), scale2, shift2)
    h = torch.maximum(h, 0.2 * h).flatten(1) @ w3.T
    h = batch_norm(h.unsqueeze(2).unsqueeze(3), scale3, shift3).flatten(1)
    h = torch.maximum(h, 0.2 * h)
    deviation = (((h - h.mean(0)) ** 2).mean(0) + 1e-8).pow(power).mean()
    return torch.cat([h, told * deviation.expand(len(h), 1)], 1) @ w4[0] + bias4


def randomised(network: nn.Module) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [nn.init.normal_(p, 0, 0.5, draw) for p in network.double().parameters()]


def test_dense_ends_have_the_layers_of_their_formulas() -> None:
    generator, discriminator = DenseEndsGenerator(100, (12,), width=8), DenseEndsDiscriminator((12,), width=8)
    z, x = normal(6, 100).double(), normal(6, 1, 28, 28).tanh().double()
    parameters = randomised(generator)
    assert_close(generator(z), dense_generator_28(z, parameters), rtol=1e-9, atol=1e-12)
    for wrong in (1, 4):  # the scales of two batch norms, in reverse
        swapped = [p.flip(0) if i == wrong else p for i, p in enumerate(parameters)]
        assert not torch.allclose(generator(z), dense_generator_28(z, swapped), rtol=1e-3)
    parameters = randomised(discriminator)
    assert_close(discriminator(x), dense_discriminator_28(x, parameters), rtol=1e-9, atol=1e-12)
    for wrong in ({"power": 1.0}, {"told": 0.0}):  # a variance for the deviation, and none at all
        assert not torch.allclose(discriminator(x), dense_discriminator_28(x, parameters, **wrong), rtol=1e-3)


def test_without_hidden_layers_dense_ends_are_the_dcgan() -> None:
    pairs = [
        (DenseEndsGenerator(7, (), 32, width=4, seed=3), DCGANGenerator(7, 32, width=4, seed=3), normal(4, 7)),
        (
            DenseEndsDiscriminator((), False, 32, width=4, seed=3),
            DCGANDiscriminator(32, width=4, seed=3),
            normal(4, 1, 32, 32),
        ),
    ]
    for dense, plain, x in pairs:
        assert kinds(dense) == kinds(plain)
        assert torch.equal(dense(x), plain(x))
    assert MinibatchStd in kinds(DenseEndsDiscriminator(()))


def test_a_code_chooses_a_category_by_the_largest_of_its_first_numbers() -> None:
    generator = DenseEndsGenerator(7, (5,), width=2, categories=3).eval()
    z = normal(3_000, 7)
    chosen = generator.chosen(z)
    assert chosen[:50].tolist() == [max(range(3), key=row[:3].__getitem__) for row in z[:50].tolist()]
    assert chosen.bincount().double() == pytest.approx([1_000] * 3, abs=5 * (3_000 * 2 / 9) ** 0.5)
    told = torch.zeros(50, 7)
    told[range(50), chosen[:50]] = 2.0  # √(7 − 3)
    told[:, 3:] = z[:50, 3:]
    assert_close(generator(z[:50]), generator.layers(told))
    assert torch.equal(generator(z[:50]), generator.of_categories(z[:50, 3:], torch.eye(3)[chosen[:50]]))
    other = z[:50].clone()
    other[:, :3] = 3 * z[:50, :3] + 1  # the largest stays the largest
    assert torch.equal(generator(other), generator(z[:50]))
    turned = z[:50].roll(1, 1)
    assert not torch.allclose(generator(turned), generator(z[:50]))
    given = z[:50, 3:], torch.eye(3)[chosen[:50]]
    assert_close(CategoryPixels(generator)(*given), (generator(z[:50]) + 1) / 2)
    packed = explorers.pack(CategoryPixels(generator), (given[0][:1], given[1][:1]))
    assert packed.content["outputs"][0]["shape"] == [1, 1, 28, 28]


@pytest.mark.parametrize("size", MAPS)
def test_dense_ends_take_any_size_that_the_dcgan_takes(size: int) -> None:
    images = DenseEndsGenerator(5, (6, 7), size, width=4, channels=3)(normal(2, 5))
    assert images.shape == (2, 3, size, size)
    assert DenseEndsDiscriminator((6, 7), image_size=size, width=4, channels=3)(images).shape == (2,)


@pytest.mark.parametrize("kind", [DenseEndsGenerator, DenseEndsDiscriminator])
def test_the_initial_weights_of_dense_ends_are_those_of_the_paper(kind: type[nn.Module]) -> None:
    network = kind()
    norms = [layer for layer in network.layers if isinstance(layer, nn.BatchNorm1d)]
    assert len(norms) == 1
    unit = (norms[0].weight.detach() - 1) / 0.02
    assert abs(unit.mean()) < 5 / len(unit) ** 0.5
    assert unit.std().item() == pytest.approx(1, abs=5 / (2 * len(unit)) ** 0.5)
    network.layers = nn.Sequential(*(layer for layer in network.layers if layer is not norms[0]))
    assert weights_are_the_papers(network)
    assert not weights_are_the_papers(network.apply(variance_for_deviation))


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        (DenseEndsGenerator, {"latent": 0}, r"0 units to hidden=\(512,\): give each layer at least 1 unit"),
        (DenseEndsGenerator, {"hidden": (3, 0)}, r"64 units to hidden=\(3, 0\)"),
        (DenseEndsGenerator, {"latent": 4, "categories": 4}, "categories=4 of latent=4: give from 0 to 3"),
        (DenseEndsGenerator, {"categories": -1}, "categories=-1 of latent=64: give from 0 to 63"),
        (DenseEndsDiscriminator, {"hidden": (0,)}, r"3136 units to hidden=\(0,\)"),
        (DenseEndsGenerator, {"image_size": 30}, "image_size=30 is not 4 or 7 doubled"),
        (DenseEndsDiscriminator, {"width": 0}, "width=0, channels=1: give each at least 1"),
    ],
)
def test_dense_ends_refuse_arguments_out_of_range(kind: type[nn.Module], wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(**wrong)


def test_pixels_go_from_minus_1_to_0_and_from_1_to_1_and_into_the_page() -> None:
    assert_close(Pixels()(torch.tensor([-1.0, 0.0, 0.5, 1.0])), torch.tensor([0.0, 0.5, 0.75, 1.0]))
    shown = nn.Sequential(DenseEndsGenerator(3, (4,), width=2), Pixels())
    packed = explorers.pack(shown, torch.zeros(1, 3))
    assert packed.content["outputs"][0]["shape"] == [1, 1, 28, 28]
    assert shown.eval()(normal(5, 3)).min() >= 0

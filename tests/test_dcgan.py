"""The DCGAN's networks: the layers and initial weights of the paper, images in [-1, 1], one logit an image."""

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from gennotes.models import DCGANDiscriminator, DCGANGenerator, ResizeConv2d

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

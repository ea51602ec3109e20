"""The networks of pix2pix, its loss and its study: layers, patches, noise, and what the scores say."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennotes import data, losses, models
from gennotes.models import PatchGAN, UNet, receptive_field
from gennotes.studies import pix2pix

pytestmark = pytest.mark.usefixtures("one_thread")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------------------------------------------- the U-Net


@pytest.mark.parametrize(("size", "depth"), [(8, 3), (32, 5), (64, 6)])
@pytest.mark.parametrize("skips", [True, False])
def test_the_maps_halve_down_to_one_pixel_and_double_again(size, depth, skips):
    net, seen = UNet(size, width=2, inputs=3, outputs=1, skips=skips), []
    for layer in [*net.down, *net.up]:
        layer.register_forward_hook(lambda module, given, made: seen.append((given[0].shape[1], *made.shape[1:])))
    assert net(normal(2, 3, size, size)).shape == (2, 1, size, size)
    wide = [2 * min(2**k, 8) for k in range(depth)]
    assert [s[1:] for s in seen[:depth]] == [(w, size // 2**k, size // 2**k) for k, w in enumerate(wide, 1)]
    assert [s[2] for s in seen[depth:]] == [size // 2**k for k in reversed(range(depth))]
    joined = [w * (1 + skips) for w in reversed(wide[:-1])]
    assert [s[0] for s in seen[depth:]] == [wide[-1], *joined]


def test_the_paper_s_network_has_the_channels_of_the_paper():
    with torch.device("meta"):  # shapes alone: the whole has 54 million weights
        net = UNet(256, width=64, inputs=3, outputs=3, dropout=3)
    down = [layer[-2 if len(layer) > 2 else -1].out_channels for layer in net.down]
    up = [layer[1].in_channels for layer in net.up]
    assert down == [64, 128, 256, 512, 512, 512, 512, 512]  # section 6.1.1
    assert up == [512, 1024, 1024, 1024, 1024, 512, 256, 128]  # CD512 … with the channels that the skips add
    assert net.dropout == 3


def test_a_pixel_reaches_its_place_without_the_bottleneck_by_skips_alone():
    """The bottleneck is cut: only with skips does the output still depend on the input."""
    x, other = normal(1, 1, 16, 16).tanh(), normal(1, 1, 16, 16, seed=1).tanh()
    for skips in (True, False):
        net = UNet(16, width=2, skips=skips).eval()
        net.down[-1].register_forward_hook(lambda module, given, made: torch.zeros_like(made))
        assert torch.allclose(net(x), net(other)) is not skips


def test_noise_drops_halves_the_others_are_doubled_and_without_it_nothing_is_drawn():
    net, seen = UNet(16, width=4, dropout=2), []
    x = normal(3, 1, 16, 16)
    for layer in list(net.up)[1:3]:  # they are given what has passed the dropout, joined with a skip
        layer.register_forward_hook(lambda module, given, made: seen.append(given[0][:, : given[0].shape[1] // 2]))
    state = torch.get_rng_state()
    plain, again = net(x), net(x)
    assert torch.equal(plain, again)
    noisy = net(x, torch.Generator().manual_seed(0))
    assert torch.equal(noisy, net(x, torch.Generator().manual_seed(0)))
    assert not torch.equal(noisy, net(x, torch.Generator().manual_seed(1)))
    assert torch.equal(state, torch.get_rng_state())
    first_plain, first_noisy = seen[0], seen[4]
    kept = first_noisy != 0
    assert 0.35 < kept.float().mean() < 0.65
    assert torch.allclose(first_noisy[kept], 2 * first_plain[kept])


def test_batch_norm_mixes_a_batch_in_training_mode_only():
    net = UNet(16, width=2)
    x = normal(4, 1, 16, 16)
    assert not torch.allclose(net(x)[:1], net(x[:1]), atol=1e-4)
    net.eval()
    assert torch.allclose(net(x)[:1], net(x[:1]), atol=1e-6)
    free = UNet(16, width=2, batch_norm=False)
    assert torch.allclose(free(x)[:1], free(x[:1]), atol=1e-6)


def test_the_seed_is_all_that_the_weights_depend_on():
    state = torch.get_rng_state()
    a, b, c = UNet(8, 2, seed=3), UNet(8, 2, seed=3), UNet(8, 2, seed=4)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.down[0][0].weight, c.down[0][0].weight)
    assert abs(UNet(32, 16).up[0][1].weight.std().item() / 0.02 - 1) < 0.02


# --------------------------------------------------------------------------------------------------------- the patches


def reach(net: nn.Module, size: int, place: tuple[int, int]) -> int:
    """The side of the square of the input on which one logit's gradient is not zero: an oracle without arithmetic."""
    x = normal(1, 1, size, size).requires_grad_()
    logits = net.eval()(x)
    (slope,) = torch.autograd.grad(logits[0, place[0], place[1]], x)
    rows, columns = slope[0, 0].abs().sum(1).nonzero(), slope[0, 0].abs().sum(0).nonzero()
    sides = {int(axis.max() - axis.min()) + 1 for axis in (rows, columns)}
    assert len(sides) == 1
    return sides.pop()


@pytest.mark.parametrize(
    ("widths", "kernel", "wanted"),
    [((2, 2), 1, 1), ((2, 2), 4, 16), ((2, 2, 2), 4, 34), ((2, 2, 2, 2), 4, 70), ((2,) * 6, 4, 286)],
)
def test_the_patches_of_the_paper(widths, kernel, wanted):
    net = PatchGAN(1, widths, kernel)
    assert receptive_field(net) == wanted
    if wanted < 100:
        size = 2 * wanted + 30
        middle = net(torch.zeros(1, 1, size, size)).shape[1] // 2
        assert reach(net, size, (middle, middle)) == wanted


def test_the_paper_s_discriminator_has_patches_of_70_pixels():
    assert receptive_field(PatchGAN(6, (64, 128, 256, 512))) == 70


def _planted_without_stride(layers: nn.Module) -> int:
    return 1 + sum(m.kernel_size[0] - 1 for m in layers.modules() if isinstance(m, nn.Conv2d))


def _planted_stride_first(layers: nn.Module) -> int:
    reach, apart = 1, 1
    for m in layers.modules():
        if isinstance(m, nn.Conv2d):
            apart *= m.stride[0]
            reach += (m.kernel_size[0] - 1) * m.dilation[0] * apart
    return reach


def _planted_without_dilation(layers: nn.Module) -> int:
    reach, apart = 1, 1
    for m in layers.modules():
        if isinstance(m, nn.Conv2d):
            reach += (m.kernel_size[0] - 1) * apart
            apart *= m.stride[0]
    return reach


def test_kernel_stride_and_dilation_of_any_chain_are_met_by_the_gradient_and_wrong_rules_are_not():
    missed = dict.fromkeys((_planted_without_stride, _planted_stride_first, _planted_without_dilation), 0)
    for first, second in itertools.product([(3, 1, 1), (4, 2, 1), (3, 1, 2), (5, 2, 2)], repeat=2):
        chain = nn.Sequential(
            *(nn.Conv2d(1, 1, kernel, stride, dilation=dilation) for kernel, stride, dilation in (first, second)),
            nn.AvgPool2d(2),
            nn.Flatten(0, 1),
        )
        body = chain[:-1]
        wanted = reach(chain, 64, (3, 3))
        assert receptive_field(body) == wanted
        for rule in missed:
            missed[rule] += rule(nn.Sequential(*body[:2])) != receptive_field(body[:2])
    assert min(missed.values()) > 0


def test_a_judge_sees_the_pair_or_the_output_alone_and_maps_it():
    x, y = normal(2, 2, 1, 32, 32)
    both, alone = PatchGAN(2, (4, 4, 4)), PatchGAN(1, (4, 4, 4))
    assert both(x, y).shape == alone(y).shape == (2, 6, 6)
    assert not torch.allclose(both(x, y), both(y, x))
    assert PatchGAN(2, (4, 4), kernel=1)(x, y).shape == (2, 32, 32)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: UNet(28), "image_size=28 is not a power of two"),
        (lambda: UNet(4), "from 8 on"),
        (lambda: UNet(8, width=0), "width=0"),
        (lambda: UNet(8, dropout=3), "from 0 to 2"),
        (lambda: PatchGAN(0), "channels=0"),
        (lambda: PatchGAN(1, ()), "at least one layer"),
        (lambda: PatchGAN(1, (4,), kernel=3), "kernel=3"),
        (lambda: receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Linear(3, 1))), "cannot pass Linear"),
        (lambda: receptive_field(nn.Conv2d(1, 1, (3, 4))), "not square"),
        (lambda: losses.l1(normal(2, 1, 4, 4), normal(2, 4, 4)), "one shape"),
    ],
)
def test_bad_input_is_one_clear_error(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_pixels_are_given_to_a_network_of_signed_images():
    seen = []
    net = models.Signed(nn.Identity())
    net.network.forward = lambda *images: seen.extend(images)
    net(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0]))
    assert [x.tolist() for x in seen] == [[-1, 0, 1], [1]]


# ------------------------------------------------------------------------------------------------- the loss, the study


def test_l1_is_the_mean_absolute_error_of_each_image():
    a, b = normal(3, 1, 4, 4).double(), normal(3, 1, 4, 4, seed=1).double()
    wanted = np.abs(a.numpy() - b.numpy()).reshape(3, -1).mean(1)
    assert np.allclose(losses.l1(a, b).numpy(), wanted)
    for wrong in ((a - b).abs().sum((1, 2, 3)), (a - b).square().flatten(1).mean(1), (a - b).abs().mean().expand(3)):
        assert not np.allclose(wrong.numpy(), wanted)
    assert losses.l1(torch.ones(1, 2), -torch.ones(1, 2)).item() == 2
    assert losses.l1(a.bfloat16(), b.bfloat16()).dtype == torch.float32


@pytest.fixture(scope="module")
def few():
    pairs = data.pairs("halves", device="cpu")
    parts = {name: getattr(pairs, name)[:40] for name in ("train", "validation", "test")}
    return replace(pairs, **parts)


TINY = pix2pix.Recipe(width=2, patches=(2, 4), batch=4, steps=3)


@pytest.mark.parametrize("name", pix2pix.Settings().recipes)
def test_each_recipe_moves_the_players_that_it_has(few, name):
    of = pix2pix.Settings().recipes[name]
    recipe = replace(TINY, adversary=of.adversary, l1=of.l1, skips=of.skips)
    before = [net.state_dict() for net in pix2pix.build(recipe, 32, seed=0)]
    generator, discriminator, run = pix2pix.fit(recipe, few, seed=0)
    moved = [
        any(not torch.equal(value, net.state_dict()[key]) for key, value in old.items())
        for old, net in zip(before, (generator, discriminator), strict=True)
    ]
    assert moved == [True, recipe.adversary != "none"]
    assert ("discriminator" in run.history.records) is (recipe.adversary != "none")
    assert not generator.training
    assert not discriminator.training


def test_hidden_pixels_are_those_of_the_lower_half_where_there_is_ever_ink(few):
    hidden = pix2pix.hidden(few.test)
    assert not hidden[:16].any()
    assert torch.equal(hidden[16:], (few.test.target[:, 0, 16:] > 0).any(0))


def test_scores_judge_what_is_hidden(few):
    class Known(nn.Module):  # the class is told by the number of the image
        def features(self, x):
            return x.flatten(1)[:, :64]

        def head(self, x):
            return nn.functional.one_hot(few.test.y, 10).float() * 50

    target = few.test.pixels(0, 1)[1]
    found = pix2pix.scores(target, few.test, Known())
    assert found == {"l1": 0, "sharpness": 1, "ink": 1, "agreement": 1, "confidence": pytest.approx(1)}
    upper = target.clone()
    upper[:, :, :16] = 1  # what is shown does not count
    assert pix2pix.scores(upper, few.test, Known())["l1"] == 0
    faint = pix2pix.scores(target / 2, few.test, Known())
    assert faint["ink"] == pytest.approx(0.5)
    assert faint["sharpness"] == pytest.approx(0.5)
    blurred = nn.functional.avg_pool2d(target, 3, 1, 1)
    soft = pix2pix.scores(blurred, few.test, Known())
    assert soft["sharpness"] < 0.8
    assert soft["ink"] == pytest.approx(1, abs=0.15)
    wanted = np.abs(blurred.numpy() - target.numpy())[:, 0, pix2pix.hidden(few.test).numpy()].mean()
    assert soft["l1"] == pytest.approx(float(wanted), rel=1e-5)


def test_what_is_unseen_is_validation_and_test(few):
    assert torch.equal(pix2pix.unseen(few).target, torch.cat([few.validation.target, few.test.target]))

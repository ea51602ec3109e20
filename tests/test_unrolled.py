"""The discriminator some steps ahead, against plain steps taken by hand and against differences of the whole."""

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.testing import assert_close

from gennotes import losses
from gennotes.models import MLP, MinibatchStd, Packed

RATE = 0.3


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def judges() -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Discriminators with the shape of their points: alone, of packs, with the deviation, an ensemble."""
    alone = MLP((2, 6, 1), nn.Tanh, seed=1)
    packed = Packed(MLP((4, 6, 1), nn.Tanh, seed=2), 2)
    told = nn.Sequential(MinibatchStd(), MLP((3, 6, 1), nn.Tanh, seed=3))
    several = MLP((2, 6, 1), nn.Tanh, seed=[4, 5])
    return [(d.double(), s) for d, s in ((alone, (8, 2)), (packed, (8, 2)), (told, (8, 2)), (several, (2, 8, 2)))]


def generator_loss(unroll: Callable, d: nn.Module, real: Tensor, fake: Tensor, steps: int) -> Tensor:
    judge = unroll(d, lambda scores: losses.discriminator(scores(real), scores(fake)), steps, RATE)
    return losses.non_saturating(judge(fake))


def check(unroll: Callable) -> None:
    for d, shape in judges():
        real, fake = random(*shape, seed=0) + 1, random(*shape, seed=1)
        before = [p.detach().clone() for p in d.parameters()]
        for steps in (1, 3):
            loss = generator_loss(unroll, d, real, fake.requires_grad_(), steps)

            def ahead(fake: Tensor, d: nn.Module = d, real: Tensor = real, steps: int = steps) -> Tensor:
                """The same by steps on a copy of the weights, as an optimiser takes them: only a number."""
                weights = {n: p.detach().clone() for n, p in d.named_parameters()}
                for _ in range(steps):
                    leaves = {n: w.requires_grad_() for n, w in weights.items()}
                    both = (functional_call(d, leaves, (x,)) for x in (real, fake.detach()))
                    slopes = torch.autograd.grad(losses.discriminator(*both).sum(), list(leaves.values()))
                    weights = {n: (w - RATE * s).detach() for (n, w), s in zip(leaves.items(), slopes, strict=True)}
                return losses.non_saturating(functional_call(d, weights, (fake,))).detach()

            assert_close(loss.detach(), ahead(fake))
            (slope,) = torch.autograd.grad(loss.sum(), fake)
            for place in ((0,) * len(shape), (-1,) * len(shape)):
                nudge = torch.zeros(shape).double()
                nudge[place] = 1e-5
                with torch.no_grad():
                    pair = fake + nudge, fake - nudge
                wanted = (ahead(pair[0]) - ahead(pair[1])).sum() / 2e-5
                assert_close(slope[place], wanted, rtol=1e-6, atol=1e-9)
        assert_close([p.detach() for p in d.parameters()], before, rtol=0, atol=0)


def changed(old: str, new: str) -> Callable:
    """`losses.unrolled` with one passage replaced."""
    source = inspect.getsource(losses.unrolled)
    assert source.count(old) == 1
    names = dict(vars(losses))
    exec(source.replace(old, new), names)
    return names["unrolled"]


def test_it_is_the_discriminator_after_its_steps_and_knows_how_the_samples_move_them() -> None:
    check(losses.unrolled)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("w - lr * slope", "w + lr * slope"),
        ("w - lr * slope", "w - lr * slope.detach()"),  # the samples' share in the steps is lost
        ("range(steps)", "range(steps - 1)"),
        ("return scores", "return discriminator"),
    ],
    ids=["uphill", "detached", "one step less", "not ahead"],
)
def test_the_check_rejects(old: str, new: str) -> None:
    with pytest.raises(AssertionError, match=r"not close|not equal"):
        check(changed(old, new))


@pytest.mark.parametrize(("steps", "lr"), [(0, 0.1), (2, 0.0), (2, float("nan"))])
def test_bad_input_is_one_clear_error(steps: int, lr: float) -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        losses.unrolled(MLP((2, 1)), lambda scores: scores(torch.zeros(1, 2)).sum(), steps, lr)

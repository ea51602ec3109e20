"""Pairs made from image sets: what is given of each image, which pair is whose, and the split."""

import pytest
import torch
from torch import Tensor

from gennotes import data
from gennotes.data import DataError, Images, Pairs
from gennotes.data.pairs import blocks, edges, halves


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def by_hand(name: str, image: Tensor) -> Tensor:
    """What is given of one image (S, S), pixel by pixel, from the description alone."""
    side, found = len(image), torch.zeros_like(image)
    for i in range(side):
        for j in range(side):
            if name == "halves":
                found[i, j] = image[i, j] if 2 * i < side else 0
            elif name == "blocks":
                top, left = i // 4 * 4, j // 4 * 4
                found[i, j] = round(image[top : top + 4, left : left + 4].float().mean().item())
            else:
                near = [int(image[min(i + a, side - 1), min(j + b, side - 1)]) for a in (0, 1) for b in (0, 1)]
                found[i, j] = 255 if max(near) - min(near) > 96 else 0
    return found


@pytest.mark.parametrize(("name", "make"), [("halves", halves), ("blocks", blocks), ("edges", edges)])
def test_what_is_given_is_made_pixel_by_pixel(name, make):
    images = noise(3, 1, 8, 8)
    made = make(images)
    assert made.dtype == torch.uint8
    for image, given in zip(images, made, strict=True):
        assert torch.equal(given[0], by_hand(name, image[0]))


def test_planted_makers_are_seen_to_be_wrong():
    images = noise(3, 1, 8, 8)
    lower = images.clone()
    lower[:, :, :4] = 0
    shifted = blocks(images.roll(1, 3)).roll(-1, 3)
    reversed_edges = edges(images.flip(2)).flip(2)
    for name, wrong in (("halves", lower), ("blocks", shifted), ("edges", reversed_edges)):
        assert not torch.equal(wrong[0, 0], by_hand(name, images[0, 0]))


@pytest.mark.parametrize("name", ["halves", "blocks", "edges"])
def test_the_split_and_the_classes_are_those_of_the_image_set(name):
    digits, pairs = data.load("mnist-5k"), data.pairs(name)
    for part in ("train", "validation", "test"):
        images, made = getattr(digits, part), getattr(pairs, part)
        assert torch.equal(made.target[:, :, 2:-2, 2:-2], images.x)
        assert int(made.target.sum()) == int(images.x.sum())  # the margin is black
        assert torch.equal(made.y, images.y)
        assert made.x.shape == made.target.shape == (len(images), 1, 32, 32)
    assert pairs.name == f"{name} of mnist-5k"
    assert (pairs.classes, pairs.licence) == (digits.classes, digits.licence)


def test_a_batch_holds_pairs_in_the_order_of_single_images():
    x = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1).expand(20, 1, 2, 2).contiguous()
    pairs = Pairs(x, 255 - x, torch.arange(20))
    for step in range(7):
        batch, single = pairs.batches(6).at(step, seed=3), Images(x, torch.arange(20)).batches(6, -1, 1).at(step, 3)
        assert torch.equal(batch.x, single.x)
        assert torch.equal(batch.y, single.y)
        assert torch.allclose(batch.target, -batch.x, atol=1e-6)  # of one pair, and in [-1, 1]
    low, high = pairs.batches(20, 0, 1).at(0, 0).target.aminmax()
    assert (low.item(), high.item()) == pytest.approx((236 / 255, 1))


def test_pairs_are_picked_moved_and_scaled_together():
    pairs = data.pairs("halves").test
    few = pairs[[3, 1]].to("cpu")
    assert torch.equal(few.target, pairs.target[[3, 1]])
    assert len(pairs[7]) == 1
    x, target = few.pixels(0, 1)
    assert torch.equal(x[:, :, :16], target[:, :, :16])
    assert float(x[:, :, 16:].abs().max()) == 0
    assert target.max() <= 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: data.pairs("thirds"), "'thirds' are unknown; give one of halves, blocks, edges"),
        (lambda: data.pairs("halves", "mnist-5k", 31), "wanted 28, 30, 32"),
        (lambda: data.pairs("halves", "mnist-5k", 26), "image_size=26 for images of side 28"),
        (lambda: blocks(noise(1, 1, 6, 8)), "do not fill images of 6×8"),
        (lambda: Pairs(noise(2, 1, 4, 4), noise(2, 1, 4, 6), torch.zeros(2, dtype=torch.int64)), "one size for both"),
        (lambda: Pairs(noise(2, 1, 4, 4), noise(3, 1, 4, 4), torch.zeros(2, dtype=torch.int64)), "one class"),
    ],
)
def test_bad_input_is_one_clear_error(make, says):
    with pytest.raises(DataError, match=says):
        make()

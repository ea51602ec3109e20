"""The reader of IDX files: what is right is read exactly, what is wrong ends in one clear line."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from gennotes.data import DataError, idx

PIXELS = np.random.RandomState(1).randint(0, 256, (20, 28, 28), np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10


def packed(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


GOOD = packed(PIXELS)
SHORT_GZIP = gzip.compress(GOOD)[:-500]
FLIPPED_GZIP = bytearray(gzip.compress(GOOD, 0))
FLIPPED_GZIP[5_000] ^= 1


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("array", "item"), [(PIXELS, (28, 28)), (LABELS, ()), (PIXELS[:0], (28, 28))])
def test_a_good_file_is_read_exactly(tmp_path, compress, array, item):
    path = tmp_path / "file"
    path.write_bytes(compress(packed(array)))
    found = idx.read(path, item)
    assert found.dtype == np.uint8
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"begins with the bytes \(none\); wanted 00 00 08 03, the mark of an IDX file of images"),
        (b"\x00\x00", r"begins with the bytes 00 00; wanted 00 00 08 03"),
        (packed(LABELS), r"begins with the bytes 00 00 08 01; wanted 00 00 08 03"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], r"begins with the bytes 00 00 0d 03; wanted 00 00 08 03"),
        (b"<!DOCTYPE html><html>", r"begins with the bytes 3c 21 44 4f; wanted 00 00 08 03"),
        (GOOD[:10], r"ends within its header; fetch the file again"),
        (packed(PIXELS[:, :27]), r"holds entries of shape \(27, 28\); wanted \(28, 28\); replace the file"),
        (GOOD[:-1], r"ends after 15,679 of 15,680 bytes of content; fetch the file again"),
        (GOOD + b"\n", r"goes on after the 15,680 bytes that its header promises; fetch the file again"),
        (gzip.compress(GOOD[:-1]), r"ends after 15,679 of 15,680 bytes of content; fetch the file again"),
        (gzip.compress(GOOD + b"\n"), r"goes on after the 15,680 bytes that its header promises; fetch the file again"),
        (SHORT_GZIP, r"is damaged or cut short \(gzip: .*\); fetch the file again"),
        (gzip.compress(GOOD)[:5], r"is damaged or cut short \(gzip: .*\); fetch the file again"),
        (gzip.compress(GOOD)[:-4], r"is damaged or cut short \(gzip: .*\); fetch the file again"),
        (bytes(FLIPPED_GZIP), r"is damaged or cut short \(gzip: CRC check failed.*\); fetch the file again"),
        (b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 40, r"is damaged or cut short \(gzip: .*\); fetch the file again"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte {message}") as caught:
        idx.read(path, (28, 28))
    assert "\n" not in str(caught.value)


def test_the_mark_of_labels_is_told_apart(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(GOOD)
    with pytest.raises(DataError, match="wanted 00 00 08 01, the mark of an IDX file of labels"):
        idx.read(path, ())


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read \(.+\); check the file and its permissions"):
        idx.read(tmp_path, (28, 28))


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_header_that_promises_terabytes_allocates_nothing(tmp_path, compress):
    path = tmp_path / "promise"
    path.write_bytes(compress(struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 28, 28) + bytes(1000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"ends after 1,000 of 3,367,254,359,280 bytes"):
            idx.read(path, (28, 28))
        assert tracemalloc.get_traced_memory()[1] < 4 * idx.CHUNK
    finally:
        tracemalloc.stop()

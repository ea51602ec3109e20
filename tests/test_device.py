"""The choice of the device, of the threads, of what becomes of freed memory, and of the precision."""

import contextlib
import ctypes
import itertools
import math
import platform
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from gennotes import device


def test_a_name_is_honoured_before_the_variable_and_the_variable_before_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.delenv("GENNOTES_DEVICE", raising=False)
    assert device.find() == torch.device("cuda")
    monkeypatch.setenv("GENNOTES_DEVICE", "cuda:1")
    assert device.find() == torch.device("cuda:1")
    assert device.find("cuda:0") == torch.device("cuda:0")
    monkeypatch.setenv("GENNOTES_DEVICE", "cpu")
    assert device.find() == torch.device("cpu")


def test_without_an_accelerator_the_processor_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    for value in (None, ""):
        monkeypatch.delenv("GENNOTES_DEVICE", raising=False)
        if value is not None:
            monkeypatch.setenv("GENNOTES_DEVICE", value)
        assert device.find() == torch.device("cpu")


@pytest.mark.parametrize(
    "name", ["gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "cuda:0:1", " cpu", "cpu\n", "tpu:0"]
)
def test_an_unknown_name_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="is unknown; give one of cpu, cuda, mps") as caught:
        device.find(name)
    assert repr(name) in str(caught.value)
    monkeypatch.setenv("GENNOTES_DEVICE", name)
    with pytest.raises(ValueError, match="unset GENNOTES_DEVICE"):
        device.find()


@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2), ("cpu:1", 0), ("mps", 0)])
def test_a_device_that_is_not_there_is_refused(name: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match=f"device '{name}' is not on this machine"):
        device.find(name)


def test_a_device_is_described_in_a_phrase(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device.describe(torch.device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda which: f"card {which.index}")
    assert device.describe(torch.device("cuda:1")) == "cuda (card 1)"
    assert device.describe(torch.device("mps")) == "mps"


# Threads.


@contextlib.contextmanager
def of_the_process(count: int):
    """As if the process had so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_threads(threads: Callable) -> None:
    """Within, `count` of them, at least 1, at most those before; these come back at the end, also after an error."""
    for before in (1, 3):
        for count in (-1, 0, 1, 2, 3, 4, 10**6):
            for error in (None, KeyError):
                with of_the_process(before):
                    with contextlib.suppress(KeyError), threads(count):
                        assert torch.get_num_threads() == (1 if count < 1 else before if count > before else count)
                        with threads(1):
                            assert torch.get_num_threads() == 1
                        if error is not None:
                            raise error
                    assert torch.get_num_threads() == before


@contextlib.contextmanager
def not_restored_after_an_error(count: int):
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, count)))
    yield
    torch.set_num_threads(before)


@contextlib.contextmanager
def more_than_before(count: int):
    with of_the_process(max(1, count) if count < 10 else 10):
        yield


@contextlib.contextmanager
def one_afterwards(count: int):
    with device.threads(count):
        yield
    torch.set_num_threads(1)


def test_threads_are_lent_for_a_while() -> None:
    check_threads(device.threads)


@pytest.mark.parametrize("wrong", [not_restored_after_an_error, more_than_before, one_afterwards])
def test_the_check_of_threads_rejects_mistakes(wrong: Callable) -> None:
    with pytest.raises(AssertionError):
        check_threads(wrong)


# Freed memory.


FAULTS = """
import ctypes, resource
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.memset.argtypes, libc.free.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], [ctypes.c_void_p]

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        block = libc.malloc(40 << 20)
        libc.memset(block, 1, 40 << 20)
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{keep}
faults()
print(faults())
"""


def faults(keep: str) -> int:
    """How many pages the system lends to 3 blocks of 40 MB, one after the other, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_kept() -> None:
    """Half of the setting does not do: each large block is then a loan of its own, or the heap's end goes back."""
    as_it_was = faults("")
    assert as_it_was >= 3 * 20  # pages of at most 2 MB
    assert faults("from gennotes import device; device.keep_memory(); device.keep_memory()") < as_it_was / 2
    assert faults("libc.mallopt(-1, 2**31 - 1)") > as_it_was / 2
    assert faults("libc.mallopt(-4, 0)") > as_it_was / 2


@pytest.mark.parametrize(
    ("library", "wanted"), [("glibc", {-1: 2**31 - 1, -4: 0}), ("musl", {}), ("", {})], ids=["glibc", "musl", "none"]
)
def test_memory_is_kept_once_and_by_glibc_alone(
    library: str, wanted: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        def __init__(self, name: str | None) -> None:
            opened.append(name)

        def mallopt(self, option: int, value: int) -> int:
            assert option not in told
            told[option] = value
            return 1

    opened: list[str | None] = []
    told: dict[int, int] = {}
    monkeypatch.setattr(platform, "libc_ver", lambda: (library, "2.39"))
    monkeypatch.setattr(ctypes, "CDLL", Library)
    device.keep_memory.cache_clear()
    try:
        for _ in range(2):
            device.keep_memory()
            assert told == wanted  # M_TRIM_THRESHOLD and M_MMAP_MAX
            assert opened == ([None] if wanted else [])
    finally:
        device.keep_memory.cache_clear()


# Precision.


def clock_of(*rounds: float) -> Callable[[], float]:
    """A clock by which the time between two looks is that of the rounds, one after the other, with pauses between."""
    looks = itertools.accumulate(itertools.chain.from_iterable((100.0, seconds) for seconds in rounds))
    return lambda: next(looks)


def check_gain(gain: Callable[[torch.device], float], monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of our own: the best of 7 rounds in float32 over the best of 7 in bfloat16."""
    monkeypatch.setattr(device.time, "perf_counter", clock_of(9, 8, 6, 7, 99, 6.5, 8, 3, 2, 5, 77, 4, 3, 2.5))
    found = gain(torch.device("cpu"))
    monkeypatch.undo()
    assert found == pytest.approx(3.0)


def test_the_gain_is_the_ratio_of_the_best_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    check_gain(device.gain_of_bfloat16.__wrapped__, monkeypatch)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda where: 1 / device.gain_of_bfloat16.__wrapped__(where),
        lambda where: device.gain_of_bfloat16.__wrapped__(where) - 1,
        lambda where: 14.3 / 13.8,  # the means
    ],
    ids=["inverted", "share gained", "means of the rounds"],
)
def test_the_check_of_the_gain_rejects_mistakes(wrong: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        check_gain(wrong, monkeypatch)


def test_the_gain_is_positive_on_a_processor_and_0_where_nothing_is_known() -> None:
    gain = device.gain_of_bfloat16(torch.device("cpu"))
    assert 0 < gain < math.inf
    assert device.gain_of_bfloat16(torch.device("cpu")) is gain  # one probe a process
    assert device.gain_of_bfloat16(torch.device("mps")) == 0


@pytest.mark.parametrize(("gain", "pays"), [(0.0, False), (0.1, False), (1.0, False), (1.3, True), (9.0, True)])
def test_products_are_narrow_where_that_is_asked_for_and_pays(
    gain: float, pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "gain_of_bfloat16", lambda where: gain)
    assert device.narrows(torch.device("cpu"), "mixed") is pays
    monkeypatch.setattr(device, "gain_of_bfloat16", lambda where: pytest.fail("it was not asked for"))
    assert device.narrows(torch.device("cpu"), "float32") is False
    for wrong in ("float16", "bfloat16", "", None):
        with pytest.raises(ValueError, match=f"precision={wrong!r}: give 'float32' or 'mixed'"):
            device.narrows(torch.device("cpu"), wrong)

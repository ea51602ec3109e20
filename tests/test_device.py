"""The choice of the device."""

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

"""The feature networks that are shipped: their weights, their accuracy, and what they take."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gennotes import data, features, metrics
from gennotes.features.__main__ import SETTINGS, moved
from gennotes.models import Classifier

pytestmark = pytest.mark.usefixtures("one_thread")
LEAST = {"mnist-5k": 0.97, "fashion-mnist": 0.9}


@pytest.mark.parametrize("name", LEAST)
def test_what_is_known_of_a_network_is_so(name: str) -> None:
    about, path = features.about(name), features.FOLDER / f"{name}.safetensors"
    assert path.stat().st_size < 1e6
    assert hashlib.sha256(path.read_bytes()).hexdigest() == about["sha256"]
    assert about["settings"] == SETTINGS[name]
    images = data.load(name, "cpu")
    net = features.network(name)
    for part, known in ((images.validation, "validation_accuracy"), (images.test, "test_accuracy")):
        found = metrics.agreement(features.of(net, part.pixels())[1], part.y)
        assert found == pytest.approx(about[known], abs=1.5 / len(part))  # another processor may turn one image over
        assert found >= LEAST[name]


def test_a_network_is_frozen_and_the_full_set_shares_that_of_its_digits() -> None:
    net = features.network("mnist-5k")
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    for a, b in zip(net.parameters(), features.network("mnist").parameters(), strict=True):
        assert torch.equal(a, b)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(204_000, rel=0.01)


def test_features_are_what_the_last_layer_sees_and_large_images_are_shrunk() -> None:
    net, x = features.network("mnist-5k"), data.load("mnist-5k", "cpu").test[:7].pixels()
    found, logits = features.of(net, x)
    assert found.shape == (7, 64)
    assert (found >= 0).all()
    torch.testing.assert_close(logits, net(x))
    torch.testing.assert_close(logits, found @ net.head.weight.T + net.head.bias)
    larger = x.repeat_interleave(2, 2).repeat_interleave(2, 3)  # 56×56: each pixel four times
    torch.testing.assert_close(features.of(net, larger)[0], found, atol=1e-5, rtol=1e-5)
    assert features.of(net, x[:0])[0].shape == (0, 64)


def test_the_network_is_set_to_evaluation_for_the_call_and_put_back() -> None:
    net, x = Classifier().train(), torch.rand(9, 1, 28, 28)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    features.of(net, x)
    assert net.training
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.full((2, 1, 28, 28), -0.5), r"pixels reach from -0\.5"),
        (torch.zeros(2, 3, 28, 28), r"\(2, 3, 28, 28\)"),
        (torch.zeros(2, 1, 16, 16), "S ≥ 28"),
    ],
)
def test_images_that_it_does_not_take_are_named(x: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        features.of(features.network("mnist-5k"), x)


def test_a_set_without_a_network_and_a_damaged_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="'letters'; give one of"):
        features.network("letters")
    (tmp_path / "networks.json").write_bytes((features.FOLDER / "networks.json").read_bytes())
    (tmp_path / "mnist-5k.safetensors").write_bytes(b"x")
    monkeypatch.setattr(features, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        features.network("mnist-5k")


def test_images_are_moved_within_what_was_asked_for() -> None:
    dot = torch.zeros(64, 1, 29, 29)
    dot[:, :, 14, 14] = 1.0  # the centre, which neither turns nor grows
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(moved(dot, 0, 0, 0, generator), dot)
    turned = moved(dot, 40, 0, 0, generator)
    torch.testing.assert_close(turned[..., 14, 14], dot[..., 14, 14], atol=1e-5, rtol=0)
    assert not torch.allclose(turned, dot, atol=0.01)
    rows = torch.arange(29.0)
    shifted = moved(dot, 0, 3, 0, generator)
    centre = (shifted.sum((1, 2)) * rows).sum(1) / shifted.sum((1, 2, 3))
    assert (centre - 14).abs().max() <= 3
    assert centre.std() > 1


def test_a_classifier_starts_from_its_seed_alone() -> None:
    state = torch.get_rng_state()
    a, b, other = Classifier(seed=1), Classifier(seed=1), Classifier(seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    flat = nn.utils.parameters_to_vector
    assert torch.equal(flat(a.parameters()), flat(b.parameters()))
    assert not torch.equal(a.head.weight, other.head.weight)

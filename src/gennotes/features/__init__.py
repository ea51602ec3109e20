"""The feature networks: for each data set one small classifier, in whose inner layer images are compared.

Each was trained by `python -m gennotes.features NAME`, on the set's training images alone; `networks.json` has the
share of validation and test images that it names rightly, the settings, and the hash of its weights.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor

from gennotes.models import Classifier, evaluating

FOLDER = Path(__file__).parent
SHARED = {"mnist": "mnist-5k"}  # the same digits


def about(name: str) -> dict[str, Any]:
    """What is known of the feature network of data set `name`: accuracies, settings, and the SHA-256 of its weights.

    Raises ValueError if there is none for this set.
    """
    known = json.loads((FOLDER / "networks.json").read_text())
    key = SHARED.get(name, name)
    if key not in known:
        raise ValueError(f"there is no feature network for {name!r}; give one of {', '.join([*known, *SHARED])}")
    return known[key]


def network(name: str, device: torch.device | str = "cpu") -> Classifier:
    """The feature network of data set `name`, "mnist-5k" (also for "mnist") or "fashion-mnist": frozen, in eval mode.

    It takes images (N, 1, S, S) in [0, 1] with S ≥ 28 to logits (N, 10); `of` gives their 64 features.
    Raises ValueError if there is none for this set, or if its file is damaged.
    """
    wanted = about(name)["sha256"]
    path = FOLDER / f"{SHARED.get(name, name)}.safetensors"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != wanted:
        raise ValueError(f"{path} is damaged (its SHA-256 differs from networks.json); install the package again")
    net = Classifier()
    net.load_state_dict(load(content))
    return net.eval().requires_grad_(False).to(device)


@torch.no_grad()
def of(net: Classifier, x: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, 64) and logits (N, 10) of any number of images x (N, 1, S, S) in [0, 1], some hundreds at a time.

    Raises ValueError if a pixel lies outside of [0, 1].
    """
    if len(x) and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            f"pixels reach from {x.min():.4g} to {x.max():.4g}; give images in [0, 1]: (x + 1) / 2 of what ends in tanh"
        )
    with evaluating(net):
        found = torch.cat([net.features(part) for part in x.split(500)])
    return found, net.head(found)

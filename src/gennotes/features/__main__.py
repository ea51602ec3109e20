"""Train a feature network and write its weights: python -m gennotes.features NAME, a minute or two on two cores."""

import hashlib
import json
import math
import sys
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from gennotes import data, features, metrics, train
from gennotes.data import Batch, Images
from gennotes.models import Classifier

SETTINGS = {
    "mnist-5k": {"steps": 3_000, "batch": 64, "lr": 2e-3, "turn": 12.0, "shift": 2.0, "scale": 0.12},
    "fashion-mnist": {"steps": 4_000, "batch": 128, "lr": 2e-3, "turn": 0.0, "shift": 2.0, "scale": 0.0},
}


def moved(x: Tensor, turn: float, shift: float, scale: float, generator: torch.Generator) -> Tensor:
    """Each image (B, 1, S, S) turned by up to `turn` degrees, scaled by up to a share and shifted by up to pixels."""
    draw = lambda most: most * (2 * torch.rand(len(x), generator=generator, device=x.device) - 1)  # noqa: E731
    angle, size = draw(turn * math.pi / 180), 1 + draw(scale)
    right, down = draw(2 * shift / x.shape[3]), draw(2 * shift / x.shape[2])
    rows = [size * angle.cos(), -size * angle.sin(), right, size * angle.sin(), size * angle.cos(), down]
    grid = F.affine_grid(torch.stack(rows, 1).reshape(-1, 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def fit(name: str, steps: int, batch: int, lr: float, **movement: float) -> tuple[Classifier, Mapping[str, float]]:
    """The network of data set `name`, and its share of right answers on validation and test images."""
    images = data.load(name)
    net = Classifier(len(images.classes))

    def step(players: Mapping[str, train.Player], part: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss = F.cross_entropy(net(moved(part.x, **movement, generator=generator)), part.y, label_smoothing=0.05)
        players["classifier"].minimise(loss)
        return {"cross_entropy_nats": loss}

    player = train.Player(net, lr, schedule=train.one_cycle)
    train.fit(step, {"classifier": player}, images.train.batches(batch), steps=steps, seed=0)

    net.half().float()  # half as many bits a number are enough, and are what the file holds

    def right(part: Images) -> float:
        return round(metrics.agreement(features.of(net, part.pixels())[1], part.y), 6)

    return net, {"validation_accuracy": right(images.validation), "test_accuracy": right(images.test)}


def main(name: str) -> None:
    if name not in SETTINGS:
        raise SystemExit(f"there is no feature network {name!r}; give one of {', '.join(SETTINGS)}")
    net, accuracy = fit(name, **SETTINGS[name])
    state = {key: value.contiguous() for key, value in net.state_dict().items()}
    content = save({key: value.half() if value.is_floating_point() else value for key, value in state.items()})
    (features.FOLDER / f"{name}.safetensors").write_bytes(content)
    path = features.FOLDER / "networks.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[name] = {"sha256": hashlib.sha256(content).hexdigest(), **accuracy, "settings": SETTINGS[name]}
    path.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    print(name, accuracy)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")

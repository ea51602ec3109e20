"""What a figure function is given, checked at the border."""

from typing import Any

import numpy as np


def array(value: Any) -> np.ndarray:
    """`value` (array, sequence or torch tensor, on any device) as an array."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def arrays(finite: bool = True, **given: tuple[Any, str]) -> list[np.ndarray]:
    """Checks several arrays together: `arrays(mu=(mu, "N"), sigma=(sigma, "N"))`.

    Each argument is a pair of a value and its shape in letters or numbers; the same letter is the same size everywhere.
    Returns float arrays in the order given.
    Raises ValueError naming the argument whose shape differs, that is empty or, with `finite`, holds NaN or infinity.
    """
    sizes: dict[str, tuple[int, str]] = {}
    checked = []
    for name, (value, wanted) in given.items():
        try:
            x = array(value).astype(float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be an array of numbers of shape {_shape(wanted)}: {error}") from error
        letters = wanted.split()
        if x.ndim != len(letters):
            raise ValueError(f"{name} has shape {x.shape}; give shape {_shape(wanted)}")
        for letter, size in zip(letters, x.shape, strict=True):
            expected, owner = (int(letter), "") if letter.isdigit() else sizes.setdefault(letter, (size, name))
            if size != expected:
                reason = f" with {letter} = {expected} as in {owner}" if owner else ""
                raise ValueError(f"{name} has shape {x.shape}; give shape {_shape(wanted)}{reason}")
        if x.size == 0:
            raise ValueError(f"{name} is empty (shape {x.shape}); give at least one value")
        if finite and not np.isfinite(x).all():
            raise ValueError(
                f"{name} holds {np.sum(~np.isfinite(x))} values that are NaN or infinite; give finite ones"
            )
        checked.append(x)
    return checked


def pixels(name: str, images: Any) -> np.ndarray:
    """Images for drawing, (N, H, W) or (N, H, W, 3) in [0, 1].

    images: (N, H, W), (N, 1, H, W) or (N, 3, H, W), in [0, 1] or uint8 in 0..255.
    Raises ValueError if the shape or the range is another one.
    """
    x = array(images)
    x = x / 255.0 if x.dtype == np.uint8 else x.astype(float)
    if x.ndim == 4 and x.shape[1] in (1, 3):
        x = x[:, 0] if x.shape[1] == 1 else np.moveaxis(x, 1, -1)
    elif x.ndim != 3:
        raise ValueError(f"{name} has shape {x.shape}; give images (N, H, W), (N, 1, H, W) or (N, 3, H, W)")
    if x.size == 0:
        raise ValueError(f"{name} is empty (shape {x.shape}); give at least one image")
    if not (np.isfinite(x).all() and x.min() >= -1e-6 and x.max() <= 1 + 1e-6):
        raise ValueError(f"{name} has pixels from {x.min():.3g} to {x.max():.3g}; give pixels in [0, 1] or uint8")
    return x.clip(0.0, 1.0)


def _shape(letters: str) -> str:
    names = letters.split()
    return f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"

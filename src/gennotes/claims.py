"""Claims of a chapter: each is checked by the cell beside it, and printed with what was found."""

from collections.abc import Callable, Iterable
from typing import Any

import torch


class Claims:
    """States what the text claims and asserts it, as long as the chapter runs with its own settings.

        claim = Claims(asserted=settings == studies.vae.Settings())
        claim("the bound rises with k", bool((bounds.diff() > 0).all()))

    asserted: whether a claim that does not hold is an error. A reader who changes the settings gets plain statements.
    """

    def __init__(self, asserted: bool = True) -> None:
        self.asserted = asserted
        if not asserted:
            print("These are your own settings: what the text claims is reported below, and not asserted.")

    def __call__(self, statement: str, holds: bool) -> None:
        """Print `statement` with a mark. Raises AssertionError if it does not hold and claims are asserted."""
        if self.asserted and not holds:
            raise AssertionError(f"the text claims that {statement}; in this run that is not so")
        print(f"{'✓' if holds else '✗'} {statement}")


def check(
    answer: Callable[..., Any], oracle: Callable[..., Any], cases: Iterable[tuple], tolerance: float = 1e-5
) -> bool:
    """Tell a reader whether `answer` agrees with `oracle` on every case; prints one line and returns whether it does.

    answer: the reader's function; one that returns `...` counts as not solved yet.
    oracle: an independent way to the same value. cases: the arguments of one call each.
    tolerance: largest difference allowed, relative to values above 1 and absolute below.
    """
    for case in cases:
        given = answer(*case)
        if given is ...:
            print("not solved yet: replace ... by your answer")
            return False
        wanted = torch.as_tensor(oracle(*case))
        try:
            given = torch.as_tensor(given).to(wanted.dtype)
        except (TypeError, ValueError, RuntimeError):
            print(f"not right: your function returned a {type(given).__name__}; a number or a tensor is wanted")
            return False
        if given.shape != wanted.shape:
            print(f"not right: your answer has shape {tuple(given.shape)}, wanted {tuple(wanted.shape)}")
            return False
        error = ((given - wanted).abs() / wanted.abs().clamp(min=1)).max().item()
        if not error <= tolerance:
            print(f"not right: for one case the answer is off by {error:.3g} (relative to 1 or to the value)")
            return False
    print("right")
    return True

"""The one error of the package's data, and the checks of numbers that several of its modules share."""

import hashlib
import operator
from typing import Any


class DataError(ValueError):
    """Data that cannot be had or is not what was asked for: the message says what was given, wanted, and what to do."""


def whole(name: str, value: Any, least: int) -> int:
    """`value` as an int. Raises DataError if it is not a whole number or is below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise DataError(f"{name} is {value!r}; wanted a whole number of at least {least}")
    return number


def stream_seed(seed: int, position: int) -> int:
    """A seed of 64 bits for `position` (an epoch, a step) of the stream `seed`: a hash, so neighbours share nothing."""
    return int.from_bytes(hashlib.blake2b(f"gennotes.data {seed} {position}".encode(), digest_size=8).digest())

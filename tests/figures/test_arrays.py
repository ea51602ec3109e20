"""The border: one clear error for each kind of wrong input."""

import numpy as np
import pytest

from gennotes.figures.arrays import arrays, pixels


def test_same_letter_is_same_size():
    x, y = arrays(mu=([1, 2], "N"), sigma=([3, 4], "N"))
    assert x.dtype == y.dtype == float
    with pytest.raises(ValueError, match=r"sigma has shape \(3,\); give shape \(N,\) with N = 2 as in mu"):
        arrays(mu=([1, 2], "N"), sigma=([3, 4, 5], "N"))


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        ([[1.0]], "N", r"x has shape \(1, 1\); give shape \(N,\)"),
        ([1.0], "S T", r"x has shape \(1,\); give shape \(S, T\)"),
        ([1.0, 2.0], "3", r"x has shape \(2,\); give shape \(3,\)"),
        ([], "N", "x is empty"),
        ([1.0, np.nan, np.inf], "N", "x holds 2 values that are NaN or infinite"),
        (["a"], "N", "x must be an array of numbers"),
        ([[1.0], [1.0, 2.0]], "S T", "x must be an array of numbers"),
    ],
)
def test_wrong_arrays(value, shape, message):
    with pytest.raises(ValueError, match=message):
        arrays(x=(value, shape))


def test_nan_may_pass():
    (x,) = arrays(finite=False, x=([1.0, np.nan], "N"))
    assert np.isnan(x[1])


def test_pixels_of_all_layouts():
    assert pixels("x", np.zeros((2, 5, 4))).shape == (2, 5, 4)
    assert pixels("x", np.zeros((2, 1, 5, 4))).shape == (2, 5, 4)
    assert pixels("x", np.zeros((2, 3, 5, 4))).shape == (2, 5, 4, 3)
    np.testing.assert_array_equal(pixels("x", np.full((1, 2, 2), 255, np.uint8)), 1.0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((5, 4)), r"x has shape \(5, 4\); give images"),
        (np.zeros((2, 2, 5, 4)), r"x has shape \(2, 2, 5, 4\); give images"),
        (np.zeros((0, 5, 4)), "x is empty"),
        (np.full((1, 2, 2), -1.0), r"x has pixels from -1 to -1; give pixels in \[0, 1\]"),
        (np.full((1, 2, 2), 255.0), "x has pixels from 255 to 255"),
        (np.full((1, 2, 2), np.nan), "x has pixels from nan to nan"),
    ],
)
def test_wrong_pixels(value, message):
    with pytest.raises(ValueError, match=message):
        pixels("x", value)

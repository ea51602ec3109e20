"""Figures of the book: one function a figure, plain arrays in, a figure out that a notebook shows once."""

from gennotes.figures.images import image_grid, image_rows, reconstructions
from gennotes.figures.lines import curves
from gennotes.figures.style import use

__all__ = ["curves", "image_grid", "image_rows", "reconstructions", "use"]

"""Small images as text that stands in a page."""

import base64
import io

import numpy as np
from PIL import Image


def data_uri(pixels: np.ndarray) -> str:
    """A grey image (H, W) or one in colours (H, W, 3), values in [0, 1], as a PNG in a data URI."""
    values = np.round(255 * np.asarray(pixels)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def mosaic(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Images (N, H, W) or (N, H, W, 3) side by side, `columns` to a row, with black gaps; black fills the last row."""
    count, height, width = images.shape[:3]
    rows = -(-count // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:]))
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet

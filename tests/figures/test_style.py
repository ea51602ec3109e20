"""Palette, themes and the fitting of words."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gennotes import figures
from gennotes.figures import style


def test_palette_is_okabe_and_itos():
    assert (style.DATA, style.MODEL, style.CRITIC, style.MIXTURE) == ("#0072B2", "#D55E00", "#009E73", "#F0E442")


# Machado, Oliveira & Fernandes 2009: full protanopia and deuteranopia, on linear RGB.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "full sight": np.eye(3),
}


def _seen(colour, matrix):
    """CIELAB of `colour` as seen through `matrix`."""
    rgb = np.array(to_rgb(colour))
    linear = np.clip(matrix @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(xyz / (0.9505, 1.0, 1.089))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_stay_apart_for_colour_blind_readers(kind):
    matrix = np.array(BLINDNESS[kind])
    apart = lambda colours: min(  # noqa: E731
        np.linalg.norm(_seen(a, matrix) - _seen(b, matrix)) for a, b in itertools.combinations(colours, 2)
    )
    assert apart((style.DATA, style.MODEL, style.CRITIC, style.MIXTURE)) > 30
    assert apart(style.CLASSES) > 5  # ten colours cannot do better by much, hence the rule of printing the class
    assert apart(("#ff0000", "#00a000")) > 60 or kind != "full sight"
    assert len(set(style.CLASSES)) == 10


@pytest.mark.parametrize("theme", style.THEMES)
@pytest.mark.parametrize("colour", [*style.SERIES, style.MIXTURE, *style.CLASSES])
def test_ink_is_legible(theme, colour):
    figures.use(theme)
    assert style.contrast_ratio(style.ink(colour), style.THEMES[theme].paper) >= 4.49


def test_contrast_ratio_of_black_and_white():
    assert style.contrast_ratio("black", "white") == pytest.approx(21)
    assert style.contrast_ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WCAG's well-known near miss


def test_unknown_theme():
    with pytest.raises(ValueError, match="theme 'sepia' is unknown; give one of 'light', 'dark'"):
        figures.use("sepia")


def test_use_sets_the_readers_own_plots():
    import matplotlib

    figures.use("dark")
    assert matplotlib.rcParams["axes.facecolor"] == style.THEMES["dark"].paper


def test_wrap_keeps_words_and_fits():
    text = "one two three four five six seven eight nine ten"
    lines = style.wrap(text, 1.0).split("\n")
    assert " ".join(lines) == text
    assert len(lines) > 1
    assert all(style.text_width(line) <= 1.0 for line in lines)
    assert style.wrap("a\nb", 9.0) == "a\nb"
    assert style.wrap("incompressible", 0.1) == "incompressible"

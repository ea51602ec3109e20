"""Real digits, and every figure drawn once from real or plausible arrays."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from gennotes import data, figures
from gennotes.figures import style


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """The 500 test digits, (500, 1, 28, 28) in [0, 1]."""
    return data.load("mnist-5k", device="cpu").test.pixels().numpy()


@pytest.fixture(autouse=True)
def _light():
    """Every test starts and ends in the light theme, with the reader's settings untouched."""
    import matplotlib

    with matplotlib.rc_context():
        style._theme = style.THEMES["light"]
        yield
        style._theme = style.THEMES["light"]


def _curves(digits: np.ndarray) -> style.Figure:
    rng, steps = np.random.default_rng(0), np.arange(0, 1000, 20)
    falling = 100 + 100 * np.exp(-steps / 200)
    series = {
        "training": (steps, falling + rng.normal(0, 1, (5, 50))),
        "validation": (steps, falling + 2 + rng.normal(0, 1, (5, 50))),
        "one seed": (steps, falling + 1),
    }
    return figures.curves(series, "Training and validation", "negative ELBO (nats)", reference={"published": 86.8})


def _kl(digits: np.ndarray) -> style.Figure:
    kl = np.r_[np.linspace(0.5, 3, 13), np.full(7, 0.002)]
    return figures.kl_by_unit(kl, kl > 0.01)


def _estimators(digits: np.ndarray) -> style.Figure:
    rng = np.random.default_rng(0)
    names = {"reparameterised": 1, "score function": 40, "score function\nwith baseline": 8}
    return figures.estimator_spread({label: rng.normal(2, sd, 500) for label, sd in names.items()}, 2.0)


def _rate(digits: np.ndarray) -> style.Figure:
    rate = np.array([60, 45, 33, 25, 14, 5, 0.1, 0.02])
    spread = np.random.default_rng(0).normal(0, 0.4, (5, 8))
    beta = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16]
    return figures.rate_distortion(beta, rate + spread, 70 + 2200 / (rate + 15) + spread)


def _normals(*about: tuple[float, float]) -> list[np.ndarray]:
    """An axis, and the density over it of the normal of each (mean, standard deviation)."""
    x = np.linspace(-6, 8, 701)
    return [x, *(stats.norm(mean, sd).pdf(x) for mean, sd in about)]


def _densities(digits: np.ndarray) -> style.Figure:
    x, p, q, normal = _normals((-1, 0.6), (2, 1), (0.5, 1.7))
    curves = {"P": p, "Q": q, "M": (p + q) / 2, "a normal with the moments of M": normal}
    return figures.density_curves(x, curves, "The mixture of two normals is not a normal")


def _kl_panels(digits: np.ndarray) -> style.Figure:
    x, p, q = _normals((0, 1), (0, 2))
    return figures.kl_panels(x, {"Q twice as wide": (p, q), "P twice as wide": (q, p), "equal": (p, p)})


def _js_panels(digits: np.ndarray) -> style.Figure:
    x, p, q = _normals((0, 1), (2, 1))
    return figures.js_panels(x, {"means 2 apart": (p, q)})


def _two_modes(digits: np.ndarray) -> style.Figure:
    x = np.linspace(-9, 9, 181)
    left, right, wide = (stats.norm(mean, sd).pdf(x) for mean, sd in ((-4, 1), (4, 1), (0, 4.1)))
    fitted = {"KL(p‖q)": [wide], "KL(q‖p)": [left, right, wide], "JS": [wide, left, right], "W₁": [wide]}
    return figures.fitted_normals(x, (left + right) / 2, fitted)


def _parting(digits: np.ndarray) -> style.Figure:
    near = [(d, [0.0], [0.1]) for d in range(6)]
    far = [(d, [0.0, -d / 2, d / 2], [1.0, 0.69, 0.69]) for d in range(6, 13)]
    return figures.minima_by_parting({"KL(p‖q)": near, "KL(q‖p)": near + far, "JS": near + far, "W₁": near})


def _plane_codes() -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).normal(0, 1.3, (100, 2)), np.arange(100) % 10


def _holes(digits: np.ndarray) -> style.Figure:
    codes, _ = _plane_codes()
    thin = np.arange(50) % 7 == 0
    return figures.holes({"one": (codes, codes[:50] * 1.2, thin), "two": (codes, codes[50:], ~thin)}, "Holes")


def _norms(digits: np.ndarray) -> style.Figure:
    x = np.random.default_rng(0).normal(1, 0.1, 300)
    return figures.norms({"L = 2": {"draw": x, "half-way": 0.7 * x}, "L = 20": {"draw": x, "half-way": x}}, "Norms")


def _plan(digits: np.ndarray) -> style.Figure:
    x = np.random.default_rng(0).normal(size=(8, 2))
    return figures.transport_plan(x, x[::-1] + np.array([2, 0.5]), np.eye(8) / 8, "A plan")


def _surfaces(digits: np.ndarray) -> style.Figure:
    at = np.linspace(-2, 2, 33)
    cone = np.hypot(*np.meshgrid(at, at))
    ring = np.random.default_rng(0).normal(size=(60, 2)) / 3
    rows = {"clipped": {"ring": cone, "grid": 2 * cone}, "penalised": {"ring": cone**2, "grid": -cone}}
    return figures.value_surfaces(at, rows, {"ring": ring, "grid": ring + 1}, "Four critics")


def _weights(digits: np.ndarray) -> style.Figure:
    w = np.random.default_rng(0).normal(0, 0.1, 4_000)
    return figures.weight_histograms({"clipping": w.clip(-0.1, 0.1), "penalty": w}, 0.1, "Two critics")


def _losses(digits: np.ndarray) -> style.Figure:
    x = np.random.default_rng(0).random((8, 20))
    panels = {"WGAN, penalty": (x, x), "WGAN, clipping": (x, x**2), "GAN": (x, 1 - x)}
    return figures.loss_against_quality(panels, "Three losses", ["value", "value", "JS, estimated (nats)"])


def _clouds(digits: np.ndarray) -> style.Figure:
    x = np.random.default_rng(0).normal(size=(5, 150, 2)) / 2
    return figures.sample_clouds({f"step {i}": cloud for i, cloud in enumerate(x)}, x[0] / 2, "Five clouds")


FIGURES: dict[str, Callable[[np.ndarray], style.Figure]] = {
    "autoencoder_diagram": lambda x: figures.autoencoder_diagram(x[0], 0.9 * x[0]),
    "vae_diagram": lambda x: figures.vae_diagram(x[1], 0.9 * x[1]),
    "posteriors": lambda x: figures.posteriors(x.mean(axis=(1, 2, 3)) * 20 - 2.6, 0.1 + x.std(axis=(1, 2, 3))),
    "decomposition": lambda x: figures.decomposition(
        ["prior as q", "diagonal q", "true posterior"], [-34.3, -31.9, -31.2], [3.1, 0.7, 0.0], -31.2
    ),
    "estimator_spread": _estimators,
    "curves": _curves,
    "image_grid": lambda x: figures.image_grid(x[:60], "Sixty test digits", columns=12),
    "image_rows": lambda x: figures.image_rows(
        {"data": x[:8], "a longer label that wraps": x[8:16]}, "Rows", column_labels=list("abcdefgh"), note="a note"
    ),
    "reconstructions": lambda x: figures.reconstructions(x[:10], 0.9 * x[:10], "Ten digits"),
    "kl_by_unit": _kl,
    "bound_by_samples": lambda x: figures.bound_by_samples(
        [1, 5, 50, 5000], [-89.2, -87.1, -85.9, -85.0], [0.5] * 4, reference={"Burda et al. 2016": -84.8}
    ),
    "rate_distortion": _rate,
    "model_taxonomy": lambda x: figures.model_taxonomy(),
    "fitted_normals": _two_modes,
    "minima_by_parting": _parting,
    "information_bars": lambda x: figures.information_bars(3.0, 2.3, 1.1, names=("Y", "B")),
    "density_curves": _densities,
    "kl_panels": _kl_panels,
    "js_panels": _js_panels,
    "cross_entropies": lambda x: figures.cross_entropies(["Q = P", "uniform Q", "Q in reverse"], 1.21, [0, 0.17, 0.52]),
    "prior_grid": lambda x: figures.prior_grid(),
    "code_maps": lambda x: figures.code_maps({"one": _plane_codes(), "two": _plane_codes()}, "Two maps"),
    "decoded_plane": lambda x: figures.decoded_plane(x[:64].reshape(8, 8, 28, 28), np.linspace(-2, 2, 8), "A plane"),
    "traversal": lambda x: figures.traversal(*_plane_codes(), np.linspace([-2, -1], [2, 1], 8), x[:8], "A path"),
    "shares_by_class": lambda x: figures.shares_by_class(
        np.random.default_rng(0).random((5, 10)), list("0123456789"), 0.5, "share in the centre", "Shares"
    ),
    "holes": _holes,
    "norms": _norms,
    "transport_plan": _plan,
    "value_surfaces": _surfaces,
    "weight_histograms": _weights,
    "loss_against_quality": _losses,
    "sample_clouds": _clouds,
}


@pytest.fixture(params=list(FIGURES))
def name(request: pytest.FixtureRequest) -> str:
    """The name of each figure in turn."""
    return request.param


@pytest.fixture
def make(name: str, digits: np.ndarray) -> Callable[[], style.Figure]:
    """Draws the figure `name` anew."""
    return lambda: FIGURES[name](digits)


@pytest.fixture
def figure(name: str, digits: np.ndarray, _drawn: dict[str, style.Figure]) -> style.Figure:
    """The figure `name`, drawn once for all tests, which leave it as it is."""
    if name not in _drawn:
        _drawn[name] = FIGURES[name](digits)
    return _drawn[name]


@pytest.fixture(scope="session")
def _drawn() -> dict[str, style.Figure]:
    return {}

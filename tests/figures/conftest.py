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


RING = np.column_stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)])


def _on_the_ring(*shape: int, modes: int = 8) -> np.ndarray:
    """Samples over the first modes of the ring, (*shape, 2)."""
    rng = np.random.default_rng(0)
    return RING[rng.integers(0, modes, shape)] + rng.normal(0, 0.02, (*shape, 2))


def _mode_panels(digits: np.ndarray) -> style.Figure:
    counts = np.full((8, 8), 40)
    counts[::3, 2:] = 0
    runs = {"whole": (_on_the_ring(8, 300), np.full((8, 8), 40)), "some collapse": (_on_the_ring(8, 300), counts)}
    return figures.mode_panels(runs, RING, "Two of three seeds of the second setting find all modes")


def _hopping(digits: np.ndarray) -> style.Figure:
    steps = np.arange(0, 2001, 40)
    sick = np.eye(8)[np.random.default_rng(0).integers(0, 8, 51)] * 0.98
    return figures.mode_hopping(steps, {"sick": sick, "cured": np.full((51, 8), 0.12)}, "One generator hops")


def _surface() -> np.ndarray:
    middles = (np.arange(40) + 0.5) * 3.2 / 40 - 1.6
    return np.exp(-(((np.hypot(*np.meshgrid(middles, middles)) - 1) / 0.4) ** 2))


def _surfaces(digits: np.ndarray) -> style.Figure:
    pairs = {"a condition with a longer name than fits": _surface(), "another": 0.3 + 0.4 * _surface()}
    samples = dict.fromkeys(pairs, _on_the_ring(300, modes=2))
    return figures.score_surface(pairs, 1.6, "Where the discriminator sees data", samples, RING)


def _critics(digits: np.ndarray) -> style.Figure:
    scores = {"clipped": 0.01 * _surface(), "penalty": 3 * _surface() - 7, "a third": -_surface()}
    return figures.score_surface(scores, 1.6, "What three critics think", data=RING, probability=False)


def _strip(digits: np.ndarray) -> style.Figure:
    share = np.random.default_rng(0).uniform(0.2, 0.9, 8)
    runs = {"a slow discriminator": ([0, 1, 1, 0, 2, 1, 1, 8], share / 10), "cured": ([8] * 7 + [6], share)}
    published = {"cured": (7.9, 0.956)}
    return figures.coverage_strip(runs, 8, "Every seed of the cured setting but one finds all modes", published)


def _slopes(digits: np.ndarray) -> style.Figure:
    x = np.linspace(-6, 6, 121)
    share = 1 / (1 + np.exp(-x))
    made = {"saturating": (np.log(1 - share), -share), "non-saturating": (-np.log(share), share - 1)}
    return figures.loss_slopes(x, made | {"least squares": ((x - 1) ** 2 / 2, x - 1), "hinge": (-x, 0 * x - 1)})


def _discriminators(digits: np.ndarray) -> style.Figure:
    x, p, q = _normals((-1, 1), (2, 1.5))
    best = p / (p + q)
    noise = np.random.default_rng(0).normal(0, 0.02, (4, 1))
    return figures.discriminator_fit(x, p, q, best, (best + noise).clip(0, 1))


def _paths(digits: np.ndarray) -> style.Figure:
    angle = np.linspace(0, 12, 200)[:, None]
    circle = np.hstack([np.cos(angle), np.sin(angle)])
    turn = lambda points: points[:, ::-1] * (-1, 1)  # noqa: E731
    walks = {"at the same time": circle * np.exp(angle / 20), "in turn": circle, "with a penalty": circle / (1 + angle)}
    return figures.game_paths(walks, dict.fromkeys(walks, turn))


def _in_time(digits: np.ndarray) -> style.Figure:
    draws = np.random.default_rng(0).normal(0, 0.05, (400, 2))
    modes = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])[np.arange(400) % 4]
    return figures.points_in_time({f"step {s}": draws + s / 600 * modes for s in range(0, 700, 200)}, draws + modes)


def _plan(digits: np.ndarray) -> style.Figure:
    x = np.random.default_rng(0).normal(size=(8, 2))
    return figures.transport_plan(x, x[::-1] + np.array([2, 0.5]), np.eye(8) / 8, "A plan")


def _value_surfaces(digits: np.ndarray) -> style.Figure:
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


def _dots(digits: np.ndarray) -> style.Figure:
    rng = np.random.default_rng(0)
    rows = {"DCGAN": 80 + rng.normal(0, 6, 5), "a change of it with a longer name than fits": 120 + rng.normal(0, 9, 5)}
    rows |= {"dense ends": 12 + rng.normal(0, 1, 5)}
    return figures.seed_dots(
        rows, "Dense ends win", "Fréchet distance", {"floor": 3.4}, log_x=True, marked="dense ends"
    )


def _neighbours(digits: np.ndarray) -> style.Figure:
    x = np.random.default_rng(0).normal(6, 1, 500).clip(0)
    return figures.neighbour_distances({"held out": x, "samples": x + 0.3, "copies": 0.2 * x}, "Copies", "distance")


def _line_matrix() -> np.ndarray:
    """Weights 1 to 4 in the places of a kernel of 4, stride 2, padding 1, on a line of 6."""
    padded = np.zeros((3, 8))
    for row in range(3):
        padded[row, 2 * row : 2 * row + 4] = np.arange(1, 5)
    return padded[:, 1:-1]


def _patches(digits: np.ndarray) -> style.Figure:
    sizes = np.zeros((32, 32))
    sizes[4:20, 8:24] = np.random.default_rng(0).random((16, 16))
    return figures.patch_reach(
        {"16 pixels": (sizes, 16), "1 pixel": (np.eye(32)[3][:, None] * np.eye(32)[5], 1)}, "Two logits"
    )


def _scores(digits: np.ndarray) -> style.Figure:
    rng, names = np.random.default_rng(0), ("mean absolute error", "Fréchet distance", "sharpness", "agreement")
    recipes = ("L1", "GAN", "L1 + cGAN", "L1 + cGAN, no skips")
    found = {recipe: {name: rng.random(5) for name in names} for recipe in recipes}
    return figures.recipe_scores(found, "What each loss is good for", {"sharpness": 1.0}, {"Fréchet distance"})


def _confusion(digits: np.ndarray) -> style.Figure:
    counts = 90 * np.eye(10) + np.random.default_rng(0).integers(0, 3, (10, 10))
    return figures.confusion_matrix(counts / counts.sum(1, keepdims=True), list("0123456789"), "Nearly all are found")


def _clouds(digits: np.ndarray) -> style.Figure:
    y = np.arange(300) % 8
    points = RING[y] + np.random.default_rng(0).normal(0, 0.05, (300, 2))
    labels = ["data", "told", "D is not told the class", "D is told another class"]
    return figures.class_clouds({label: (points, np.roll(y, k)) for k, label in enumerate(labels)}, RING, "Four ways")


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
    "mode_panels": _mode_panels,
    "mode_hopping": _hopping,
    "score_surface": _surfaces,
    "critic_surface": _critics,
    "coverage_strip": _strip,
    "gan_diagram": lambda x: figures.gan_diagram(x[0], 0.9 * x[3]),
    "loss_slopes": _slopes,
    "discriminator_fit": _discriminators,
    "game_paths": _paths,
    "points_in_time": _in_time,
    "norms": _norms,
    "patch_reach": _patches,
    "recipe_scores": _scores,
    "translation_diagram": lambda x: figures.translation_diagram(x[0], x[1], x[2]),
    "transport_plan": _plan,
    "unet_diagram": lambda x: figures.unet_diagram([(12, 16), (24, 8), (48, 4), (96, 2), (96, 1)], "A U-Net"),
    "value_surfaces": _value_surfaces,
    "weight_histograms": _weights,
    "loss_against_quality": _losses,
    "cgan_diagram": lambda x: figures.cgan_diagram(x[0], 0.9 * x[3], "7"),
    "confusion_matrix": _confusion,
    "class_clouds": _clouds,
    "convolution_arithmetic": lambda x: figures.convolution_arithmetic(6, 4, 2, 1, "A convolution and its transpose"),
    "convolution_matrix": lambda x: figures.convolution_matrix(_line_matrix(), 4, 2, 1, "The matrix and its transpose"),
    "overlap_maps": lambda x: figures.overlap_maps(
        {"kernel 3": np.tile([[1, 2], [2, 4]], (7, 7)), "kernel 4": np.full((14, 14), 4)}, "Overlaps"
    ),
    "layer_maps": lambda x: figures.layer_maps(
        {
            "generator": ([(100, 1), (128, 7), (64, 14), (1, 28)], style.MODEL),
            "discriminator": ([(1, 28), (64, 14), (128, 7), (1, 1)], style.CRITIC),
        },
        "Two networks",
    ),
    "seed_dots": _dots,
    "neighbour_distances": _neighbours,
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

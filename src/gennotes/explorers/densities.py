"""Two distributions P and Q under the reader's hand: KL, JS, entropies, W₁ and information, live in the page."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from PIL import Image

from gennotes.figures import style

from .host import Explorer

VIEWS = ("kl", "js", "entropy", "transport", "information")
FIELDS = {
    "normal": ("mean", "sd"),
    "mixture": ("mean", "sd", "gap", "weight"),
    "uniform": ("mean", "width"),
    "laplace": ("mean", "scale"),
}
MASS_TOLERANCE = 1e-3  # as in gennotes.divergences: a table typed in three decimals passes


class DensitiesExplorer(Explorer):
    """P and Q move by their curves, by sliders and by keys; the page computes. `densities` builds one."""

    module = "densities.js"

    p = traitlets.Dict(help="the distribution P that is shown; set it and the picture follows").tag(sync=True)
    q = traitlets.Dict(help="the distribution Q that is shown; set it and the picture follows").tag(sync=True)
    view = traitlets.Enum(VIEWS, "kl").tag(sync=True)
    kinds = traitlets.List(traitlets.Unicode()).tag(sync=True)  # what the reader can choose for P and Q
    domain = traitlets.List(traitlets.Float()).tag(sync=True)  # the part of the line in sight

    @traitlets.validate("p", "q")
    def _check(self, proposal: Any) -> dict[str, Any]:
        try:
            return checked(proposal["value"], proposal["trait"].name)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error


def densities(
    p: Mapping[str, Any],
    q: Mapping[str, Any],
    *,
    view: str,
    title: str,
    alt: str,
    kinds: Sequence[str] = tuple(FIELDS),
    domain: tuple[float, float] | None = None,
) -> DensitiesExplorer:
    """An explorer of P and Q, which the reader drags, while KL, JS, W₁ and the entropies follow, in nats.

    p, q: what is shown first, as a dict with its `kind` and the numbers of that kind:
        normal: mean, sd. laplace: mean, scale (density exp(−|x − mean|/scale)/(2 scale)).
        uniform: mean, width; on [mean − width/2, mean + width/2].
        mixture: mean, sd, gap, weight; two normals of the same sd, at mean − gap/2 with the mass `weight` and at
        mean + gap/2 with the rest, so that `mean` is the middle between them.
        bars: masses, K probabilities of the outcomes 1 … K; if wanted labels, their K names; if they are a table,
        shape [A, B], its cells row by row (outcome k is then X = k // B, Y = k % B, counted from 0).
        product (only q, beside a table p): the product of p's marginals, so that KL(P‖Q) = I(X; Y).
        Both are densities, or both are bars of one length.
    view: what stands below P and Q: "kl" the integrand p log(p/q), or q log(q/p), with its sign; "js" the terms of the
        Jensen–Shannon divergence, with M = (P + Q)/2; "entropy" −p log p and −p log q, with KL as the area between
        them; "transport" the distribution functions, with W₁ as the area between them; "information" (a table beside
        its product) entropies as lengths.
    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.
    kinds: the kinds of density that the reader can choose from.
    domain: the part of the line that is in sight; by default [−6, 6], wider if P and Q need it.

    Returns an explorer whose traits `p` and `q` follow the reader and can be set.
    Raises ValueError if a number is missing, unknown or outside of its range, if masses do not sum to 1, or if p, q and
    view do not fit together.
    """
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    if view not in VIEWS:
        raise ValueError(f"view is {view!r}; give one of {', '.join(VIEWS)}")
    if unknown := [kind for kind in kinds if kind not in FIELDS]:
        raise ValueError(f"kinds has {unknown[0]!r}; give some of {', '.join(FIELDS)}")
    first, second = checked(p, "p"), checked(q, "q")
    _fit_together(first, second, view)
    low, high = (0.0, 1.0) if first["kind"] == "bars" else domain or _domain(first, second)
    if not low < high:
        raise ValueError(f"domain is [{low}, {high}]; give its left end first")
    return DensitiesExplorer(
        p=first,
        q=second,
        view=view,
        kinds=list(kinds),
        domain=[float(low), float(high)],
        title=title,
        alt=alt,
        poster=picture(first, second, (low, high)),
    )


def checked(spec: Mapping[str, Any], name: str, kinds: Sequence[str] | None = None) -> dict[str, Any]:
    """`spec` with plain numbers. Raises ValueError if it is no distribution, or of none of `kinds`, if they are given.

    name: how the error calls it.
    """
    given = dict(spec)
    kind = given.get("kind")
    if kinds is not None and kind not in kinds:
        raise ValueError(f"{name} is of the kind {kind!r}; give one of {', '.join(kinds)}")
    if kind == "product" and name == "q" and len(given) == 1:
        return given
    if kind == "bars":
        return _checked_bars(given, name)
    if kind not in FIELDS:
        raise ValueError(f"{name} is of the kind {kind!r}; give one of {', '.join(FIELDS)}, bars, or product for q")
    if set(given) != {"kind", *FIELDS[kind]}:
        raise ValueError(f"{name} has {', '.join(given)}; a {kind} has kind, {', '.join(FIELDS[kind])}")
    values = {field: float(given[field]) for field in FIELDS[kind]}
    for field, value in values.items():
        good = {"mean": True, "gap": value >= 0, "weight": 0 < value < 1}.get(field, value > 0)
        if not math.isfinite(value) or not good:
            wanted = {"mean": "a finite number", "gap": "at least 0", "weight": "a number between 0 and 1"}
            raise ValueError(f"{name}: {field} is {value}; give {wanted.get(field, 'a positive number')}")
    return {"kind": kind, **values}


def _checked_bars(given: dict[str, Any], name: str) -> dict[str, Any]:
    if unknown := set(given) - {"kind", "masses", "shape", "labels"}:
        raise ValueError(
            f"{name} has {', '.join(sorted(unknown))}; bars have kind, masses, and if wanted shape and labels"
        )
    masses = np.asarray(given.get("masses", ()), dtype=float)
    if masses.ndim != 1 or len(masses) < 2 or not np.isfinite(masses).all() or masses.min() < 0:
        raise ValueError(f"{name}: masses is {given.get('masses')!r}; give two or more numbers that are at least 0")
    if abs(masses.sum() - 1) > MASS_TOLERANCE:
        raise ValueError(f"{name}: masses sum to {masses.sum():.6g}; they must sum to 1 within 0.001")
    result = {"kind": "bars", "masses": (masses / masses.sum()).tolist()}
    if "shape" in given:
        shape = [int(size) for size in given["shape"]]
        if len(shape) != 2 or math.prod(shape) != len(masses):
            raise ValueError(f"{name}: shape is {shape} for {len(masses)} masses; give rows and columns of the table")
        result["shape"] = shape
    if "labels" in given:
        labels = [str(label) for label in given["labels"]]
        if len(labels) != len(masses):
            raise ValueError(f"{name}: labels has {len(labels)} entries for {len(masses)} masses; give one for each")
        result["labels"] = labels
    return result


def _fit_together(p: dict[str, Any], q: dict[str, Any], view: str) -> None:
    if p["kind"] == "bars":
        if q["kind"] == "product" and "shape" not in p:
            raise ValueError("q is a product, but p is no table; give p its shape, [rows, columns]")
        if q["kind"] != "product" and (q["kind"] != "bars" or len(q["masses"]) != len(p["masses"])):
            raise ValueError(f"p has {len(p['masses'])} bars and q has not; give q as many, or make it a product")
    elif q["kind"] in ("bars", "product"):
        raise ValueError(f"p is a density and q is of the kind {q['kind']}; give two densities or two rows of bars")
    if (view == "information") != (q["kind"] == "product") and view == "information":
        raise ValueError('the view "information" needs a table p and q={"kind": "product"}')
    if view == "transport" and "shape" in p:
        raise ValueError('the view "transport" needs outcomes in an order; a table has none')


def density(spec: Mapping[str, Any], x: np.ndarray) -> np.ndarray:
    """The density of `spec` (see `densities`; not bars) at x, of the shape of x."""
    given = checked(spec, "spec")
    mean = given["mean"]
    if given["kind"] == "uniform":
        return (np.abs(x - mean) <= given["width"] / 2) / given["width"]
    if given["kind"] == "laplace":
        return np.exp(-np.abs(x - mean) / given["scale"]) / (2 * given["scale"])

    def normal(centre: float) -> np.ndarray:
        return np.exp(-0.5 * ((x - centre) / given["sd"]) ** 2) / (given["sd"] * math.sqrt(2 * math.pi))

    if given["kind"] == "normal":
        return normal(mean)
    left, right = normal(mean - given["gap"] / 2), normal(mean + given["gap"] / 2)
    return given["weight"] * left + (1 - given["weight"]) * right


def _domain(*specs: dict[str, Any]) -> tuple[float, float]:
    ends = [-6.0, 6.0]
    for spec in specs:
        reach = 3.0 * spec.get("sd", 0) + spec.get("gap", 0) / 2 + 0.6 * spec.get("width", 0) + 5 * spec.get("scale", 0)
        ends += [math.floor(spec["mean"] - reach), math.ceil(spec["mean"] + reach)]
    return min(ends), max(ends)


def picture(
    p: dict[str, Any], q: dict[str, Any], domain: tuple[float, float], names: tuple[str, str] = ("P", "Q")
) -> str:
    """A still picture of P and Q, under their names, as a PNG in a data URI."""
    figure = style.house(_draw)(p, q, domain, names)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=144, metadata={"Software": None})
    small = io.BytesIO()
    with Image.open(file) as image:
        image.convert("RGB").quantize(32).save(small, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()


def _draw(p: dict[str, Any], q: dict[str, Any], domain: tuple[float, float], names: tuple[str, str]) -> style.Figure:
    figure = style.Figure(height=3.0, raster=True)
    first, second = names
    axes = figure.subplots()
    if p["kind"] == "bars":
        masses = np.array(p["masses"])
        if q["kind"] == "product":
            table = masses.reshape(p["shape"])
            others = np.outer(table.sum(1), table.sum(0)).ravel()
        else:
            others = np.array(q["masses"])
        places = np.arange(1, len(masses) + 1)
        axes.bar(places - 0.2, masses, 0.36, color=style.DATA, alpha=0.8, label=first)
        axes.bar(places + 0.2, others, 0.36, facecolor="none", edgecolor=style.MODEL, linestyle="--", label=second)
        axes.set_xticks(places, p.get("labels", places))
    else:
        x = np.linspace(*domain, 601)
        axes.plot(x, density(p, x), color=style.DATA, label=first)
        axes.plot(x, density(q, x), color=style.MODEL, linestyle="--", label=second)
        axes.set_xlim(*domain)
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure

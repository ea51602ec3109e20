"""One normal fitted to a density with two modes, by gradient descent in the page: forward KL, reverse KL, JS."""

from typing import Any

import traitlets

from .densities import checked, picture
from .host import Explorer, read

OBJECTIVES = ("forward", "reverse", "js")


class FitExplorer(Explorer):
    """A normal q descends towards a mixture p; the reader drags where it starts. `fit` builds one."""

    module = "fit.js"

    p = traitlets.Dict(help="the density with two modes; set it and the descent starts anew").tag(sync=True)
    q = traitlets.Dict(help="the normal; it follows the descent, and set it to start from there").tag(sync=True)
    objective = traitlets.Enum(OBJECTIVES, "forward").tag(sync=True)
    rate = traitlets.Float(0.3).tag(sync=True)  # step size in (mean, log sd); halved where the objective would rise
    domain = traitlets.List(traitlets.Float()).tag(sync=True)

    @traitlets.validate("p", "q")
    def _check(self, proposal: Any) -> dict[str, Any]:
        name = proposal["trait"].name
        wanted = {"p": "mixture", "q": "normal"}[name]
        if proposal["value"].get("kind") != wanted:
            raise traitlets.TraitError(f"{name} is of the kind {proposal['value'].get('kind')!r}; give a {wanted}")
        try:
            return checked(proposal["value"], name)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error


FitExplorer._css += read("densities.css")  # it draws densities, with their look


def fit(
    *,
    objective: str = "forward",
    parting: float = 4.0,
    title: str,
    alt: str,
    weight: float = 0.5,
    mode_sd: float = 0.5,
    start: tuple[float, float] = (0.8, 1.0),
) -> FitExplorer:
    """An explorer that fits q = N(mean, sd²) to a mixture p of two normals, by gradient descent in (mean, log sd).

    objective: what is minimised, "forward" KL(p‖q), "reverse" KL(q‖p) or "js" JS(p, q); the reader can change it.
    parting: the distance of the two modes, at ±parting/2, in [0, 8].
    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.
    weight: the mass of the left mode. mode_sd: the standard deviation of each mode.
    start: mean and standard deviation of q before the first step.

    Objective and gradient are integrals by quadrature in the page, no samples; the step size is 0.3 and is halved where
    the objective would rise.
    Returns an explorer whose traits p, q and objective follow the reader and can be set.
    Raises ValueError for an unknown objective, a parting outside of [0, 8], or numbers that make no density.
    """
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    if objective not in OBJECTIVES:
        raise ValueError(f"objective is {objective!r}; give one of {', '.join(OBJECTIVES)}")
    if not 0 <= parting <= 8:
        raise ValueError(f"parting is {parting}; give a distance in [0, 8]")
    p = checked({"kind": "mixture", "mean": 0.0, "sd": mode_sd, "gap": parting, "weight": weight}, "p")
    q = checked({"kind": "normal", "mean": start[0], "sd": start[1]}, "q")
    domain = (-6.0, 6.0)
    return FitExplorer(
        p=p,
        q=q,
        objective=objective,
        domain=list(domain),
        title=title,
        alt=alt,
        poster=picture(p, q, domain, ("p", "q")),
    )

"""The densities of data and generator, the best discriminator between them, and what two losses do to the generator."""

from collections.abc import Mapping
from typing import Any

import traitlets

from .densities import checked, picture
from .host import Explorer, read

KINDS = ("normal", "mixture")
LOSSES = ("saturating", "non-saturating")


class GameExplorer(Explorer):
    """A generator's density that the reader drags, or lets follow its loss. `game` builds one."""

    module = "game.js"

    p = traitlets.Dict(help="the density of the data; set it and the picture follows").tag(sync=True)
    q = traitlets.Dict(help="the density of the generator; it follows the steps, and can be set").tag(sync=True)
    loss = traitlets.Enum(LOSSES, "saturating").tag(sync=True)
    domain = traitlets.List(traitlets.Float()).tag(sync=True)

    @traitlets.validate("p", "q")
    def _check(self, proposal: Any) -> dict[str, Any]:
        try:
            return checked(proposal["value"], proposal["trait"].name, KINDS)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error


GameExplorer._css += read("densities.css")  # it draws densities, with their look


def game(
    p: Mapping[str, Any],
    q: Mapping[str, Any],
    *,
    title: str,
    alt: str,
    loss: str = "saturating",
    domain: tuple[float, float] = (-6.0, 6.0),
) -> GameExplorer:
    """An explorer of a generator that faces the best discriminator, D* = p / (p + q), on the line.

    p, q: the densities of the data and of the generator, each a dict with its `kind` and the numbers of that kind:
        normal: mean, sd. mixture: mean, sd, gap, weight; see `densities`.
    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.
    loss: which one the steps follow at first, "saturating" (log(1 − D)) or "non-saturating" (−log D).
    domain: the part of the line that is in sight.

    Below the densities stand D*, and for each loss the slopes −dL/dx at nine samples of the generator, as arrows. Shown
    beside each other are V(D*, G) and 2 JS − log 4, in nats, and how each loss pulls the generator's mean. A step moves
    the generator's mean and the logarithm of its scale by 0.2 times the gradient, at most by 0.2, and D* follows. All
    of this is by quadrature in the page, no samples.
    Returns an explorer whose traits p, q and loss follow the reader and can be set.
    Raises ValueError for an unknown loss or kind, numbers that make no density, or a domain without its left end first.
    """
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    if loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}; give one of {', '.join(LOSSES)}")
    low, high = domain
    if not low < high:
        raise ValueError(f"domain is [{low}, {high}]; give its left end first")
    data, generator = checked(p, "p", KINDS), checked(q, "q", KINDS)
    return GameExplorer(
        p=data,
        q=generator,
        loss=loss,
        domain=[float(low), float(high)],
        title=title,
        alt=alt,
        poster=picture(data, generator, domain, ("data", "generator")),
    )

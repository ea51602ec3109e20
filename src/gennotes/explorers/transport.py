"""Two densities under the reader's hand, the plan that carries one to the other, and W₁ and JS as they part."""

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from .densities import FIELDS, checked, picture
from .host import Explorer, read


class TransportExplorer(Explorer):
    """P and Q move by their curves, by sliders and by keys; plan and distances follow. `transport` builds one."""

    module = "transport.js"

    p = traitlets.Dict(help="the density P that is shown; set it and the picture follows").tag(sync=True)
    q = traitlets.Dict(help="the density Q that is shown; set it and the picture follows").tag(sync=True)
    kinds = traitlets.List(traitlets.Unicode()).tag(sync=True)  # what the reader can choose for P and Q
    domain = traitlets.List(traitlets.Float()).tag(sync=True)  # the part of the line in sight

    @traitlets.validate("p", "q")
    def _check(self, proposal: Any) -> dict[str, Any]:
        try:
            return checked(proposal["value"], proposal["trait"].name, tuple(FIELDS))
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error


TransportExplorer._css = read("explorer.css") + read("densities.css") + read("transport.css")


def transport(
    p: Mapping[str, Any],
    q: Mapping[str, Any],
    *,
    title: str,
    alt: str,
    kinds: Sequence[str] = tuple(FIELDS),
    domain: tuple[float, float] = (-6.0, 6.0),
) -> TransportExplorer:
    """An explorer of the cheapest plan between two densities, and of W₁ and JS as the reader moves them apart.

    Above stand P and Q, which can be dragged; below them 25 lines, each of which carries a 25th of the mass from its
    place under P to its place under Q, in order, which on a line is the cheapest way; then W₁ and JS over all distances
    of the means, for the shapes as they are, with a dot where the reader stands.

    p, q: densities as in `densities`, such as {"kind": "normal", "mean": -2, "sd": 0.7}.
    title, alt: the line above the explorer; what it shows, in words, for those who do not see it.
    kinds: the kinds of density that the reader can choose from. domain: the part of the line in sight.

    All is computed in the page, by quadrature; a slope is a central difference.
    Returns an explorer whose traits `p` and `q` follow the reader and can be set.
    Raises ValueError if p or q is no density on the line, a kind is unknown, or the domain is not [low, high].
    """
    if not alt or not title:
        raise ValueError("title or alt is empty; say in words what the explorer shows")
    if unknown := [kind for kind in kinds if kind not in FIELDS]:
        raise ValueError(f"kinds has {unknown[0]!r}; give some of {', '.join(FIELDS)}")
    low, high = map(float, domain)
    if not low < high:
        raise ValueError(f"domain is [{low}, {high}]; give its left end first")
    first, second = checked(p, "p", tuple(FIELDS)), checked(q, "q", tuple(FIELDS))
    return TransportExplorer(
        p=first,
        q=second,
        kinds=list(kinds),
        domain=[low, high],
        title=title,
        alt=alt,
        poster=picture(first, second, (low, high)),
    )

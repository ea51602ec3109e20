"""Interactive figures: a Python shell and one readable ES module each, the same in JupyterLab and on a static page."""

from .densities import DensitiesExplorer, densities
from .fit import FitExplorer, fit
from .host import Explorer
from .latent import LatentExplorer, latent
from .map import MapExplorer, latent_map
from .network import Network, pack
from .panel import panel
from .transport import TransportExplorer, transport

__all__ = [
    "DensitiesExplorer",
    "Explorer",
    "FitExplorer",
    "LatentExplorer",
    "MapExplorer",
    "Network",
    "TransportExplorer",
    "densities",
    "fit",
    "latent",
    "latent_map",
    "pack",
    "panel",
    "transport",
]

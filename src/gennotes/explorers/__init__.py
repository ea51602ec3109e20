"""Interactive figures: a Python shell and one readable ES module each, the same in JupyterLab and on a static page."""

from .densities import DensitiesExplorer, densities
from .fit import FitExplorer, fit
from .host import Explorer
from .latent import LatentExplorer, latent
from .live import LiveExplorer, live
from .map import MapExplorer, latent_map
from .network import Network, pack
from .panel import panel

__all__ = [
    "DensitiesExplorer",
    "Explorer",
    "FitExplorer",
    "LatentExplorer",
    "LiveExplorer",
    "MapExplorer",
    "Network",
    "densities",
    "fit",
    "latent",
    "latent_map",
    "live",
    "pack",
    "panel",
]

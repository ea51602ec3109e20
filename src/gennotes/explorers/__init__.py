"""Interactive figures: a Python shell and one readable ES module each, the same in JupyterLab and on a static page."""

from .densities import DensitiesExplorer, densities
from .draw import DrawExplorer, draw
from .fit import FitExplorer, fit
from .game import GameExplorer, game
from .host import Explorer
from .latent import LatentExplorer, latent
from .live import LiveExplorer, live
from .map import MapExplorer, latent_map
from .network import Network, pack
from .panel import panel
from .training import Recording, TrainingExplorer, grid, recordings, training
from .transport import TransportExplorer, transport
from .walk import WalkExplorer, walk

__all__ = [
    "DensitiesExplorer",
    "DrawExplorer",
    "Explorer",
    "FitExplorer",
    "GameExplorer",
    "LatentExplorer",
    "LiveExplorer",
    "MapExplorer",
    "Network",
    "Recording",
    "TrainingExplorer",
    "TransportExplorer",
    "WalkExplorer",
    "densities",
    "draw",
    "fit",
    "game",
    "grid",
    "latent",
    "latent_map",
    "live",
    "pack",
    "panel",
    "recordings",
    "training",
    "transport",
    "walk",
]

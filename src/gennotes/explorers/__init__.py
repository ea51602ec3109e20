"""Interactive figures: a Python shell and one readable ES module each, the same in JupyterLab and on a static page."""

from .host import Explorer
from .latent import LatentExplorer, latent
from .network import Network, pack
from .panel import panel

__all__ = ["Explorer", "LatentExplorer", "Network", "latent", "pack", "panel"]

"""Pictures of a run: grids of samples, curves of its losses, a film of its training, what its latents stand for.

All of them are made without pyplot, so nothing here touches a figure of the caller's, and matplotlib and Pillow are
imported when the first picture is drawn. The functions that return a matplotlib Figure leave it to be restyled.
"""

from ..graph import Graph, graph, lines
from .film import save_gif
from .gradients import pixel_gradients
from .images import grid, samples, save_grid
from .latents import DRAWINGS, latent_plane, latent_walk, manifold, save_drawing, traversals
from .plots import curves, save_curves
from .points import scatter

__all__ = [
    "DRAWINGS",
    "Graph",
    "curves",
    "graph",
    "grid",
    "latent_plane",
    "latent_walk",
    "lines",
    "manifold",
    "pixel_gradients",
    "samples",
    "save_curves",
    "save_drawing",
    "save_gif",
    "save_grid",
    "scatter",
    "traversals",
]


def __dir__() -> list[str]:
    return __all__

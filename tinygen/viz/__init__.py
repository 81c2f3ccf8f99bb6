"""Pictures of a run: grids of samples, curves of its losses, a film of its training, the meaning of its latents.

None of them uses pyplot, so the caller's figures are untouched. matplotlib and Pillow are imported for the first
picture. A matplotlib Figure that a function returns is yours to restyle.
"""

from ..graph import Graph, graph, lines
from .film import save_gif
from .gradients import pixel_gradients
from .images import grid, samples, save_grid
from .latents import DRAWINGS, latent_plane, latent_walk, manifold, save_drawing, style_mixing, traversals
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
    "style_mixing",
    "traversals",
]


def __dir__() -> list[str]:
    return __all__

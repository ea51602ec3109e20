"""Figures of the book: one function a figure, plain arrays in, a figure out that a notebook shows once."""

from gennotes.figures.architectures import autoencoder_diagram, gan_diagram, vae_diagram
from gennotes.figures.bounds import bound_by_samples, decomposition, rate_distortion
from gennotes.figures.conditions import cgan_diagram, class_clouds, confusion_matrix
from gennotes.figures.critics import loss_against_quality, value_surfaces, weight_histograms
from gennotes.figures.densities import cross_entropies, density_curves, js_panels, kl_panels
from gennotes.figures.diagrams import Edge, Node, diagram
from gennotes.figures.fits import fitted_normals, minima_by_parting
from gennotes.figures.games import discriminator_fit, game_paths, loss_slopes, points_in_time
from gennotes.figures.gradients import estimator_spread
from gennotes.figures.images import image_grid, image_rows, reconstructions
from gennotes.figures.information import information_bars
from gennotes.figures.latent import kl_by_unit, posteriors
from gennotes.figures.latent_space import (
    code_maps,
    decoded_plane,
    holes,
    norms,
    prior_grid,
    shares_by_class,
    traversal,
)
from gennotes.figures.lines import curves
from gennotes.figures.modes import coverage_strip, mode_hopping, mode_panels, score_surface
from gennotes.figures.pictures import (
    convolution_arithmetic,
    convolution_matrix,
    layer_maps,
    neighbour_distances,
    overlap_maps,
    seed_dots,
)
from gennotes.figures.style import use
from gennotes.figures.taxonomy import model_taxonomy
from gennotes.figures.translation import patch_reach, recipe_scores, translation_diagram, unet_diagram
from gennotes.figures.transport import transport_plan

__all__ = [
    "Edge",
    "Node",
    "autoencoder_diagram",
    "bound_by_samples",
    "cgan_diagram",
    "class_clouds",
    "code_maps",
    "confusion_matrix",
    "convolution_arithmetic",
    "convolution_matrix",
    "coverage_strip",
    "cross_entropies",
    "curves",
    "decoded_plane",
    "decomposition",
    "density_curves",
    "diagram",
    "discriminator_fit",
    "estimator_spread",
    "fitted_normals",
    "game_paths",
    "gan_diagram",
    "holes",
    "image_grid",
    "image_rows",
    "information_bars",
    "js_panels",
    "kl_by_unit",
    "kl_panels",
    "layer_maps",
    "loss_against_quality",
    "loss_slopes",
    "minima_by_parting",
    "mode_hopping",
    "mode_panels",
    "model_taxonomy",
    "neighbour_distances",
    "norms",
    "overlap_maps",
    "patch_reach",
    "points_in_time",
    "posteriors",
    "prior_grid",
    "rate_distortion",
    "recipe_scores",
    "reconstructions",
    "score_surface",
    "seed_dots",
    "shares_by_class",
    "translation_diagram",
    "transport_plan",
    "traversal",
    "unet_diagram",
    "use",
    "vae_diagram",
    "value_surfaces",
    "weight_histograms",
]

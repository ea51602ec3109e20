"""Networks: `torch.nn` only. They know no loss and no training loop."""

from gennotes.models.cgan import ConditionalDiscriminator, ConditionalGenerator, ConditionalPixels, one_hot
from gennotes.models.classifier import Classifier
from gennotes.models.dcgan import DCGANDiscriminator, DCGANGenerator, Pixels
from gennotes.models.dense_ends import CategoryPixels, DenseEndsDiscriminator, DenseEndsGenerator
from gennotes.models.evaluation import evaluating
from gennotes.models.gan import MaxoutMLP, MinibatchStd, NormalisedMLP, Packed
from gennotes.models.lipschitz import clip_weights, lipschitz_bound
from gennotes.models.mlp import MLP, scatter_bends
from gennotes.models.pix2pix import PatchGAN, Signed, UNet, receptive_field
from gennotes.models.resize import ResizeConv2d
from gennotes.models.vae import VAE, GaussianHead, reparameterise

__all__ = [
    "MLP",
    "VAE",
    "CategoryPixels",
    "Classifier",
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "ConditionalPixels",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DenseEndsDiscriminator",
    "DenseEndsGenerator",
    "GaussianHead",
    "MaxoutMLP",
    "MinibatchStd",
    "NormalisedMLP",
    "Packed",
    "PatchGAN",
    "Pixels",
    "ResizeConv2d",
    "Signed",
    "UNet",
    "clip_weights",
    "evaluating",
    "lipschitz_bound",
    "one_hot",
    "receptive_field",
    "reparameterise",
    "scatter_bends",
]

"""Networks: `torch.nn` only. They know no loss and no training loop."""

from gennotes.models.vae import VAE, GaussianHead, reparameterise

__all__ = ["VAE", "GaussianHead", "reparameterise"]

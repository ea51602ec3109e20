"""Encoders and decoders of variational autoencoders (Kingma & Welling 2014). They know no loss and no loop."""

import torch
from torch import Tensor, nn

from gennotes import draws


class GaussianHead(nn.Module):
    """The last layer of an encoder: features (B, features) to the two parameters of q(z|x), each (B, latent)."""

    def __init__(self, features: int, latent: int) -> None:
        super().__init__()
        self.mu = nn.Linear(features, latent)
        self.log_var = nn.Linear(features, latent)  # log σ²: any real number is a valid output

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.mu(features), self.log_var(features)


class VAE(nn.Module):
    """A variational autoencoder for square grey images: q(z|x) normal and diagonal, p(x|z) Bernoulli per pixel.

    latent: number of latent dimensions L.
    architecture: "conv" (strided convolutions) or "mlp" (two hidden layers, as in Burda et al. 2016).
    width: hidden units of the fully connected layers; the convolutions have width/8 and width/4 channels.
    image_size: side of the image in pixels; a multiple of 4 for "conv".
    seed: of the initial weights; the global random generator is left as it was.

    `encoder(x)` takes images (B, 1, S, S) to (μ, log σ²), each (B, L);
    `decoder(z)` takes codes (B, L) to logits (B, 1, S, S), whose sigmoid is the mean of each pixel.
    Raises ValueError if an argument is out of its range.
    """

    def __init__(
        self, latent: int = 20, width: int = 256, architecture: str = "conv", image_size: int = 28, seed: int = 0
    ) -> None:
        super().__init__()
        if latent < 1 or width < 8:
            raise ValueError(f"latent={latent}, width={width}: give latent ≥ 1 and width ≥ 8")
        if architecture not in ("conv", "mlp"):
            raise ValueError(f"architecture {architecture!r} is unknown; give 'conv' or 'mlp'")
        if architecture == "conv" and image_size % 4:
            raise ValueError(
                f"image_size={image_size} is not a multiple of 4; pad the images or use architecture='mlp'"
            )
        self.latent = latent
        build = _conv if architecture == "conv" else _mlp
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone; fork_rng puts it back
            self.encoder, self.decoder = build(latent, width, image_size)


def _mlp(latent: int, width: int, size: int) -> tuple[nn.Module, nn.Module]:
    encoder = nn.Sequential(
        nn.Flatten(),  # (B, S·S)
        nn.Linear(size * size, width),  # (B, width)
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        GaussianHead(width, latent),  # (B, latent) twice
    )
    decoder = nn.Sequential(
        nn.Linear(latent, width),  # (B, width)
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, size * size),
        nn.Unflatten(1, (1, size, size)),  # (B, 1, S, S)
    )
    return encoder, decoder


def _conv(latent: int, width: int, size: int) -> tuple[nn.Module, nn.Module]:
    small, few, many = size // 4, width // 8, width // 4
    encoder = nn.Sequential(
        nn.Conv2d(1, few, 4, stride=2, padding=1),  # (B, few, S/2, S/2)
        nn.SiLU(),
        nn.Conv2d(few, many, 4, stride=2, padding=1),  # (B, many, S/4, S/4)
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(many * small * small, width),  # (B, width)
        nn.SiLU(),
        GaussianHead(width, latent),  # (B, latent) twice
    )
    decoder = nn.Sequential(
        nn.Linear(latent, width),  # (B, width)
        nn.SiLU(),
        nn.Linear(width, many * small * small),
        nn.SiLU(),
        nn.Unflatten(1, (many, small, small)),  # (B, many, S/4, S/4)
        nn.ConvTranspose2d(many, few, 4, stride=2, padding=1),  # (B, few, S/2, S/2)
        nn.SiLU(),
        nn.ConvTranspose2d(few, 1, 4, stride=2, padding=1),  # (B, 1, S, S)
    )
    return encoder, decoder


def reparameterise(
    mu: Tensor,
    log_var: Tensor,
    generator: draws.AnyGenerator | None = None,
) -> Tensor:
    """A sample of N(μ, diag σ²) through which gradients reach μ and σ.

    z = μ + σ ⊙ ε with ε ~ N(0, I).

    mu, log_var: μ and log σ², (..., L). Returns z, (..., L).
    Source: Kingma & Welling 2014, section 2.4.
    """
    lead = int(isinstance(generator, draws.Generators))
    noise = draws.normal(*mu.shape[lead:], generator=generator).to(mu)
    return mu + torch.exp(0.5 * log_var) * noise

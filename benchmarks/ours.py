"""The workloads of the baselines, trained by the package: the same networks, batches and rates, and `train.fit`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.baselines import dcgan, dcgan28, vae, wgan_gp
from gennotes import data, draws, losses, models
from gennotes.data import Images
from gennotes.studies import dcgan as small_net
from gennotes.train import Batches, Player

Step = Callable[[Mapping[str, Player], Any, torch.Generator], dict[str, Tensor]]


@dataclass(frozen=True)
class Workload:
    """What `train.fit` is given."""

    step: Step
    players: dict[str, Player]
    batches: Batches


def make_vae(device: torch.device) -> Workload:
    """The network of the baseline, its loss in nats."""
    net = vae.VAE()

    def step(players: Mapping[str, Player], batch: data.Batch, generator: torch.Generator) -> dict[str, Tensor]:
        x = batch.x.flatten(1)
        mu, log_var = net.encode(x)
        z = models.reparameterise(mu, log_var, generator)
        loss = -losses.elbo(x, net.out(F.relu(net.back(z))), mu, log_var).total.mean()
        players["vae"].minimise(loss)
        return {"loss_nats": loss}

    return Workload(step, {"vae": Player(net, lr=1e-3)}, _digits(device).batches(vae.BATCH))


def make_wgan_gp(device: torch.device, closed_form: bool = True) -> Workload:
    """One update is five steps of the critic, each on its own batch, and one of the generator."""
    g, f = wgan_gp.Generator(), models.MLP((784, 512, 256, 1), lambda: nn.LeakyReLU(0.2, inplace=True))
    score = f if closed_form else lambda x: f(x)

    def step(players: Mapping[str, Player], batch: data.Batch, generator: torch.Generator) -> dict[str, Tensor]:
        for real in batch.x.flatten(1).split(wgan_gp.BATCH):
            z = draws.normal(len(real), wgan_gp.LATENT, generator=generator)
            with torch.no_grad():
                fake = g(z).flatten(1).to(real)
            of_real, of_fake = f(torch.cat([real, fake])).split(len(real))  # no layer of f mixes images: one pass
            penalty = losses.gradient_penalty(score, real, fake, generator)
            loss = losses.critic(of_real, of_fake) + wgan_gp.PENALTY * penalty
            players["critic"].minimise(loss)
        loss_g = losses.critic_generator(f(g(z).flatten(1)))
        players["generator"].minimise(loss_g)
        return {"critic": loss, "generator": loss_g}

    players = {name: Player(net, lr=2e-4, betas=(0.5, 0.999)) for name, net in (("critic", f), ("generator", g))}
    batches = _digits(device).batches(wgan_gp.CRITIC_STEPS * wgan_gp.BATCH, low=-1, high=1)
    return Workload(step, players, batches)


def make_dcgan(device: torch.device, resize: bool = True) -> Workload:
    """The baseline's networks; its upsampling and the convolution behind it are one layer of the same weights."""
    g, d = dcgan.Generator(), dcgan.Discriminator()
    g.apply(dcgan.weights_init)
    d.apply(dcgan.weights_init)
    if resize:
        layers = list(g.body)
        for i, layer in enumerate(layers):
            if isinstance(layer, nn.Upsample):
                both = models.ResizeConv2d(layers[i + 1].in_channels, layers[i + 1].out_channels)
                both.load_state_dict(layers[i + 1].state_dict())
                layers[i : i + 2] = [nn.Identity(), both]
        g.body = nn.Sequential(*layers)
    images = _sized(_digits(device), dcgan.SIZE)

    def step(players: Mapping[str, Player], batch: data.Batch, generator: torch.Generator) -> dict[str, Tensor]:
        fake = g(draws.normal(len(batch.x), dcgan.LATENT, generator=generator))
        loss_g = losses.non_saturating(d.logits(fake).squeeze(1))
        players["generator"].minimise(loss_g)
        loss_d = losses.discriminator(d.logits(batch.x).squeeze(1), d.logits(fake.detach()).squeeze(1)) / 2
        players["discriminator"].minimise(loss_d)
        return {"discriminator": loss_d, "generator": loss_g}

    players = {name: Player(net, lr=2e-4, betas=(0.5, 0.999)) for name, net in (("discriminator", d), ("generator", g))}
    return Workload(step, players, images.batches(dcgan.BATCH, low=-1, high=1))


def make_dcgan28(device: torch.device) -> Workload:
    """The book's DCGAN."""
    g, d = models.DCGANGenerator(dcgan28.LATENT), models.DCGANDiscriminator()

    def step(players: Mapping[str, Player], batch: data.Batch, generator: torch.Generator) -> dict[str, Tensor]:
        fake = g(draws.normal(len(batch.x), dcgan28.LATENT, generator=generator))
        loss_d = losses.discriminator(d(batch.x), d(fake.detach()))
        players["discriminator"].minimise(loss_d)
        loss_g = losses.non_saturating(d(fake))
        players["generator"].minimise(loss_g)
        return {"discriminator": loss_d, "generator": loss_g}

    players = {name: Player(net, lr=2e-4, betas=(0.5, 0.999)) for name, net in (("discriminator", d), ("generator", g))}
    return Workload(step, players, _digits(device).batches(dcgan28.BATCH, low=-1, high=1))


def make_pictures(device: torch.device, size: int, seed: int = 0, enlarged: bool = False) -> Workload:
    """The small net of the book's chapter on the DCGAN, which is none, for images of 28 or 64 pixels.

    enlarged: draw and judge at half the size, between fixed layers that enlarge and reduce. Digits were scanned at 28
    pixels, so that those of 64 hold nothing finer than this.
    """
    recipe = replace(small_net.SMALL, image_size=size // 2 if enlarged else size)
    g, d = small_net.build(recipe, seed)
    if enlarged:
        g = nn.Sequential(g, nn.Upsample(scale_factor=2, mode="bilinear"))
        d = nn.Sequential(nn.AvgPool2d(2), d)
    step, players = small_net.game(recipe, g, d)
    return Workload(step, players, _sized(_digits(device), size).batches(recipe.batch, low=-1, high=1))


def make_ring(device: torch.device, seed: int | list[int]) -> Workload:
    """A GAN of small layers on eight Gaussians, one seed or several side by side."""
    g = models.MLP((16, 128, 128, 2), seed=seed)
    d = models.MLP((2, 128, 128, 1), lambda: nn.LeakyReLU(0.2), seed=seed)

    def step(players: Mapping[str, Player], batch: data.Batch, generator: Any) -> dict[str, Tensor]:
        fake = g(draws.normal(256, 16, generator=generator))
        loss_d = losses.discriminator(d(batch.x), d(fake.detach()))
        players["discriminator"].minimise(loss_d)
        loss_g = losses.non_saturating(d(fake))
        players["generator"].minimise(loss_g)
        return {"discriminator": loss_d, "generator": loss_g}

    players = {"discriminator": Player(d, betas=(0.5, 0.999)), "generator": Player(g, betas=(0.5, 0.999))}
    return Workload(step, players, data.toy("ring", device).batches(256))


def _digits(device: torch.device) -> Images:
    return data.load("mnist-5k", device).train


def _sized(images: Images, size: int) -> Images:
    if size == images.x.shape[-1]:
        return images
    sized = F.interpolate(images.x.float(), size, mode="bilinear", antialias=True).round().to(torch.uint8)
    return Images(sized, images.y)

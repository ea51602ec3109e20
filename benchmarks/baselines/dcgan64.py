"""A DCGAN for 64-pixel digits, as the application that the notes link and PyTorch's tutorial train one: batches of 64.

The rates and the initial weights are those of the tutorial, 2e-4 and N(0, 0.02²); the application (GAN_DCGAN_PyTorch by
Yagami360) has half that rate and torch's own weights.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.baselines.images import Digits

BATCH, LATENT, SIZE, MAPS = 64, 100, 64, 64


def weights_init(module):
    name = module.__class__.__name__
    if name.find("Conv") != -1:
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif name.find("BatchNorm") != -1:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.constant_(module.bias, 0.0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()

        def block(inputs, outputs, stride=2, padding=1):
            return [
                nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]

        self.layers = nn.Sequential(
            *block(LATENT, 8 * MAPS, stride=1, padding=0),
            *block(8 * MAPS, 4 * MAPS),
            *block(4 * MAPS, 2 * MAPS),
            *block(2 * MAPS, MAPS),
            nn.ConvTranspose2d(MAPS, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.layers(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()

        def block(inputs, outputs):
            return [
                nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2, inplace=True),
            ]

        self.layers = nn.Sequential(
            nn.Conv2d(1, MAPS, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            *block(MAPS, 2 * MAPS),
            *block(2 * MAPS, 4 * MAPS),
            *block(4 * MAPS, 8 * MAPS),
            nn.Conv2d(8 * MAPS, 1, 4, 1, 0, bias=False),
        )

    def forward(self, x):
        return self.layers(x).view(-1)


def train(device, generator=None):
    """Train `generator` for ever; after each update of both networks, the number of real images."""
    torch.manual_seed(0)
    transform = transforms.Compose(
        [
            transforms.Resize(SIZE, interpolation=transforms.InterpolationMode.LANCZOS),
            transforms.ToTensor(),
            transforms.Normalize([0.5], [0.5]),
        ]
    )
    workers = {"num_workers": 1, "pin_memory": True, "persistent_workers": True} if device.type == "cuda" else {}
    loader = DataLoader(Digits(transform), batch_size=BATCH, shuffle=True, drop_last=True, **workers)
    generator, discriminator = (generator or Generator()).to(device), Discriminator().to(device)
    generator.apply(weights_init)
    discriminator.apply(weights_init)
    loss_function = nn.BCEWithLogitsLoss()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    ones, zeros = torch.ones(BATCH, device=device), torch.zeros(BATCH, device=device)
    while True:
        for real, _ in loader:
            real = real.to(device)
            generator.train()

            with torch.no_grad():
                fake = generator(torch.randn(BATCH, LATENT, 1, 1, device=device))
            loss_d = loss_function(discriminator(real), ones) + loss_function(discriminator(fake), zeros)
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()

            discriminator.requires_grad_(False)
            loss_g = loss_function(discriminator(generator(torch.randn(BATCH, LATENT, 1, 1, device=device))), ones)
            optimizer_g.zero_grad()
            loss_g.backward()
            optimizer_g.step()
            discriminator.requires_grad_(True)
            loss_d.item(), loss_g.item()  # what such scripts print
            yield len(real)

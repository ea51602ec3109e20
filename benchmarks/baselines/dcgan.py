"""A DCGAN for 32-pixel digits, as in PyTorch-GAN: upsampling and convolutions, dropout, batches of 64."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.baselines.images import Digits

BATCH, LATENT, SIZE = 64, 100, 32


def weights_init(module):
    name = module.__class__.__name__
    if name.find("Conv") != -1:
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif name.find("BatchNorm2d") != -1:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.constant_(module.bias, 0.0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.small = SIZE // 4
        self.project = nn.Sequential(nn.Linear(LATENT, 128 * self.small**2))
        self.body = nn.Sequential(
            nn.BatchNorm2d(128),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 128, 3, stride=1, padding=1),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 64, 3, stride=1, padding=1),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, 1, 3, stride=1, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.body(self.project(z).view(len(z), 128, self.small, self.small))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()

        def block(inputs, outputs, normalize=True):
            layers = [
                nn.Conv2d(inputs, outputs, 3, 2, 1),
                nn.LeakyReLU(0.2, inplace=True),
                nn.Dropout2d(0.25),
            ]
            return [*layers, nn.BatchNorm2d(outputs)] if normalize else layers

        self.body = nn.Sequential(*block(1, 16, normalize=False), *block(16, 32), *block(32, 64), *block(64, 128))
        self.head = nn.Linear(128 * (SIZE // 16) ** 2, 1)

    def logits(self, x):
        return self.head(self.body(x).flatten(1))

    def forward(self, x):
        return torch.sigmoid(self.logits(x))


def train(device):
    """Train for ever; after each update of both networks, the number of real images."""
    torch.manual_seed(0)
    transform = transforms.Compose([transforms.Resize(SIZE), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    workers = {"num_workers": 1, "pin_memory": True, "persistent_workers": True} if device.type == "cuda" else {}
    loader = DataLoader(Digits(transform), batch_size=BATCH, shuffle=True, drop_last=True, **workers)
    generator, discriminator = Generator().to(device), Discriminator().to(device)
    generator.apply(weights_init)
    discriminator.apply(weights_init)
    loss_function = nn.BCELoss()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    while True:
        for real, _ in loader:
            real = real.to(device)
            valid = torch.ones(len(real), 1, device=device)
            fake = torch.zeros(len(real), 1, device=device)

            optimizer_g.zero_grad()
            images = generator(torch.randn(len(real), LATENT, device=device))
            loss_g = loss_function(discriminator(images), valid)
            loss_g.backward()
            optimizer_g.step()

            optimizer_d.zero_grad()
            loss_d = (
                loss_function(discriminator(real), valid) + loss_function(discriminator(images.detach()), fake)
            ) / 2
            loss_d.backward()
            optimizer_d.step()
            loss_d.item(), loss_g.item()  # what such scripts print
            yield len(real)

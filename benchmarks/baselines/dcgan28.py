"""The book's DCGAN for 28-pixel digits, trained as PyTorch's tutorial trains one: D on real, D on fake, then G."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.baselines.images import Digits
from gennotes.models import DCGANDiscriminator, DCGANGenerator

BATCH, LATENT = 128, 100


def train(device):
    """Train for ever; after each update of both networks, the number of real images."""
    torch.manual_seed(0)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    workers = {"num_workers": 1, "pin_memory": True, "persistent_workers": True} if device.type == "cuda" else {}
    loader = DataLoader(Digits(transform), batch_size=BATCH, shuffle=True, drop_last=True, **workers)
    generator, discriminator = DCGANGenerator(LATENT).to(device), DCGANDiscriminator().to(device)
    loss_function = nn.BCEWithLogitsLoss()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    while True:
        for real, _ in loader:
            real = real.to(device)
            label = torch.full((len(real),), 1.0, device=device)

            discriminator.zero_grad()
            loss_real = loss_function(discriminator(real), label)
            loss_real.backward()
            fake = generator(torch.randn(len(real), LATENT, device=device))
            label.fill_(0.0)
            loss_fake = loss_function(discriminator(fake.detach()), label)
            loss_fake.backward()
            optimizer_d.step()

            generator.zero_grad()
            label.fill_(1.0)
            loss_g = loss_function(discriminator(fake), label)
            loss_g.backward()
            optimizer_g.step()
            (loss_real + loss_fake).item(), loss_g.item()  # what such scripts print
            yield len(real)

"""A Wasserstein GAN of fully connected layers, with gradient penalty, as in PyTorch-GAN: batch 64, 5 critic steps."""

import torch
from torch import autograd, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.baselines.images import Digits

BATCH, LATENT, CRITIC_STEPS, PENALTY = 64, 100, 5, 10


class Generator(nn.Module):
    def __init__(self):
        super().__init__()

        def block(inputs, outputs, normalize=True):
            layers = [nn.Linear(inputs, outputs)]
            if normalize:
                layers.append(nn.BatchNorm1d(outputs))
            return [*layers, nn.LeakyReLU(0.2, inplace=True)]

        self.model = nn.Sequential(
            *block(LATENT, 128, normalize=False),
            *block(128, 256),
            *block(256, 512),
            *block(512, 1024),
            nn.Linear(1024, 784),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.model(z).view(-1, 1, 28, 28)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(784, 512),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(512, 256),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(256, 1),
        )

    def forward(self, x):
        return self.model(x.view(len(x), -1))


def gradient_penalty(critic, real, fake):
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).requires_grad_(True)
    scores = critic(between)
    gradients = autograd.grad(
        outputs=scores,
        inputs=between,
        grad_outputs=torch.ones_like(scores),
        create_graph=True,
        retain_graph=True,
    )[0]
    return ((gradients.view(len(real), -1).norm(2, dim=1) - 1) ** 2).mean()


def train(device):
    """Train for ever; after each update of the critic, the number of its real images."""
    torch.manual_seed(0)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    workers = {"num_workers": 1, "pin_memory": True, "persistent_workers": True} if device.type == "cuda" else {}
    loader = DataLoader(Digits(transform), batch_size=BATCH, shuffle=True, drop_last=True, **workers)
    generator, critic = Generator().to(device), Critic().to(device)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_c = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    while True:
        for i, (real, _) in enumerate(loader):
            real = real.to(device)
            optimizer_c.zero_grad()
            z = torch.randn(len(real), LATENT, device=device)
            fake = generator(z)
            penalty = gradient_penalty(critic, real, fake)
            loss_c = -critic(real).mean() + critic(fake).mean() + PENALTY * penalty
            loss_c.backward()
            optimizer_c.step()
            if i % CRITIC_STEPS == 0:
                optimizer_g.zero_grad()
                loss_g = -critic(generator(z)).mean()
                loss_g.backward()
                optimizer_g.step()
                loss_c.item(), loss_g.item()  # what such scripts print
            yield len(real)

"""A variational autoencoder 784-400-20, as in pytorch/examples: batches of 128, Adam at 1e-3."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.baselines.images import Digits

BATCH = 128


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean = nn.Linear(400, 20)
        self.log_var = nn.Linear(400, 20)
        self.back = nn.Linear(20, 400)
        self.out = nn.Linear(400, 784)

    def encode(self, x):
        h = F.relu(self.hidden(x))
        return self.mean(h), self.log_var(h)

    def decode(self, z):
        return torch.sigmoid(self.out(F.relu(self.back(z))))

    def forward(self, x):
        mu, log_var = self.encode(x.view(-1, 784))
        std = torch.exp(0.5 * log_var)
        z = mu + torch.randn_like(std) * std
        return self.decode(z), mu, log_var


def loss_function(x_hat, x, mu, log_var):
    bce = F.binary_cross_entropy(x_hat, x.view(-1, 784), reduction="sum")
    kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
    return bce + kl


def train(device):
    """Train for ever; after each update, the number of its images."""
    torch.manual_seed(0)
    workers = {"num_workers": 1, "pin_memory": True, "persistent_workers": True} if device.type == "cuda" else {}
    loader = DataLoader(Digits(transforms.ToTensor()), batch_size=BATCH, shuffle=True, drop_last=True, **workers)
    model = VAE().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    while True:
        total = 0
        for x, _ in loader:
            x = x.to(device)
            optimizer.zero_grad()
            x_hat, mu, log_var = model(x)
            loss = loss_function(x_hat, x, mu, log_var)
            loss.backward()
            total += loss.item()
            optimizer.step()
            yield len(x)

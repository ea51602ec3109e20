"""The architectures of the chapters, as nodes and edges."""

from typing import Any

from gennotes.figures import style
from gennotes.figures.diagrams import Edge, Node, diagram


def autoencoder_diagram(image: Any, reconstruction: Any, title: str | None = None) -> style.Figure:
    """An autoencoder: a digit, its code, and the digit again.

    image, reconstruction: (H, W) or (1, H, W) in [0, 1].
    """
    y = 1.05
    nodes = {
        "x": Node((0.72, y), "image", (1.1, 1.1), below="image $x$", colour=style.DATA, image=image),
        "encoder": Node((2.2, y), "narrowing", (1.15, 1.3), "encoder", colour=style.DATA),
        "z": Node((3.6, y), "cells", (0.26, 1.04), above="code $z$", colour=style.REFERENCE),
        "decoder": Node((5.0, y), "widening", (1.15, 1.3), "decoder", colour=style.MODEL),
        "y": Node(
            (6.48, y), "image", (1.1, 1.1), below=r"reconstruction $\hat{x}$", colour=style.MODEL, image=reconstruction
        ),
    }
    edges = [Edge("x", "encoder"), Edge("encoder", "z"), Edge("z", "decoder"), Edge("decoder", "y")]
    title = title or "An autoencoder squeezes an image into a code and draws it again"
    return diagram(nodes, edges, title, height=2.25)


def vae_diagram(image: Any, reconstruction: Any, title: str | None = None) -> style.Figure:
    """A variational autoencoder: the encoder gives a normal, a sample of it is decoded, two terms are scored.

    image, reconstruction: (H, W) or (1, H, W) in [0, 1]; the reconstruction holds the pixel means.
    """
    y = 2.2
    kl, fit = r"$\mathrm{KL}(q_\phi(z|x)\;\|\;p(z))$", r"$\mathrm{E}_{q}\,[\,\log\,p_\theta(x|z)\,]$"
    nodes = {
        "x": Node((0.62, y), "image", (1.0, 1.0), above="image $x$", colour=style.DATA, image=image),
        "encoder": Node((1.92, y), "narrowing", (1.02, 1.36), "encoder\n" + r"$q_\phi(z|x)$", colour=style.DATA),
        "mu": Node((3.05, y + 0.57), "cells", (0.2, 0.8), above=r"$\mu$", colour=style.DATA),
        "log_var": Node((3.05, y - 0.57), "cells", (0.2, 0.8), below=r"$\log\,\sigma^2$", colour=style.DATA),
        "z": Node((4.14, y), "cells", (0.2, 0.8), above=r"$z = \mu + \sigma \odot \epsilon$"),
        "noise": Node((4.14, y - 1.02), "circle", (0.46, 0.46), r"$\epsilon$"),
        "law": Node((4.8, y - 1.02), "text", (0.8, 0.3), r"$\sim\,\mathcal{N}(0, I)$"),
        "decoder": Node((5.34, y), "widening", (1.02, 1.36), "decoder\n" + r"$p_\theta(x|z)$", colour=style.MODEL),
        "y": Node((6.58, y), "image", (1.0, 1.0), above="pixel means", colour=style.MODEL, image=reconstruction),
        "kl": Node((3.6, 3.95), "box", (2.3, 0.56), f"KL term\n{kl}", colour=style.OTHER),
        "prior": Node((6.25, 3.95), "box", (1.6, 0.56), "prior\n" + r"$p(z) = \mathcal{N}(0, I)$"),
        "fit": Node((3.6, 0.36), "box", (2.3, 0.56), f"reconstruction term\n{fit}", colour=style.OTHER),
    }
    edges = [
        Edge("x", "encoder"),
        Edge("encoder.right", "mu.left"),
        Edge("encoder.right", "log_var.left"),
        Edge("mu.right", "z.left"),
        Edge("log_var.right", "z.left"),
        Edge("noise", "z"),
        Edge("z", "decoder"),
        Edge("decoder", "y"),
        Edge("encoder.top", "kl.left", through=[(1.92, 3.95)], dashed=True),
        Edge("prior", "kl", dashed=True),
        Edge("x.bottom", "fit.left", through=[(0.62, 0.36)], dashed=True),
        Edge("y.bottom", "fit.right", through=[(6.58, 0.36)], dashed=True),
    ]
    title = title or "A VAE encodes an image as a distribution and decodes a sample"
    return diagram(nodes, edges, title, height=4.65)


def gan_diagram(real: Any, fake: Any, title: str | None = None) -> style.Figure:
    """A generative adversarial network: noise is turned into a fake, and the discriminator judges it beside the data.

    real, fake: pictures of draws, (H, W) or (1, H, W) in [0, 1].
    """
    upper, lower = 2.92, 1.22
    nodes = {
        "x": Node((2.72, upper), "image", (1.0, 1.0), above="data $x$", colour=style.DATA, image=real),
        "z": Node((0.42, lower), "cells", (0.22, 0.88), below=r"$z \sim p(z)$", colour=style.REFERENCE),
        "G": Node((1.42, lower), "widening", (1.1, 1.2), "generator\n$G$", colour=style.MODEL),
        "fake": Node((2.72, lower), "image", (1.0, 1.0), below="fake $G(z)$", colour=style.MODEL, image=fake),
        "D": Node((4.3, 2.07), "narrowing", (1.36, 1.5), "discriminator\n$D$", colour=style.CRITIC),
        "p": Node((6.16, 2.07), "box", (1.72, 0.62), "probability\n“from the data”", colour=style.CRITIC),
        "for_d": Node((6.16, 3.2), "text", (1.5, 0.5), "target 1 for $x$,\n0 for $G(z)$"),
        "for_g": Node((6.16, 0.88), "text", (1.9, 0.5), "$G$ wants 1\nfor $G(z)$"),
    }
    edges = [
        Edge("z", "G"),
        Edge("G", "fake"),
        Edge("x.right", "D.left"),
        Edge("fake.right", "D.left"),
        Edge("D", "p"),
        Edge("for_d.left", "D.top", through=[(4.3, 3.2)], dashed=True, colour=style.CRITIC),
        Edge("for_g.bottom", "G.bottom", through=[(6.16, 0.2), (1.42, 0.2)], dashed=True, colour=style.MODEL),
    ]
    title = title or "A GAN is a game: the discriminator tells data from fakes, the generator learns to pass for data"
    return diagram(nodes, edges, title, height=4.36)

"""Where the models of the book stand: what each gives, and what it is trained on."""

from gennotes.figures import style
from gennotes.figures.diagrams import Edge, Node, diagram

COLUMNS = (0.95, 2.72, 4.49, 6.26)  # inches: the four kinds of model
KINDS = {  # what is done with the density, which models do so, what is minimised
    "summed or\nintegrated": (
        "independent pixels\nmixture\nprobabilistic PCA\nautoregressive, flow",
        r"$\mathrm{KL}(p_\mathrm{data}\,\|\,p_\theta)$",
    ),
    "bounded\nfrom below": ("VAE", "a bound of\n" + r"$\mathrm{KL}(p_\mathrm{data}\,\|\,p_\theta)$"),
    "scored by a\ndiscriminator": ("GAN\nDCGAN\nconditional GAN\npix2pix", r"$\mathrm{JS}(p_\mathrm{data},\,p_g)$"),
    "scored by\na critic": ("WGAN", r"$\mathrm{W}_1(p_\mathrm{data},\,p_g)$"),
}


def model_taxonomy(title: str = "A model gives a density, or nothing but samples") -> style.Figure:
    """The tree of explicit and implicit models, with the models under each branch and what each minimises.

    Source: after Goodfellow 2016, figure 9, reduced to the models that the book treats or names.
    """
    explicit, implicit = sum(COLUMNS[:2]) / 2, sum(COLUMNS[2:]) / 2
    nodes = {
        "model": Node(((explicit + implicit) / 2, 4.45), "box", (2.3, 0.42), "a model of the data"),
        "explicit": Node(
            (explicit, 3.5), "box", (2.7, 0.62), "explicit:\n" + r"$p_\theta(x)$ is written down", colour=style.MODEL
        ),
        "implicit": Node(
            (implicit, 3.5), "box", (2.7, 0.62), "implicit:\n" + r"only $x = G(z)$ is", colour=style.CRITIC
        ),
    }
    edges = [Edge("model", "explicit.top"), Edge("model", "implicit.top")]
    for i, (kind, (models, objective)) in enumerate(KINDS.items()):
        parent, x = ("explicit", "implicit")[i // 2], COLUMNS[i]
        colour = nodes[parent].colour
        nodes[kind] = Node((x, 2.45), "box", (1.5, 0.62), kind, colour=colour)
        nodes[f"models {i}"] = Node((x, 1.46), "text", (1.6, 0.9), models)
        nodes[f"objective {i}"] = Node((x, 0.42), "box", (1.66, 0.62), objective, colour=style.OTHER)
        edges.append(Edge(f"{parent}.bottom", f"{kind}.top"))
    return diagram(nodes, edges, title, height=5.15)

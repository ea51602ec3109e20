"""The drawer of diagrams: nodes where they were put, arrows from border to border."""

import itertools

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, PathPatch

from gennotes import figures
from gennotes.figures import Edge, Node, diagram
from gennotes.figures.diagrams import _border


def test_every_node_and_edge_is_drawn():
    nodes = {
        "x": Node((0.7, 1.0), "image", image=np.eye(28)),
        "f": Node((2.2, 1.0), "narrowing", text="encoder"),
        "z": Node((3.6, 1.0), "cells", (0.25, 1.0), above="code"),
        "g": Node((5.0, 1.0), "widening", text="decoder"),
        "e": Node((6.5, 1.0), "circle", (0.5, 0.5), text="noise"),
    }
    names = list(nodes)
    edges = [Edge(a, b, text=f"{a}{b}") for a, b in itertools.pairwise(names)]
    axes = diagram(nodes, edges, "All kinds").axes[0]
    assert len([patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]) == 4
    assert {text.get_text() for text in axes.texts} == {"encoder", "code", "decoder", "noise", "xf", "fz", "zg", "ge"}
    np.testing.assert_array_equal(axes.images[0].get_array(), np.eye(28))
    assert len(axes.collections[0].get_paths()) == 4  # cells as tall as the column is wide


def test_arrows_meet_the_facing_borders():
    node = Node((2.0, 1.0), "box", (1.0, 0.5))
    for towards, (x, y) in {(9, 1): (2.5, 1), (-9, 1): (1.5, 1), (2, 9): (2, 1.25), (2, -9): (2, 0.75)}.items():
        meets = _border(node, "", towards)
        assert meets == pytest.approx((x, y), abs=0.04)
        assert meets != pytest.approx((x, y), abs=0.01)  # a little outside
    assert _border(node, "left", (9, 1)) == pytest.approx((1.5, 1), abs=0.04)


def test_dashed_edges_turn_their_corners_and_have_one_head():
    nodes = {"a": Node((1.0, 1.0)), "b": Node((5.0, 1.5))}
    axes = diagram(nodes, [Edge("a.bottom", "b.bottom", through=[(1, 0.2), (5, 0.2)], dashed=True)], "A way").axes[0]
    way = next(patch for patch in axes.patches if type(patch) is PathPatch).get_path().vertices
    np.testing.assert_allclose(way[1:3], [(1, 0.2), (5, 0.2)])
    assert len([patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]) == 1


@pytest.mark.parametrize("edge", [Edge("a", "c"), Edge("a.middle", "a")])
def test_an_edge_to_nowhere(edge):
    with pytest.raises(ValueError, match=r"needs a node .*; the nodes are 'a', the sides left, right, top and bottom"):
        diagram({"a": Node((1, 1))}, [edge], "None")


def test_a_node_of_no_kind():
    with pytest.raises(ValueError, match="kind 'hexagon' is unknown; give one of 'image'"):
        Node((1, 1), "hexagon")
    with pytest.raises(ValueError, match="give an image to kind 'image' only"):
        Node((1, 1), "image")


def test_architectures_show_the_digits_given(digits):
    for draw in (figures.autoencoder_diagram, figures.vae_diagram):
        axes = draw(digits[0], digits[1]).axes[0]
        np.testing.assert_allclose([image.get_array() for image in axes.images], digits[:2, 0])
        assert draw(digits[0, 0], digits[1, 0], title="Mine").get_suptitle() == "Mine"


def test_the_vae_names_its_parts(digits):
    words = " ".join(text.get_text() for text in figures.vae_diagram(digits[0], digits[1]).axes[0].texts)
    for part in (r"\mu", r"\log\,\sigma^2", r"\odot \epsilon", r"\mathcal{N}(0, I)", "KL term", "reconstruction term"):
        assert part in words

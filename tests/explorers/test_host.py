"""Bundling, the two hosts on the Python side, and images as text."""

import base64
import io
import json
import re

import anywidget
import comm
import numpy as np
import pytest
from PIL import Image

from gennotes.explorers import LatentExplorer
from gennotes.explorers.host import bundle
from gennotes.explorers.images import data_uri, mosaic


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "leaf.js").write_text("export const one = 1;\nexport function two() {\n  return 2;\n}\n")
    (tmp_path / "branch.js").write_text(
        'import { one as first, two } from "./leaf.js";\nconst hidden = 0;\nexport default { first, two };\n'
    )
    return tmp_path


def test_imports_are_written_out_once_and_names_stay_apart(folder, browser):
    text = bundle(
        'import branch from "./branch.js";\nimport { one, two } from "./leaf.js";\n'
        "const hidden = 7;\nexport default [branch.first, branch.two(), one, two(), hidden];\n",
        folder,
    )
    assert "import" not in text
    assert text.count("function two()") == 1
    page = browser.new_page()
    got = page.evaluate("text => import('data:text/javascript,' + encodeURIComponent(text)).then(m => m.default)", text)
    page.close()
    assert got == [1, 2, 1, 2, 7]


@pytest.mark.parametrize(
    "line", ['import * as all from "./leaf.js";', 'import x from "https://example.org/x.js";', 'import "./leaf.js";']
)
def test_other_imports_are_refused(line, folder):
    with pytest.raises(ValueError, match="cannot be written out"):
        bundle(line + "\n", folder)


def test_a_module_cannot_end_its_script_element(folder):
    with pytest.raises(ValueError, match="would end the script element"):
        bundle("const text = '</SCRIPT>';\n", folder)


def test_the_module_follows_the_contract_of_anywidget():
    text = str(LatentExplorer._esm)
    assert re.search(r"^export default \{ render \};$", text, re.MULTILINE)
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert issubclass(LatentExplorer, anywidget.AnyWidget)


@pytest.fixture
def comms(monkeypatch):
    opened = []
    create = comm.create_comm
    monkeypatch.setattr(comm, "create_comm", lambda *args, **values: opened.append(values) or create(*args, **values))
    return opened


def again(explorer: LatentExplorer) -> LatentExplorer:
    """Another explorer with the same values."""
    names = ["network", "order", "z", "spread", "anchors", "thumbnails", "labels", "title", "alt", "poster"]
    return LatentExplorer(**{name: getattr(explorer, name) for name in names})


def test_a_static_explorer_opens_no_comm_and_is_one_piece_of_html(explorer, comms, monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    static = again(explorer)
    static.z = [0.5] * 8
    bundle_ = static._repr_mimebundle_()
    static.close()
    assert comms == []
    assert set(bundle_) == {"text/html"}
    text = bundle_["text/html"]
    assert not re.search(r"""(?:src|href)=["'](?!data:)|url\((?!\$|data:)|@import|https?://(?!onnx\.ai)""", text)
    assert 'alt="seven by five &quot;pixels&quot;"' in text
    assert text.count("<script") == text.count("</script>") == 2
    data = re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)[1]
    assert "<" not in data
    values = json.loads(data)
    assert values["z"] == [0.5] * 8
    assert values["title"] == "A <small> decoder"
    assert "layout" not in values


def test_a_live_explorer_leaves_no_weights_in_the_notebook(explorer, comms, monkeypatch):
    monkeypatch.delenv("GENNOTES_STATIC", raising=False)
    live = again(explorer)
    data, _ = live._repr_mimebundle_()
    assert len(comms) == 2  # the explorer and its layout
    assert set(data) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert len(json.dumps(data)) < 300
    live.close()


def test_every_piece_of_html_has_an_id_of_its_own(explorer):
    ids = re.findall(r'<div id="([\w-]+)"', explorer.to_html() + explorer.to_html())
    assert len(set(ids)) == 2


def test_data_uri_and_mosaic():
    images = np.random.default_rng(0).uniform(size=(5, 3, 4))
    sheet = mosaic(images, columns=2, gap=1)
    assert sheet.shape == (3 * 4 - 1, 2 * 5 - 1)
    assert np.array_equal(sheet[4:7, 5:9], images[3])
    assert sheet[:, 4].sum() == 0
    png = base64.b64decode(data_uri(sheet).removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(png)) as image:
        assert np.abs(np.asarray(image) - 255 * sheet).max() <= 0.5

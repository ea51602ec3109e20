"""A study writes what it measured and how, whole or not at all, and chapters read it back."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from gennotes import data, studies
from gennotes.studies import collapse
from gennotes.studies import vae as vae_study
from gennotes.studies._cores import run_all

BOOK = Path(__file__).parent.parent / "book"


@dataclass(frozen=True)
class Settings:
    scale: float = 2.0


@pytest.fixture
def toy(monkeypatch):
    """A study that takes no time, found under the name "toy"."""

    def measure(settings, seeds, device):
        return {"third": [settings.scale * seed / 3 for seed in seeds]}

    study = SimpleNamespace(Settings=Settings, measure=measure)
    monkeypatch.setattr(studies, "names", lambda: ["toy"])
    monkeypatch.setattr(studies.importlib, "import_module", lambda name: study)
    return study


def test_the_file_says_what_was_measured_and_how(toy, tmp_path):
    path = studies.measure("toy", [1, 2], tmp_path / "new", "cpu")
    found = studies.read("toy", path.parent)
    assert found["values"] == {"third": [0.666667, 1.33333]}
    assert found["seeds"] == [1, 2]
    assert found["settings"] == {"scale": 2.0}
    assert found["provenance"]["device"] == "cpu"
    assert {"command", "commit", "seconds", "study"} <= set(found)
    assert [p.name for p in path.parent.iterdir()] == ["toy.json"]


def test_a_study_that_fails_leaves_the_older_file(toy, tmp_path):
    path = studies.measure("toy", [1], tmp_path, "cpu")
    before = path.read_text()
    toy.measure = lambda settings, seeds, device: {"broken": [object()]}
    with pytest.raises(TypeError):
        studies.measure("toy", [1], tmp_path, "cpu")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("name", "seeds", "says"),
    [("nope", [0], "no study 'nope'"), ("toy", [], "at least one"), ("toy", [1, 1], "only once")],
)
def test_bad_input_is_one_clear_error(toy, tmp_path, name, seeds, says):
    with pytest.raises(ValueError, match=says):
        studies.measure(name, seeds, tmp_path, "cpu")


def test_what_was_not_measured_reads_as_none(tmp_path):
    assert studies.read("toy.cuda", tmp_path) is None


def test_published_numbers_name_their_source():
    burda = studies.published("burda2016", BOOK / "published.json")
    assert burda["nll_nats"] == 86.76
    assert "Table 1" in burda["source"]
    with pytest.raises(ValueError, match="burda2016"):
        studies.published("nobody", BOOK / "published.json")


def test_every_study_was_measured_with_its_present_settings():
    for name in studies.names():
        found = studies.read(name, BOOK / "measurements")
        assert found is not None, f"book/measurements/{name}.json is missing; run make study NAME={name}"
        module = getattr(studies, name)
        present = json.loads(json.dumps(studies.dataclasses.asdict(module.Settings())))
        assert found["settings"] == present, f"the settings changed; run make study NAME={name} again"
        assert len(found["seeds"]) >= 5


@pytest.fixture(scope="module")
def tiny():
    """A VAE trained for a moment on few digits."""
    digits = data.load("mnist-5k", "cpu")
    few = data.ImageSet("few", digits.train[:64], digits.validation[:20], digits.test[:20], digits.classes, "", "")
    settings = vae_study.Settings(architecture="mlp", latent=3, width=16, batch=16, steps=4)
    return settings, few, *vae_study.fit(settings, few, seed=1)


def test_the_study_trains_by_the_bound(tiny):
    settings, _few, vae, run = tiny
    assert len(run.history.records["elbo_nats"]) == settings.steps
    assert run.history.snapshots["elbo_nats"][-1] > run.history.snapshots["elbo_nats"][0]
    assert not vae.training


def test_the_three_scores_differ_in_the_binarisation_alone():
    x = torch.tensor([0.0, 0.2, 0.5, 0.51, 1.0]).view(1, 1, 1, 5).expand(4000, 1, 1, 5)
    found = vae_study.versions(x, torch.Generator().manual_seed(0))
    assert torch.equal(found["grey"], x)
    assert found["thresholded"][0].flatten().tolist() == [0, 0, 0, 1, 1]
    assert set(found["sampled"].unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(found["sampled"].mean(0), x[0], atol=0.04)


def test_the_score_is_the_bound_in_two_terms(tiny):
    _, few, vae, _ = tiny
    x = vae_study.binarise(few.test.pixels(), torch.Generator().manual_seed(0))
    found = collapse.score(vae, x, torch.Generator().manual_seed(1))
    bound = vae_study.bound(vae, x, torch.Generator().manual_seed(1)).item()
    assert found["rate_nats"] >= 0
    assert -found["distortion_nats"] - found["rate_nats"] == pytest.approx(bound, rel=1e-5)
    assert 0 <= found["active_units"] <= 3


@pytest.mark.parametrize("cores", [1, 2])
def test_runs_on_all_cores_come_in_their_order(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    found = run_all(divmod, [(7, 2), (9, 4), (5, 5)], torch.device("cpu"))
    assert found == [(3, 1), (2, 1), (1, 0)]

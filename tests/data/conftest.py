"""A cache of its own for these tests, shared by them, and no folder of data from the caller's environment."""

import pytest


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _environment(monkeypatch, shared_home):
    monkeypatch.setenv("GENNOTES_DEVICE", "cpu")
    monkeypatch.setenv("GENNOTES_HOME", str(shared_home))
    monkeypatch.delenv("GENNOTES_DATA", raising=False)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty cache."""
    folder = tmp_path / "home"
    monkeypatch.setenv("GENNOTES_HOME", str(folder))
    return folder

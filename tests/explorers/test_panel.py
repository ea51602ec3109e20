"""The panel runs the reader's function with the values of its controls, and stands aside on a static page."""

from ipywidgets import Button, IntSlider

from gennotes import explorers


def test_the_button_runs_the_function_with_the_values_of_the_controls(monkeypatch):
    monkeypatch.delenv("GENNOTES_STATIC", raising=False)
    calls = []
    panel = explorers.panel(
        lambda steps, size: calls.append((steps, size)), "Go", steps=IntSlider(3), size=IntSlider(4)
    )
    assert calls == []  # nothing runs before it is asked for
    button = next(child for child in panel.children if isinstance(child, Button))
    assert button.description == "Go"
    panel.children[0].value = 7
    assert calls == []
    button.click()
    assert calls == [(7, 4)]


def test_a_static_page_gets_one_line_and_no_widget(monkeypatch):
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    note = explorers.panel(lambda steps: None, "Go", steps=IntSlider(3))
    assert "JupyterLab" in note._repr_html_()
    assert not hasattr(note, "comm")

"""The pages in Firefox, from disk: nothing on the console, mathematics set, explorers that answer a key."""

from pathlib import Path

import pytest
from built import PAGES
from firefox import Firefox

RIGHT = "\ue014"  # the arrow key, as WebDriver spells it
LOOK = """[...document.querySelectorAll(".gn-explorer")].map((explorer) => JSON.stringify([
  explorer.innerText,
  [...explorer.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()),
  [...explorer.querySelectorAll("svg")].map((svg) => svg.innerHTML),
]))"""
FOCUS = """document.querySelectorAll(".gn-explorer")[{}]
  .querySelector("input[type=range], [role=slider], [role=application]").focus()"""
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_in_firefox(firefox: Firefox, html: Path, page: str) -> None:
    firefox.open(f"{html.as_uri()}/{page}.html")
    firefox.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    assert firefox.evaluate("document.querySelectorAll('mjx-merror').length") == 0
    wanted, formulas = (
        f"document.querySelectorAll('.bd-article .math{part}').length" for part in ("", " > mjx-container")
    )
    assert firefox.evaluate(wanted) == firefox.evaluate(formulas)
    hosts = firefox.evaluate("document.querySelectorAll('.gn-explorer-host').length")
    before = firefox.evaluate(LOOK)
    assert len(before) == hosts
    for i in range(hosts):
        firefox.evaluate("document.querySelectorAll('.gn-explorer details').forEach((fold) => (fold.open = true))")
        firefox.evaluate(FOCUS.format(i))
        for _ in range(4):
            firefox.press(RIGHT)
    firefox.evaluate(FRAMES)
    after = firefox.evaluate(LOOK)
    assert all(then != now for then, now in zip(before, after, strict=True))
    assert [line for line in firefox.console if line.startswith(("error", "warn"))] == []

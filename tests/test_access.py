"""Pages for everyone: by keyboard, by screen reader, without motion, without scripts, on paper."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from built import CHAPTERS, PAGES, WITH_EXPLORER, visit
from playwright.sync_api import Browser, Page

AXE = Path(find_spec("axe_playwright_python").origin).parent / "axe.min.js"
THEIRS = ["search", "genindex"]  # pages that Sphinx makes
FOCUSABLE = ".gn-explorer :is(button, input, select, summary, [tabindex='0']):visible"


def unfold(page: Page) -> None:
    """Open everything that is folded, and wait until it stands."""
    page.evaluate(
        """() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
          for (const button of document.querySelectorAll(".toggle-hidden > .toggle-button")) button.click();
        }"""
    )
    page.wait_for_function("document.getAnimations().every(motion => motion.playState !== 'running')")


def violations(page: Page, left_out: list[str]) -> list[str]:
    """What axe-core finds: rule, impact, and the first elements."""
    found = page.evaluate(
        "left => axe.run({ exclude: left.map(each => [each]) }, { resultTypes: ['violations'] })", left_out
    )
    return [
        f"{rule['impact']} {rule['id']} ({len(rule['nodes'])}): {[node['html'][:100] for node in rule['nodes'][:3]]}"
        for rule in found["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES + THEIRS)
def test_axe_finds_nothing(browser: Browser, html: Path, page: str, scheme: str) -> None:
    """No violation of any impact, with everything unfolded: at the width of a desktop, in the dark of a phone, too."""
    with visit(browser, html.as_uri(), f"{page}.html", scheme=scheme, reduced_motion="reduce") as opened:
        hosts = opened.page.locator(".gn-explorer-host").count()
        assert opened.page.locator(".gn-explorer-host .gn-explorer").count() == hosts
        unfold(opened.page)
        opened.page.add_script_tag(path=AXE)
        # The insides of a formula are drawn by pseudo-elements, which axe cannot see. The colours of code are the same
        # in all chapters: beyond the first, its thousands of spans, which take axe most of its time, become plain text.
        if page == CHAPTERS[0]:
            assert violations(opened.page, ["mjx-math"]) == []
        opened.page.evaluate("for (const code of document.querySelectorAll('pre')) code.textContent = code.textContent")
        if page != CHAPTERS[0]:
            assert violations(opened.page, ["mjx-math"]) == []
        if scheme == "light":  # a narrow page has the colours of a wide one, and a light one the layout of a dark one
            return
        opened.page.set_viewport_size({"width": 390, "height": 844})
        opened.page.wait_for_timeout(500)  # what is too wide now is given to the keyboard a moment later
        assert violations(opened.page, ["mjx-math"]) == []


def test_axe_would_find_something(browser: Browser, html: Path) -> None:
    """The page with three planted defects: a nameless button, pale words, a picture without a text."""
    with visit(browser, html.as_uri(), f"{PAGES[0]}.html", reduced_motion="reduce") as opened:
        opened.page.evaluate(
            """document.querySelector(".bd-article").insertAdjacentHTML("beforeend",
               "<button></button><p style='color: #ccc; background: #fff'>pale</p><img src='data:,'>")"""
        )
        opened.page.add_script_tag(path=AXE)
        found = " ".join(violations(opened.page, ["mjx-math"]))
        assert all(rule in found for rule in ("button-name", "color-contrast", "image-alt"))


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_explorers_have_names(browser: Browser, html: Path, page: str) -> None:
    """Every explorer, every picture in it and every control says what it is."""
    with visit(browser, html.as_uri(), f"{page}.html", reduced_motion="reduce") as opened:
        unfold(opened.page)
        for explorer in opened.page.locator(".gn-explorer").all():
            assert len(explorer.get_attribute("aria-label")) > 10
            for picture in explorer.locator("canvas, svg").all():
                if picture.evaluate("e => !e.closest('[aria-hidden=true], [role=application]')"):
                    assert picture.get_attribute("role") in ("img", "group")
                    assert picture.get_attribute("aria-label")
            for slider in explorer.locator("input[type=range]").all():
                assert slider.get_attribute("aria-valuetext")
            assert explorer.locator("[aria-live], [role=status]").count() >= 1
        nameless = opened.page.locator(FOCUSABLE).evaluate_all(
            """controls => controls
                 .filter((e) => ![e.ariaLabel, ...[e, ...(e.labels ?? [])].map((each) => each.textContent)]
                   .some((name) => name?.trim()))
                 .map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert opened.page.locator(FOCUSABLE).count() > 0
        assert nameless == []


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_focus_is_visible(browser: Browser, html: Path, page: str) -> None:
    """Every control of an explorer looks different while the keyboard is on it."""
    # A handle of a drawing shows it by the knob within.
    look = """e => [e, ...e.children].flatMap(each => ['outline', 'boxShadow', 'fill', 'stroke', 'strokeWidth']
      .map(name => getComputedStyle(each)[name])).join()"""
    with visit(browser, html.as_uri(), f"{page}.html", reduced_motion="reduce") as opened:
        opened.page.keyboard.press("Tab")  # from now on the browser takes the reader for one with a keyboard
        for control in opened.page.locator(FOCUSABLE).all():
            before = control.evaluate(look)
            control.focus()
            assert control.evaluate(look) != before, control.evaluate("e => e.outerHTML.slice(0, 120)")


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_reduced_motion(browser: Browser, html: Path, page: str) -> None:
    """Nothing moves by itself for a reader who wants no motion; on the cover it does for others."""
    with visit(browser, html.as_uri(), f"{page}.html", reduced_motion="reduce") as opened:
        still = opened.page.locator(".gn-explorer").evaluate_all(
            """async explorers => {
              let changes = 0;
              const watch = new MutationObserver(records => (changes += records.length));
              for (const explorer of explorers) watch.observe(explorer, { subtree: true, attributes: true });
              for (let frame = 0; frame < 20; frame++) await new Promise(requestAnimationFrame);
              return changes;
            }"""
        )
        assert still == 0


def test_the_cover_walks(browser: Browser, html: Path) -> None:
    with visit(browser, html.as_uri(), f"{PAGES[0]}.html", reduced_motion="no-preference") as opened:
        explorer = opened.page.locator(".gn-explorer").first
        explorer.scroll_into_view_if_needed()
        begin = explorer.get_attribute("data-z")
        opened.page.wait_for_function(
            "begin => document.querySelector('.gn-explorer').dataset.z !== begin", arg=begin, timeout=10_000
        )


@pytest.mark.parametrize("page", WITH_EXPLORER)
def test_poster_without_scripts(browser: Browser, html: Path, page: str) -> None:
    """A still picture with a text stands for the explorer, and goes when scripts run."""
    with visit(browser, html.as_uri(), f"{page}.html", reduced_motion="reduce") as opened:
        posters = opened.page.locator(".gn-poster").count()
        assert posters == opened.page.locator(".gn-explorer").count() >= 1
        assert opened.page.locator(".gn-poster:visible").count() == 0
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    bare = context.new_page()
    bare.goto(f"{html.as_uri()}/{page}.html")
    assert bare.locator(".gn-explorer").count() == 0
    assert bare.locator(".gn-poster:visible").count() == posters
    for poster in bare.locator(".gn-poster").all():
        assert poster.bounding_box()["height"] > 60
        assert len(poster.get_attribute("alt")) > 20
    context.close()


# ---------------------------------------------------------------------------------------------------------- on paper

SCREEN = "[document.documentElement.dataset.theme, document.querySelectorAll('[open]').length]"
PAPER = """() => {
  const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getBoundingClientRect().height > 0;
  const all = (selector) => [...document.querySelectorAll(selector)];
  return {
    theme: document.documentElement.dataset.theme,
    ground: getComputedStyle(document.body).backgroundColor,
    controls: all("[class*=bd-sidebar], .bd-header-article, .prev-next-footer, .gn-explorer, button")
      .filter(seen).map((e) => e.outerHTML.slice(0, 80)),
    titles: all("h1").filter(seen).length,
    folded: all("details:not([open]), .toggle-hidden").length,
    posters: all(".gn-poster").map(seen),
    cut: all(".bd-article :is(pre, mjx-container, .pst-scrollable-table-container)")
      .filter((e) => seen(e) && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible")
      .map((e) => e.textContent.slice(0, 80)),
    wide: all(".bd-article :is(pre, img)").filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
      .map((e) => e.outerHTML.slice(0, 80)),
  };
}"""


@pytest.mark.parametrize("page", PAGES)
def test_on_paper(browser: Browser, html: Path, page: str) -> None:
    """From a dark screen: light, unfolded, nothing to press, nothing cut; and afterwards the screen is as it was."""
    a4 = 665  # CSS pixels between the margins
    with visit(browser, html.as_uri(), f"{page}.html", width=a4, scheme="dark", reduced_motion="reduce") as opened:
        before = opened.page.evaluate(SCREEN)
        opened.page.emulate_media(media="print")
        opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        paper = opened.page.evaluate(PAPER)
        assert paper.pop("titles") == 1
        assert paper.pop("theme") == "light"
        assert paper.pop("ground") in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
        assert paper.pop("folded") == 0
        assert all(paper.pop("posters"))
        assert paper == {"controls": [], "cut": [], "wide": []}
        opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
        after = opened.page.evaluate(SCREEN)
        assert after == before == ["dark", 0]


def test_printing_tells_the_page(browser: Browser, html: Path) -> None:
    """The events of the test above are those that printing sends."""
    with visit(browser, html.as_uri(), f"{PAGES[0]}.html", reduced_motion="reduce") as opened:
        opened.page.evaluate(
            """for (const name of ["beforeprint", "afterprint"])
                 addEventListener(name, () => (window.heard = [...(window.heard ?? []), name]))"""
        )
        assert opened.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
        assert opened.page.evaluate("heard") == ["beforeprint", "afterprint"]

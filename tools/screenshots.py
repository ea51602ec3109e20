"""Take pictures of every built page: phone, tablet and desktop, light and dark, in pieces that one can look at.

They go to book/_build/screenshots/PAGE/DEVICE-SCHEME-PIECE.png. Arguments name the pages wanted (vae, appendix/kl);
without any, all are taken. Explorers stand where they start: the pictures are those of a reader who wants no motion.
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from browser import FLAGS, find  # noqa: E402
from built import PAGES, Visit, visit  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

WIDTHS = {"phone": 390, "tablet": 820, "desktop": 1280}
SCHEMES = ("light", "dark")
PIECE = 2400  # pixels: the height of one picture
HTML = ROOT / "book/_build/html"
OUT = ROOT / "book/_build/screenshots"


def take(opened: Visit, folder: Path, name: str) -> int:
    """Write the whole page as pieces; returns how many."""
    height, width = opened.page.evaluate("[document.documentElement.scrollHeight, innerWidth]")
    tops = range(0, height, PIECE)
    for i, top in enumerate(tops):
        clip = {"x": 0, "y": top, "width": width, "height": min(PIECE, height - top)}
        opened.page.screenshot(path=folder / f"{name}-{i + 1:02d}.png", full_page=True, clip=clip)
    return len(tops)


def main(wanted: list[str]) -> None:
    unknown = [name for name in wanted if f"book/{name}" not in PAGES]
    if unknown:
        sys.exit(f"no page is called {', '.join(unknown)}: the pages are {', '.join(page[5:] for page in PAGES)}")
    if not (HTML / "index.html").exists():
        sys.exit("The book is not built: run make book first.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        for page in [f"book/{name}" for name in wanted] or PAGES:
            folder = OUT / Path(page).relative_to("book")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            count = 0
            for device, width in WIDTHS.items():
                for scheme in SCHEMES:
                    look = {"width": width, "scheme": scheme, "reduced_motion": "reduce"}
                    with visit(browser, HTML.as_uri(), f"{page}.html", **look) as opened:
                        count += take(opened, folder, f"{device}-{scheme}")
            print(f"{folder.relative_to(ROOT)}: {count} pictures")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])

"""Screenshots for docs/images: the page with its answers, and a run's report, in headless Chromium.

`python -m tools.screenshots` draws sample images, trains on them and takes both: minutes.
`--work DIR` keeps the run, and uses one that is there.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from tools.local_aws.process import free_port

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"

_ASKED = ("Flying Birds/000.jpg", "Large QuadCopters/001.jpg")
_QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
_MARGIN = 24


def main() -> int:
    """Take both screenshots; return the exit status."""
    parser = argparse.ArgumentParser(description="Take the screenshots in docs/images.")
    parser.add_argument("--work", type=Path, help="where the images and the run are kept")
    work = parser.parse_args().work
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = (work or Path(temporary)).resolve()
        train(folder)
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        draw_page(browser, folder)
        draw_report(browser, folder)
        browser.close()
    return 0


def train(folder: Path) -> None:
    """Write `data` (images to train on), `new` (images to ask about) and `run` into a folder."""
    if (folder / "run" / "report.html").is_file():
        return
    _training("sample-data", folder / "data", "--per-class=150")
    _training("sample-data", folder / "new", "--per-class=2", "--seed=2026")
    start = ("--recipe=flying-objects-head", "--weights=flying-objects", "--cache=none")
    _training("train", "--data", folder / "data", "--save", folder / "run", *start)


def draw_page(browser: Browser, folder: Path) -> None:
    """Ask the served page about images that were not trained on."""
    page = browser.new_page(viewport={"width": 720, "height": 400}, color_scheme="light")
    with _service(folder / "run" / "model") as address:
        page.goto(address)
        page.set_input_files("#files", [folder / "new" / name for name in _ASKED])
        page.locator("article dl").nth(len(_ASKED) - 1).wait_for()
        page.evaluate("document.fonts.ready")
        _save(Image.open(io.BytesIO(page.screenshot(full_page=True))), "page.png")
    page.close()


def draw_report(browser: Browser, folder: Path) -> None:
    """Show the head of the run's report, and below it the test results."""
    page = browser.new_page(viewport={"width": 900, "height": 900}, color_scheme="light")
    page.goto((folder / "run" / "report.html").as_uri())
    top, test = (
        Image.open(io.BytesIO(page.screenshot(full_page=True, clip=_between(page, *ends))))
        for ends in (("h1", "#data"), ("#test", "#test ~ h3 >> text=Most confused"))
    )
    both = Image.new("RGB", (top.width, top.height + test.height))
    both.paste(top, (0, 0))
    both.paste(test, (0, top.height))
    _save(both, "report.png")
    page.close()


def _between(page: Page, first: str, last: str) -> FloatRect:
    """Return the part of a page from one element to just above another, in pixels."""
    boxes = [page.locator(each).first.bounding_box() for each in (first, last)]
    top, bottom = (box["y"] for box in boxes if box)
    width = page.viewport_size["width"] if page.viewport_size else 0
    return {"x": 0, "y": top - _MARGIN, "width": width, "height": bottom - top - _MARGIN}


def _training(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True)


@contextmanager
def _service(model: Path) -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    environment = {"PATH": "/usr/bin:/bin", "MODEL_URI": str(model)}
    command = [sys.executable, "serve.py", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}ping").close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def _save(image: Image.Image, name: str) -> None:
    path = IMAGES / name
    path.parent.mkdir(exist_ok=True)
    image.convert("RGB").save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())

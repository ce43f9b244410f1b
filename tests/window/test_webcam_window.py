"""The webcam's window, as a person sees it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
import tkinter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageGrab

from model_loader import load_model
from samples.draw import draw_image
from tests.support.films import write_film
from tests.support.versions import LABELS, build_version
from training.video.caption import caption
from training.video.clip import read_clip
from training.video.opencv import cv2, to_image, to_levels
from training.video.window import Window

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]
_WINDOW = (0, 0, 700, 560)
# Where the window is: without a window manager, in the corner.


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version") / "model"
    build_version(folder)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of one picture."""
    picture = draw_image("Flying Birds").resize((640, 480))
    path = tmp_path_factory.mktemp("film") / "film.avi"
    return write_film(path, [picture] * 240, rate=2)


@pytest.mark.skipif(sys.platform != "linux", reason="the test's display is an X server")
def test_the_window_shows_the_label_saves_a_snapshot_and_quits(
    display: str, version: Path, film: Path, tmp_path: Path
) -> None:
    _, second = itertools.islice(read_clip(film), 2)  # OpenCV writes the first a little differently
    image = to_image(second.levels)
    answer = load_model(str(version)).classify_decoded(image)
    others = [replace(answer, label=label) for label in LABELS if label != answer.label]
    lines = [answer_line(caption(image, found, Window.note)) for found in (answer, *others)]
    with webcam(display, tmp_path, film, "--model", version) as process:

        def has_label() -> bool:
            shown = ImageGrab.grab(xdisplay=display).crop(_WINDOW)
            right, *wrong = (likeness(line, shown) for line in lines)
            return right > 0.99 > 0.95 > max(wrong)

        wait_for(has_label, process)
        press_until(lambda: any(tmp_path.glob("*.png")), "s", display, process)
        press("q", display)
        assert process.wait() == 0
    snapshot, *_ = tmp_path.iterdir()
    with Image.open(snapshot) as saved:
        assert saved.size == (640, 480)
        assert likeness(lines[0], saved) > 0.99


def press(key: str, display: str) -> None:
    """Press a key above the window: without a window manager, the pointer has the keyboard."""
    xdotool(display, "mousemove", "100", "300", "key", key)


def xdotool(display: str, *command: str) -> None:
    environment = {**os.environ, "DISPLAY": display}
    subprocess.run(["xdotool", *command], env=environment, check=True)


def press_its_button(display: str) -> None:
    """Do what a window manager's button makes Tk do."""
    root = tkinter.Label().winfo_toplevel()
    root.tk.eval(root.wm_protocol("WM_DELETE_WINDOW"))


@pytest.mark.parametrize(
    "close",
    [partial(press, "Escape"), partial(press, "shift+q"), press_its_button],
    ids=["Escape", "Q", "its own button"],
)
def test_the_window_is_closed_by(
    close: Callable[[str], None], display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    with Window("a title", tmp_path) as window:
        window.show(Image.new("RGB", (640, 480)), 0.0)
        looks = [window.goes_on() for _ in range(20)]
        close(display)
        while window.goes_on():
            time.sleep(0.05)
    assert all(looks)


def test_a_snapshot_that_cannot_be_written_is_said_and_nothing_ends(
    display: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    (tmp_path / "file").touch()
    with Window("a title", tmp_path / "file") as window:
        window.show(Image.new("RGB", (640, 480)), 0.0)
        window.goes_on()
        press("s", display)
        said = ""
        while "cannot be written" not in said:
            assert window.goes_on()
            said += capsys.readouterr().err


@contextmanager
def webcam(display: str, folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a folder until its window opens; end it where it has not ended itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "webcam", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stderr is not None
            said = iter(process.stderr.readline, "")
            assert any("q in the window ends it" in line for line in said)
            yield process
        finally:
            process.kill()


def press_until(
    condition: Callable[[], bool], key: str, display: str, process: subprocess.Popen[str]
) -> None:
    """Press a key again every five seconds: a window that is busy loses one."""
    begin, pressed = time.monotonic(), 0

    def is_so() -> bool:
        nonlocal pressed
        if time.monotonic() - begin >= 5 * pressed:
            press(key, display)
            pressed += 1
        return condition()

    wait_for(is_so, process)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait as long as pytest does: how long it takes is a matter of the machine's load."""
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.2)


def answer_line(picture: Image.Image) -> Image.Image:
    """Cut the label and its confidence from a labelled picture of 640 × 480."""
    return picture.crop((10, 8, 300, 42))


def likeness(part: Image.Image, whole: Image.Image) -> float:
    """Return how well the most similar place of a picture matches a part, at most 1."""
    found = cv2.matchTemplate(
        to_levels(whole.convert("RGB")), to_levels(part), cv2.TM_CCOEFF_NORMED
    )
    return float(found.max())

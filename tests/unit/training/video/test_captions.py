"""Captions and the fonts that they are written in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from model_loader import UNKNOWN, Prediction
from samples.draw import draw_image
from tests.support.command_line import run
from tests.support.films import greys, write_film
from tests.support.versions import build_version
from tests.support.video_material import BIRD
from training.output import fonts
from training.video.caption import Rate, caption, fit


@pytest.fixture
def one_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has DejaVu Sans alone."""
    first = fonts._installed()[0]
    monkeypatch.setattr(fonts, "_installed", lambda: (first,))
    fonts.fitted.cache_clear()
    yield
    fonts.fitted.cache_clear()


def test_the_caption_is_drawn_in_the_corner_and_the_rest_is_left_alone() -> None:
    picture = draw_image("Flying Birds").resize((640, 360))
    drawn_on = caption(picture, BIRD, "12.3 frames/s")
    changed = ImageChops.difference(picture, drawn_on).getbbox()
    assert changed is not None
    left, top, right, bottom = changed
    assert (left, top) == (0, 0)
    assert right < 320
    assert bottom < 100
    assert picture.tobytes() == draw_image("Flying Birds").resize((640, 360)).tobytes()


def test_every_label_and_figure_looks_different() -> None:
    picture = Image.new("RGB", (320, 240))
    answers = [
        BIRD,
        Prediction("Flying Birds", 0.9, {}),
        Prediction("Winged Drones", 0.876, {}),
        Prediction(UNKNOWN, 0.876, {}),
        Prediction("Чайка", 0.876, {}),
        Prediction("鳥", 0.876, {}),
        Prediction("鷲", 0.876, {}),
    ]
    assert len({caption(picture, answer).tobytes() for answer in answers}) == len(answers)


@pytest.mark.parametrize("size", [(96, 64), (320, 240), (1280, 720)])
def test_a_long_name_is_made_to_fit(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "white")
    name = "a name of forty letters, of forty letters"
    right = ImageChops.difference(picture, caption(picture, Prediction(name, 1.0, {}))).getbbox()
    assert right is not None
    assert right[2] <= size[0]
    letters = caption(picture, Prediction(name, 1.0, {})).crop((0, 0, 4, size[1]))
    assert letters.getextrema() == ((85, 255),) * 3, "the margin is free: nothing is cut off"


def test_large_pictures_are_shown_smaller_and_small_ones_as_they_are() -> None:
    assert fit(Image.new("RGB", (1920, 1080))).size == (1280, 720)
    assert fit(Image.new("RGB", (1000, 2000))).size == (360, 720)
    assert fit(Image.new("RGB", (640, 480))).size == (640, 480)
    assert fit(Image.new("RGB", (641, 479))).size == (640, 478), "video encoders take even sides"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(window=2)
    assert rate.tick(0) == 0
    assert [rate.tick(n / 10) for n in range(1, 50)][-1] == pytest.approx(10)
    assert [rate.tick(5 + n / 2) for n in range(8)][-1] == pytest.approx(2)


def test_a_font_is_found_for_each_script_that_has_one() -> None:
    for text in ("Möwe", "Чайка", "Γλάρος", "طائر"):  # DejaVu comes with matplotlib
        shown, font = fonts.fitted(text, 20)
        assert shown == text
        assert font.size == 20
        assert font.getmask(text).getbbox() is not None


@pytest.mark.usefixtures("one_font")
def test_letters_that_no_font_has_are_written_as_escapes() -> None:
    assert fonts.fitted("鳥 bird", 20)[0] == "\\u9ce5 bird"
    assert fonts.unwritten(["鳥 bird", "bird"]) == ["鳥 bird"]


@pytest.mark.usefixtures("one_font")
def test_a_name_that_no_font_has_is_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_version(tmp_path / "model", labels=("bird", "鳥"))
    film = write_film(tmp_path / "film.avi", greys(2))
    run("webcam", film, "--model", tmp_path / "model", "--output", tmp_path / "out.mp4")
    assert "No installed font has all letters of '鳥'" in capsys.readouterr().err

"""Where labelled pictures go: a video file or a window."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from model_loader import Model, load_model
from tests.support.films import brightness, drawn, greys, write_film
from tests.support.video_material import Keys, frames_of, pictures_of
from training.errors import TrainingError
from training.predict.live import label_live
from training.video.clip import VideoFrame
from training.video.opencv import to_levels
from training.video.screens import Recorder, Window, check_display


@pytest.fixture(scope="module")
def model(version: Path) -> Model:
    return load_model(str(version))


def test_a_recording_keeps_the_time_of_what_it_records(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "out.mp4"
    with Recorder(path, rate=10) as recorder:
        for picture, seconds in zip(greys(4, (64, 48)), (5.0, 5.1, 5.5, 5.6), strict=True):
            recorder.show(picture, seconds)
    expected = [0, 8, 8, 8, 8, 16, 24]
    assert brightness(pictures_of(path)) == pytest.approx(expected, abs=3)
    assert recorder.frames == 7


def test_pictures_that_come_too_fast_are_left_out_of_a_recording(tmp_path: Path) -> None:
    with Recorder(tmp_path / "out.mp4", rate=10) as recorder:
        for number, picture in enumerate(greys(30)):
            recorder.show(picture, number / 100)
    assert recorder.frames == 4


def test_a_recording_without_pictures_leaves_no_file(tmp_path: Path) -> None:
    with Recorder(tmp_path / "out.mp4", rate=10):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_recording_never_overwrites(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", greys(2))
    before = film.read_bytes()
    with pytest.raises(TrainingError, match="exists already"), Recorder(film, rate=10):
        pass
    assert film.read_bytes() == before
    with pytest.raises(TrainingError, match=r"must end in \.mp4"), Recorder(tmp_path / "a.avi", 1):
        pass


def test_without_a_display_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.video.screens.sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(TrainingError, match=r"no display .* --output FILE\.mp4"):
        check_display()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_a_display_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4321")
    with pytest.raises(TrainingError, match=r"\(:4321 does not answer\).* --output FILE\.mp4"):
        check_display()


def test_q_quits(model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = Keys(monkeypatch, "..q")
    labelled = list(label_live(model, frames_of(drawn(9)), Window("w", tmp_path)))
    assert len(labelled) == len(keys.shown) == 3


def test_closing_the_window_quits(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Keys(monkeypatch, "", visible=0.0)
    assert len(list(label_live(model, frames_of(drawn(9)), Window("w", tmp_path)))) == 1


def test_keys_are_heard_while_no_frame_comes(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Keys(monkeypatch, "..q")
    nothing: list[VideoFrame | None] = [None] * 9
    frames = iter(nothing)
    assert list(label_live(model, frames, Window("w", tmp_path))) == []
    assert len(list(frames)) == 6


def test_s_saves_what_is_shown(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = Keys(monkeypatch, ".s.")
    folder = tmp_path / "snapshots"
    list(label_live(model, frames_of(drawn(3)), Window("w", folder)))
    (snapshot,) = folder.iterdir()
    with Image.open(snapshot) as saved:
        assert to_levels(saved).tobytes() == keys.shown[1].tobytes()


def test_a_frame_is_answered_as_the_same_picture_is(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Keys(monkeypatch, "")
    pictures = drawn(4, (1400, 900))
    labelled = list(label_live(model, frames_of(pictures), Window("w", tmp_path)))
    expected = [model.metadata.transform(picture) for picture in pictures]
    for found, pixels in zip(labelled, expected, strict=True):
        assert found.prediction == model.label(model.probabilities(pixels[None])[0])

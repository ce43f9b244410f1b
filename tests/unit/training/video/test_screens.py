"""Where labelled pictures go: a video file, or a screen that somebody looks at."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_loader import Model, load_model
from tests.support.films import brightness, drawn, greys, write_film
from tests.support.video_material import Spectator, frames_of, pictures_of
from training.errors import TrainingError
from training.predict.live import label_live
from training.video.clip import VideoFrame
from training.video.screens import Recorder


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


def test_labelling_ends_when_the_spectator_leaves(model: Model) -> None:
    spectator = Spectator(looks=3)
    labelled = list(label_live(model, frames_of(drawn(9)), spectator))
    assert len(labelled) == len(spectator.shown) == 3


def test_the_spectator_may_leave_while_no_frame_comes(model: Model) -> None:
    nothing: list[VideoFrame | None] = [None] * 9
    frames = iter(nothing)
    assert list(label_live(model, frames, Spectator(looks=3))) == []
    assert len(list(frames)) == 6


def test_a_frame_is_answered_as_the_same_picture_is(model: Model) -> None:
    pictures = drawn(4, (1400, 900))
    labelled = list(label_live(model, frames_of(pictures), Spectator()))
    expected = [model.metadata.transform(picture) for picture in pictures]
    for found, pixels in zip(labelled, expected, strict=True):
        assert found.prediction == model.label(model.probabilities(pixels[None])[0])

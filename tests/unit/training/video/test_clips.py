"""Frames of videos: their order, their times, and which are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.support.films import brightness, greys, write_film
from tests.support.images import noise
from training.video.clip import BrokenVideoError, count_frames, read_clip
from training.video.opencv import to_image, to_levels
from training.video.sampling import Sampling, clock


@pytest.mark.parametrize("ending", [".mp4", ".avi"])
def test_a_videos_frames_come_in_order_with_their_times(ending: str, tmp_path: Path) -> None:
    film = write_film(tmp_path / f"film{ending}", greys(12), rate=20)
    frames = list(read_clip(film))
    assert [frame.seconds for frame in frames] == pytest.approx([n / 20 for n in range(12)])
    assert [frame.time for frame in frames][:2] == ["00:00.000", "00:00.050"]
    found = brightness([to_image(frame.levels) for frame in frames])
    assert found == pytest.approx(list(range(0, 96, 8)), abs=6)


def test_colours_are_red_green_blue() -> None:
    picture = noise(8, 6)
    assert to_image(to_levels(picture)).tobytes() == picture.tobytes()
    assert to_levels(Image.new("RGB", (1, 1), (255, 128, 0))).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize(
    ("sampling", "taken"),
    [
        (Sampling(), list(range(12))),
        (Sampling(rate=5), [0, 2, 4, 6, 8, 10]),
        (Sampling(rate=4), [0, 3, 5, 8, 10]),  # at 0, 0.25, 0.5 … seconds, or just after
        (Sampling(rate=1000), list(range(12))),
    ],
)
def test_frames_are_sampled_by_number_or_by_time(
    sampling: Sampling, taken: list[int], tmp_path: Path
) -> None:
    film = write_film(tmp_path / "film.avi", greys(12), rate=10)
    found = [round(frame.seconds * 10) for frame in read_clip(film, sampling)]
    assert found == taken
    assert count_frames(film, sampling) == pytest.approx(len(taken), abs=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00.0"), (3.21, "00:03.2"), (59.96, "01:00.0"), (61, "01:01.0"), (6000, "100:00.0")],
)
def test_a_moment_is_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_what_is_no_video_is_broken(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("hello")
    with pytest.raises(BrokenVideoError, match="cannot be opened as a video"):
        next(read_clip(tmp_path / "film.mp4"))
    assert count_frames(tmp_path / "film.mp4", Sampling()) == 1

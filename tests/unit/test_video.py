"""Frames of videos, the newest frame of a camera, captions, fonts and recordings."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from model_loader import UNKNOWN, Model, Prediction, load_model
from tests.command_line import mistake, run
from tests.films import brightness, drawn, greys, write_film
from tests.images import noise
from tests.versions import build_version
from training.errors import TrainingError
from training.samples.draw import draw_image
from training.video import fonts
from training.video.caption import Rate, caption, fit
from training.video.clip import BrokenVideoError, VideoFrame, count_frames, read_clip
from training.video.live import label_live, newest_frames
from training.video.newest import Newest
from training.video.opencv import cv2, to_levels, to_picture
from training.video.sampling import Sampling, clock
from training.video.screens import Recorder, Window, check_display


@pytest.fixture(scope="module")
def model(version: Path) -> Model:
    return load_model(str(version))


@pytest.fixture
def one_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has DejaVu Sans alone."""
    first = fonts._installed()[0]
    monkeypatch.setattr(fonts, "_installed", lambda: (first,))
    fonts.fitted.cache_clear()
    yield
    fonts.fitted.cache_clear()


BIRD = Prediction("Flying Birds", 0.876, {"Flying Birds": 0.876, "Winged Drones": 0.124})


def pictures_of(path: Path) -> list[Image.Image]:
    return [to_picture(frame.levels) for frame in read_clip(path)]


# Videos


@pytest.mark.parametrize("ending", [".mp4", ".avi"])
def test_a_videos_frames_come_in_order_with_their_times(ending: str, tmp_path: Path) -> None:
    film = write_film(tmp_path / f"film{ending}", greys(12), rate=20)
    frames = list(read_clip(film))
    assert [frame.seconds for frame in frames] == pytest.approx([n / 20 for n in range(12)])
    assert [frame.time for frame in frames][:2] == ["00:00.000", "00:00.050"]
    found = brightness([to_picture(frame.levels) for frame in frames])
    assert found == pytest.approx(list(range(0, 96, 8)), abs=6)


def test_colours_are_red_green_blue() -> None:
    picture = noise(8, 6)
    assert to_picture(to_levels(picture)).tobytes() == picture.tobytes()
    assert to_levels(Image.new("RGB", (1, 1), (255, 128, 0))).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize(
    ("sampling", "taken"),
    [
        (Sampling(), list(range(12))),
        (Sampling(every=5), [0, 5, 10]),
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


# The newest frame


class Camera:
    """Gives numbered frames when it is told to, whether or not they are taken."""

    def __init__(self) -> None:
        self.given = 0
        self._asked = 0
        self._permits = threading.Semaphore(0)
        self._over = False

    def __call__(self) -> VideoFrame | None:
        self._asked += 1
        self._permits.acquire()
        if self._over:
            return None
        return VideoFrame(self._asked - 1, "", np.zeros((4, 4, 3), np.uint8))

    def give(self, count: int) -> None:
        """Give frames; return once the last of them has been read."""
        self.given += count
        self._permits.release(count)
        while self._asked <= self.given:
            time.sleep(0.001)

    def end(self) -> None:
        self._over = True
        self._permits.release()


def test_a_slow_model_sees_the_newest_frame_and_the_others_are_dropped() -> None:
    camera = Camera()
    with Newest(camera) as newest:
        for burst in (1, 10, 1, 30):
            camera.give(burst)
            frame = newest.take()
            assert frame is not None
            assert frame.seconds == camera.given - 1
        assert newest.dropped == 9 + 29
        camera.end()


def test_a_fast_model_sees_every_frame() -> None:
    camera = Camera()
    seen = []
    with Newest(camera) as newest:
        for _ in range(10):
            camera.give(1)
            frame = newest.take()
            assert frame is not None
            seen.append(frame.seconds)
        camera.end()
        assert newest.take() is None
    assert seen == list(range(10))
    assert newest.dropped == 0


def test_a_fast_camera_and_a_slow_model_end_with_the_last_frame(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def slow(model: Model, picture: Image.Image) -> Prediction:
        time.sleep(0.02)
        return BIRD

    numbers = iter(range(100))

    def read() -> VideoFrame | None:
        time.sleep(0.002)
        number = next(numbers, None)
        return number if number is None else VideoFrame(number, "", np.zeros((64, 64, 3), np.uint8))

    Keys(monkeypatch, "")
    monkeypatch.setattr("training.video.live.classify_picture", slow)
    with Newest(read) as newest:
        shown = list(label_live(model, newest_frames(newest), Window("w", tmp_path)))
    times = [labelled.frame.seconds for labelled in shown]
    assert times == sorted(set(times))
    assert times[-1] == 99
    assert len(times) < 50
    assert newest.dropped == 100 - len(times)


def test_a_camera_that_stalls_does_not_hold_up_the_window() -> None:
    unplugged = threading.Event()

    def read() -> VideoFrame | None:
        unplugged.wait(20)
        return None

    with Newest(read) as newest:
        frames = newest_frames(newest)
        assert [next(frames), next(frames)] == [None, None]
        unplugged.set()
        assert set(frames) == {None}


def test_what_goes_wrong_with_a_camera_reaches_whoever_waits() -> None:
    def read() -> VideoFrame | None:
        raise TrainingError("Camera 0 gives no more frames.")

    with Newest(read) as newest, pytest.raises(TrainingError, match="no more frames"):
        list(newest_frames(newest))


# Captions


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


# Where labelled pictures go


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


class Keys:
    """Presses keys in a window, one each time it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: str, visible: float = 1.0) -> None:
        self.shown: list[np.ndarray] = []
        self._keys = list(keys)
        monkeypatch.setattr(cv2, "imshow", lambda title, levels: self.shown.append(levels))
        monkeypatch.setattr(cv2, "waitKey", self._press)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: visible)

    def _press(self, milliseconds: int) -> int:
        key = self._keys.pop(0) if self._keys else "."
        return -1 if key == "." else ord(key)


def frames_of(pictures: list[Image.Image]) -> list[VideoFrame | None]:
    return [VideoFrame(i / 10, "", to_levels(picture)) for i, picture in enumerate(pictures)]


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
        assert found.prediction == model.predict(model.probabilities(pixels[None])[0])


# The verb


def test_the_verb_writes_every_frame_of_a_video_with_its_label(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.mp4", drawn(12, (320, 240)))
    out = tmp_path / "out.mp4"
    assert run("webcam", film, "--model", version, "--output", out) == 0
    assert "12 frames labelled" in capsys.readouterr().err
    before, after = pictures_of(film), pictures_of(out)
    assert len(after) == len(before) == 12
    for plain, labelled in zip(before, after, strict=True):
        corner, rest = (0, 0, 100, 20), (0, 120, 320, 240)
        assert difference(plain, labelled, corner) > 30 > 3 * difference(plain, labelled, rest)


def test_the_verb_stops_in_time(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.avi", greys(30))
    out = tmp_path / "out.mp4"
    assert run("webcam", film, "--model", version, "--output", out, "--seconds", 0.5) == 0
    assert "6 frames labelled" in capsys.readouterr().err
    assert len(pictures_of(out)) == 6


def test_the_verb_plays_a_video_in_a_window(
    version: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = Keys(monkeypatch, "")
    monkeypatch.setattr("training.video.screens.check_display", lambda: None)
    monkeypatch.setattr(cv2, "namedWindow", lambda title, flags: None)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)
    film = write_film(tmp_path / "film.avi", greys(6), rate=20)
    assert run("webcam", film, "--model", version) == 0
    assert 1 <= len(keys.shown) <= 6
    assert f"{len(keys.shown)} frames labelled" in capsys.readouterr().err


@pytest.mark.usefixtures("one_font")
def test_a_name_that_no_font_has_is_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_version(tmp_path / "model", labels=("bird", "鳥"))
    film = write_film(tmp_path / "film.avi", greys(2))
    run("webcam", film, "--model", tmp_path / "model", "--output", tmp_path / "out.mp4")
    assert "No installed font has all letters of '鳥'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "line"),
    [("94", "There is no camera 94"), ("nothing.mp4", "There is no video nothing.mp4")],
)
def test_a_source_that_is_not_there_is_a_mistake(
    source: str, line: str, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert line in mistake(capsys, "webcam", source, "--model", version, "--output", out)
    assert not out.exists()


def test_a_damaged_video_is_a_mistake(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film.mp4").write_text("hello")
    options = ("--model", version, "--output", tmp_path / "out.mp4")
    assert "film.mp4: It cannot be opened" in mistake(
        capsys, "webcam", tmp_path / "film.mp4", *options
    )
    assert not (tmp_path / "out.mp4").exists()


def difference(first: Image.Image, second: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Return the mean difference of two pictures' levels within a box."""
    pair = [np.asarray(picture.crop(box), dtype=float) for picture in (first, second)]
    return float(np.abs(pair[0] - pair[1]).mean())

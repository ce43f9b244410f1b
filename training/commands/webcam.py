"""The command that labels the frames of a camera."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.options import MODEL_HELP
from training.errors import TrainingError
from training.output.progress import say

if TYPE_CHECKING:
    from model_loader import Model
    from training.output.progress import Advance
    from training.video.clip import VideoFrame
    from training.video.newest import Newest
    from training.video.screens import Screen

_CAMERA_RATE = 25.0  # frames per second of a recording; a camera has no fixed rate


def webcam(
    model: Annotated[str, typer.Option(help=MODEL_HELP)],
    source: Annotated[
        str, typer.Argument(help="Number of a camera (0 is the first), or a video file.")
    ] = "0",
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the labelled frames to a video; no window opens.",
            metavar="FILE.mp4",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after this time.", show_default=False)
    ] = None,
) -> None:
    """Show the frames of a camera with their labels.

    q quits, s saves a snapshot. The newest frame is shown: if the model is slower than the camera,
    frames are left out. The camera is asked for 1280 × 720 pixels; snapshots go into the current
    folder.

    Example: `python -m training webcam --model models/flying-objects`

    Without a display: add `--output labelled.mp4 --seconds 60`

    A video file is played at its own speed; with --output, all of its frames are labelled. The
    engine is that of MODEL_ENGINE: torchscript (the default) or onnx.
    """
    from model_loader import load_model
    from training.run import model_address
    from training.video.clip import BrokenVideoError

    if not (source.isdecimal() or Path(source).is_file()):
        raise TrainingError(f"There is no video {source}. Give one, or the number of a camera.")
    try:
        with _screen(source, output) as screen:
            loaded = load_model(model_address(model), os.environ.get("MODEL_ENGINE"))
            say(f"Answered by {loaded.metadata.name} {loaded.metadata.version} ({loaded.engine})")
            _say_what_fonts_lack(loaded.metadata.labels)
            said = _run(loaded, source, output, seconds, screen)
    except BrokenVideoError as error:
        raise TrainingError(f"{source}: {error}") from error
    say(said)


def _say_what_fonts_lack(labels: Sequence[str]) -> None:
    from training.output.fonts import unwritten

    if missing := unwritten(labels):
        say(
            f"No installed font has all letters of {missing[0]!r}: it is written with escapes. "
            "On Debian and Ubuntu, `apt-get install fonts-noto fonts-noto-cjk` has most scripts."
        )


def _run(
    model: Model, source: str, output: Path | None, seconds: float | None, screen: Screen
) -> str:
    """Label frames until the end, the time limit, ``q`` or Ctrl-C; say what was done."""
    from training.predict.live import label_live

    answered, dropped, rate = 0, 0, 0.0
    with ExitStack() as stack:
        frames, newest, advance = _frames(stack, source, output)
        try:
            for labelled in label_live(model, frames, screen):
                answered, rate = answered + 1, labelled.rate
                advance("")
                if seconds is not None and labelled.frame.seconds >= seconds:
                    break
        except KeyboardInterrupt:
            pass
        if newest is not None:
            dropped = newest.dropped
    left_out = f", {dropped:,} left out" if dropped else ""
    where = f" {output} has them." if output is not None and answered else ""
    return f"{answered:,} frames labelled{left_out}, {rate:.1f} a second at the end.{where}"


def _frames(
    stack: ExitStack, source: str, output: Path | None
) -> tuple[Iterable[VideoFrame | None], Newest | None, Advance]:
    """Return the frames to label, where the newest of them come from, and a progress bar."""
    from training.output.progress import progress
    from training.predict.live import newest_frames
    from training.video.camera import watch_camera, watch_clip
    from training.video.clip import count_frames, read_clip
    from training.video.sampling import Sampling

    path = Path(source)
    if path.is_file() and output is not None:
        advance = stack.enter_context(progress("Labelling", count_frames(path, Sampling())))
        return stack.enter_context(closing(read_clip(path))), None, advance
    watched = watch_clip(path) if path.is_file() else watch_camera(int(source))
    newest = stack.enter_context(watched)
    say("Recording; Ctrl-C ends it." if output is not None else "q in the window ends it.")
    return newest_frames(newest), newest, lambda note: None


def _screen(source: str, output: Path | None) -> AbstractContextManager[Screen]:
    if output is None:
        from training.video.window import Window

        return Window(f"webcam: {source}", Path())
    from training.video.clip import frame_rate
    from training.video.screens import Recorder

    path = Path(source)
    return Recorder(output, frame_rate(path) if path.is_file() else _CAMERA_RATE)

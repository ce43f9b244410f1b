"""The command that classifies images, on this machine or by a deployed service."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.options import MODEL_HELP
from training.errors import InterruptedRunError, TrainingError
from training.output.next_step import LOCAL_STORE, say_next, say_next_serve
from training.output.progress import say

if TYPE_CHECKING:
    from training.output.progress import Advance
    from training.predict.answer_formats import Output, Tally
    from training.predict.local import Answerer
    from training.predict.questions import Question
    from training.predict.sources import Source


def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders (with subfolders), quoted patterns, video files, or the "
            "number of a camera.",
            metavar="IMAGE",
        ),
    ],
    model: Annotated[str | None, typer.Option(help=MODEL_HELP, show_default=False)] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Ask a deployed service instead: https://….amazonaws.com/dev",
            show_default=False,
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, help="Classes to show, most probable first.", show_default="1"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with the scores of all classes.")
    ] = False,
    to_csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write a CSV with a column for each class.", show_default=False),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Frames to take of each second of a video.", show_default="all"
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(min=1, help="Processes for --model; each loads it and uses one core."),
    ] = 1,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign requests with AWS credentials, for auth=iam.")
    ] = False,
) -> None:
    """Classify images, folders, videos or the frames of a camera.

    On this machine: `python -m training predict data/sample --model models/flying-objects`

    With a deployed service: `python -m training predict data/sample --csv out.csv --endpoint
    https://….amazonaws.com/dev`

    Two frames of each second of a video: `python -m training predict clip.mp4 --fps 2 --model …`

    An image that cannot be classified is listed with the reason; the exit code is then 1. A
    service's API key is read from CLASSIFY_API_KEY, and the engine for --model from MODEL_ENGINE:
    torchscript (the default) or onnx.
    """
    from training.predict.answer_formats import Tally
    from training.predict.sources import count_questions, read_sources
    from training.run import is_run
    from training.video.sampling import Sampling

    sources = read_sources(images, Sampling(fps))
    total = count_questions(sources)
    is_live = total is None  # a camera: a frame that waits for its turn would be answered late
    if endpoint is not None and model is None:
        answerer = _service(endpoint, sign, is_live, shows_uploads=not _is_shown_as_json(as_json))
    elif model is not None and endpoint is None:
        answerer = _here(model, 1 if is_live else processes)
    else:
        raise TrainingError("Give either --model RUN or --endpoint https://….")
    say(f"Answered by {answerer.title}")
    tally = Tally()
    outputs = _outputs(answerer.labels, as_json, to_csv, top_k)
    try:
        _answer_all(answerer, sources, outputs, tally, _bar(total, as_json))
    except KeyboardInterrupt:
        if not is_live:
            raise InterruptedRunError(f"Interrupted. {tally}") from None
    say(str(tally))
    if to_csv is None and endpoint is not None:
        say_next("predict", *images, "--endpoint", endpoint, "--csv", "answers.csv")
    elif to_csv is not None:
        say(f"open {shlex.quote(str(to_csv))}", "Next:", is_command=True)
    elif model is not None and is_run(Path(model)):
        say_next("publish", model, LOCAL_STORE)
    elif model is not None:
        say_next_serve(model)
    if tally.errors:
        raise typer.Exit(1)


def _service(address: str, sign: bool, is_live: bool, shows_uploads: bool) -> Answerer:
    from training.predict.endpoint import AT_ONCE, KEY_VARIABLE, RETRIES, Endpoint
    from training.predict.signature import Signature
    from training.predict.upload_bars import UploadBars

    return Endpoint(
        address,
        os.environ.get(KEY_VARIABLE),
        1 if is_live else AT_ONCE,
        RETRIES,
        Signature(address) if sign else None,
        UploadBars(shows_uploads),
    )


def _here(model: str, processes: int) -> Answerer:
    from training.predict.local import OneProcess, SeveralProcesses
    from training.run import model_address

    address, engine = model_address(model), os.environ.get("MODEL_ENGINE")
    if processes == 1:
        return OneProcess(address, engine)
    return SeveralProcesses(address, engine, processes)


def _outputs(
    labels: tuple[str, ...], as_json: bool, to_csv: Path | None, top_k: int | None
) -> list[Output]:
    from training.predict.answer_formats import CsvOutput, JsonOutput, TableOutput

    outputs: list[Output] = []
    if to_csv is not None:
        outputs.append(CsvOutput(to_csv, labels))
    if as_json:
        outputs.append(JsonOutput(top_k))
    return outputs or [TableOutput(labels, top_k or 1)]


def _answer_all(
    answerer: Answerer,
    sources: list[Source],
    outputs: list[Output],
    tally: Tally,
    bar: AbstractContextManager[Advance],
) -> None:
    with ExitStack() as stack:
        for output in outputs:
            stack.enter_context(output)
        advance = stack.enter_context(bar)
        answers = stack.enter_context(closing(answerer.answers(_questions(sources))))
        for answer in answers:
            for output in outputs:
                output.write(answer)
            tally.add(answer)
            advance("")


def _bar(total: int | None, as_json: bool) -> AbstractContextManager[Advance]:
    """Return a progress bar, where there is an end to see and no JSON on the same terminal."""
    from training.output.progress import progress

    if total is None or total == 1 or _is_shown_as_json(as_json):
        return nullcontext(lambda note: None)
    return progress("Classifying", total)


def _is_shown_as_json(as_json: bool) -> bool:
    """Whether JSON is printed on a terminal, which bars would run through."""
    return as_json and sys.stdout.isatty()


def _questions(sources: list[Source]) -> Iterator[Question]:
    for source in sources:
        yield from source.questions()

"""The verb that answers images, on this machine or by a deployed service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.errors import InterruptedRunError, TrainingError
from training.output.printing import say

if TYPE_CHECKING:
    from training.output.progress import Advance
    from training.predict.answer_formats import Output, Tally
    from training.predict.local import Answerer
    from training.predict.questions import Question
    from training.predict.sources import Source

_KEY = "CLASSIFY_API_KEY"

Model = Annotated[
    str | None,
    typer.Option(
        help="A run's folder, or a model's or version's address, as in MODEL_URI.",
        show_default=False,
    ),
]
Engine = Annotated[str, typer.Option(help="What runs the network: torchscript or onnx.")]
TopK = Annotated[
    int | None,
    typer.Option(min=1, help="Show this many classes, the most probable first.", show_default="1"),
]


def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders (with all below), quoted patterns, video files, or the "
            "number of a camera.",
            metavar="IMAGE",
        ),
    ],
    model: Model = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Ask a deployed service instead: https://….amazonaws.com/dev",
            show_default=False,
        ),
    ] = None,
    top_k: TopK = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with the scores of all classes.")
    ] = False,
    to_csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write a CSV with a column for each class.", show_default=False),
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Of a video, take every so-many-th frame.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, help="Of a video, take so many frames a second.")
    ] = None,
    engine: Engine = "torchscript",
    processes: Annotated[
        int,
        typer.Option(
            min=1, help="Answer in so many processes; each loads the model and takes one core."
        ),
    ] = 1,
    at_once: Annotated[
        int, typer.Option(min=1, max=64, help="Requests to the service at the same time.")
    ] = 4,
    retries: Annotated[
        int, typer.Option(min=0, help="Repeat a request to a service that is busy or away.")
    ] = 4,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar=_KEY,
            help="The service's key, if it asks for one; better in the environment.",
            show_default=False,
        ),
    ] = None,
    sign: Annotated[
        bool,
        typer.Option("--sign", help="Sign requests with AWS credentials: for auth=iam."),
    ] = False,
) -> None:
    """Classify images, folders, videos or a camera's pictures.

    With a model, on this machine: `predict photos --model runs/flying-objects/TIME`

    With a deployed service: `predict photos --endpoint https://….amazonaws.com/dev --csv out.csv`

    Frames of a video: `predict clip.mp4 --fps 2 --model …`

    An image that cannot be answered is listed with the reason; the exit code is then 1.
    """
    from training.predict.answer_formats import Tally
    from training.predict.sources import count_questions, read_sources
    from training.video.sampling import read_sampling

    sources = read_sources(images, read_sampling(every, fps))
    total = count_questions(sources)
    if total is None:  # a camera: what waits for its turn would be answered late
        processes = at_once = 1
    if endpoint is not None and model is None:
        answerer = _service(endpoint, api_key, at_once, retries, sign)
    elif model is not None and endpoint is None:
        answerer = _here(model, engine, processes)
    else:
        raise TrainingError("Give either --model RUN or --endpoint https://…, which is to answer.")
    say(f"Answered by {answerer.title}")
    tally = Tally()
    outputs = _outputs(answerer.labels, as_json, to_csv, top_k)
    try:
        _answer_all(answerer, sources, outputs, tally, total)
    except KeyboardInterrupt:
        if total is not None:
            raise InterruptedRunError(f"Interrupted. {tally}") from None
    say(str(tally))
    if tally.errors:
        raise typer.Exit(1)


def _service(endpoint: str, key: str | None, at_once: int, retries: int, sign: bool) -> Answerer:
    from training.predict.endpoint import Endpoint
    from training.predict.signature import Signature

    return Endpoint(endpoint, key, at_once, retries, Signature(endpoint) if sign else None)


def _here(model: str, engine: str, processes: int) -> Answerer:
    from training.predict.local import OneProcess, SeveralProcesses
    from training.run import model_address

    address = model_address(model)
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
    total: int | None,
) -> None:
    with ExitStack() as stack:
        for output in outputs:
            stack.enter_context(output)
        advance = stack.enter_context(_bar(total, outputs))
        answers = stack.enter_context(closing(answerer.answers(_questions(sources))))
        for answer in answers:
            for output in outputs:
                output.write(answer)
            tally.add(answer)
            advance("")


def _bar(total: int | None, outputs: list[Output]) -> AbstractContextManager[Advance]:
    """Return a progress bar, where there is an end to see and no JSON on the same terminal."""
    from training.output.progress import progress
    from training.predict.answer_formats import JsonOutput

    is_json = any(isinstance(output, JsonOutput) for output in outputs)
    if total is None or total == 1 or (is_json and sys.stdout.isatty()):
        return nullcontext(lambda note: None)
    return progress("Classifying", total)


def _questions(sources: list[Source]) -> Iterator[Question]:
    for source in sources:
        yield from source.questions()

"""The command that measures an exported version."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.options import MODEL_HELP, AsJson, TargetPrecision
from training.errors import TrainingError, interruptible
from training.output.next_step import LOCAL_STORE, say_next
from training.output.printing import print_json
from training.output.progress import say

if TYPE_CHECKING:
    from model_loader import Model
    from training.evaluation.answers import Answers
    from training.evaluation.threshold import Threshold


def evaluate(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with one folder of images for each class.",
            show_default="the test images of the run",
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(help="CSV with columns file, group and perhaps source.", show_default=False),
    ] = None,
    target_precision: TargetPrecision = None,
    engine: Annotated[
        str, typer.Option(help="What runs the network: torchscript or onnx.")
    ] = "torchscript",
    as_json: AsJson = False,
) -> None:
    """Measure an exported version on labelled images.

    A run is measured on its own test images, a model on all images of --data. In a folder that is
    split already, a model is measured on the test part.

    With --target-precision it prints the rejection threshold that reaches it on a run's validation
    images, or on --data; `export` writes it into a version.

    Example: `python -m training evaluate runs/flying-objects/TIME --target-precision 0.98`
    """
    from training.evaluation.runs import evaluate_folder, evaluate_run
    from training.evaluation.tables import print_evaluation, print_threshold
    from training.process import keep_freed_memory
    from training.run import is_run

    keep_freed_memory()
    with interruptible("Interrupted: nothing is kept of an evaluation. Try again."):
        if is_run(Path(model)):
            wanted = target_precision is not None
            found = evaluate_run(Path(model), data, groups, engine, validation=wanted)
        elif data is None:
            raise TrainingError(f"{model} is not the folder of a run: give --data DIR, too.")
        else:
            found = evaluate_folder(_load_model(model, engine), data, groups)
    document = found.evaluation.to_json()
    if not as_json:
        what = f"{found.images[0].upper()}{found.images[1:]}"
        print_evaluation(found.evaluation, f"{what}, {engine}")
        if groups is not None and not found.evaluation.groups:
            say("No group has two images or more, so none is listed.")
    threshold = None
    if target_precision is not None and found.answers is not None:
        threshold = _threshold(
            found.answers, document["calibration"]["temperature"], target_precision
        )
        shown = None if threshold is None else asdict(threshold)
        document["at_precision"] = {"wanted": target_precision, "threshold": shown}
        if threshold is not None and not as_json:
            print_threshold(threshold, target_precision, found.answered)
    if as_json:
        print_json(document)
    elif not is_run(Path(model)):
        say_next("predict", data, "--model", model)
    elif threshold is not None and threshold.value > 0:
        say_next("export", model, "--target-precision", target_precision)
    else:
        say_next("publish", model, LOCAL_STORE)


def _threshold(answers: Answers, temperature: float, precision: float) -> Threshold | None:
    from training.evaluation.threshold import UnreachablePrecisionError, choose_threshold

    try:
        return choose_threshold(answers.probabilities(temperature), answers.truth, precision)
    except UnreachablePrecisionError as error:
        say(str(error))
        return None


def _load_model(model: str, engine: str) -> Model:
    from model_loader import load_model
    from training.run import model_address

    return load_model(model_address(model), engine)

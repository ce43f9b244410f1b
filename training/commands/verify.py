"""The command that checks a published version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.options import Address
from training.errors import TrainingError
from training.output.next_step import say_next_serve
from training.output.progress import say

if TYPE_CHECKING:
    from training.evaluation.figures import Evaluation
    from training.published.stored_versions import Verified


def verify(
    address: Address,
    version: Annotated[str | None, typer.Argument(show_default="the current one")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with one folder of images for each class, to measure accuracy on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check a published version: hashes, self-test, accuracy.

    The version is downloaded, and measured if --data is given. It fails if a file is not the one
    that was published, if an engine does not give the answer of the self-test, or if the accuracy
    on --data is below the one in model.json by more than chance explains: their 95 % intervals do
    not meet.

    Example: `python -m training verify s3://my-bucket/models/flying-objects --data data/new`
    """
    from training.process import keep_freed_memory
    from training.published.stored_versions import verified

    keep_freed_memory()
    with verified(address, version) as found:
        metadata = found.metadata
        say(f"Version {metadata.version} of {metadata.name}, model.json's sha256 {found.sha256}")
        say(f"Whole: {', '.join(metadata.files)}. Self-test passed: {', '.join(found.models)}.")
        if data is not None:
            _compare(found, data)
    say_next_serve(address if version is None else f"{address.rstrip('/')}/versions/{version}")


def _compare(found: Verified, data: Path) -> None:
    from training.evaluation.runs import evaluate_folder
    from training.published.stored_versions import is_worse, promised_accuracy

    promised = promised_accuracy(found.metadata)
    for engine, model in found.models.items():
        evaluation = evaluate_folder(model, data).evaluation
        said = f"{engine}: accuracy {_figures(evaluation)} on {data}"
        if promised is None:
            say(f"{said}; model.json has none to compare it with.")
            continue
        say(f"{said}; model.json says {promised:.3f}.")
        if is_worse(evaluation, found.metadata):
            raise TrainingError(
                f"Version {found.metadata.version} is worse on {data} than its model.json says. "
                "Either these images differ from those that it was tested on, or it does not do "
                "what it did: do not serve it before you know which."
            )


def _figures(evaluation: Evaluation) -> str:
    low, high = evaluation.interval.low, evaluation.interval.high
    return f"{evaluation.accuracy:.3f} ({low:.3f}–{high:.3f}, n = {evaluation.n:,})"

"""The verbs that look after published versions: list them, go back to one, check one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from training.errors import TrainingError
from training.output.printing import print_json, print_table, say

if TYPE_CHECKING:
    from training.evaluation.figures import Evaluation
    from training.published.stored_versions import Published, Verified

Address = Annotated[
    str, typer.Argument(metavar="STORE/NAME", help="A model's address, as publish printed it.")
]


def versions(
    address: Address,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the published versions of a model, the newest first; the arrow marks the current one."""
    from training.published.stored_versions import list_versions, why_none_is_current

    published = list_versions(address)
    if as_json:
        print_json([asdict(one) for one in published])
    else:
        print_table(_table(published))
    for one in published:
        if one.problem:
            say(f"{one.version} cannot be served: {one.problem}.")
    if not any(one.is_current for one in published):
        choose = f"Choose one: python -m training rollback {address} VERSION"
        say(f"None is the current one. {why_none_is_current(address)} {choose}")


def rollback(
    address: Address,
    version: Annotated[
        str | None,
        typer.Argument(help="Which version.", show_default="the one before the current one"),
    ] = None,
) -> None:
    """Serve another published version: the one exported before the current one, or any by name.

    Warm functions follow within MODEL_REFRESH_SECONDS. Forward goes the same way.
    """
    from training.published.stored_versions import roll_back

    before, now = roll_back(address, version)
    if before == now:
        say(f"{now} is the current version already.")
        return
    was = "there was none" if before is None else f"it was {before}"
    say(f"The current version of {address} is {now} now; {was}.")


def verify(
    address: Address,
    version: Annotated[
        str | None, typer.Option(help="Which version.", show_default="the current one")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with one folder of images for each class, to compare the accuracy on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Download a version, check its hashes, run its self-test, and measure it on --data.

    It fails where a file is not the one that was published, where an engine does not give the
    self-test's answer, and where the accuracy on --data lies below the one in model.json by more
    than chance explains: their 95 % intervals do not meet.
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


def _table(published: list[Published]) -> Table:
    table = Table()
    for heading in ("", "version", "created (UTC)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("accuracy", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    # Of model.json; cut off where the terminal is narrow, --json has it whole.
    table.add_column("sha256", overflow="ellipsis")
    for one in published:
        table.add_row(
            "→" if one.is_current else "",
            one.version,
            one.created[:16].replace("T", " ") or "–",
            "–" if one.accuracy is None else f"{one.accuracy:.3f}",
            f"{one.size / 1e6:.1f}",
            one.sha256 or "–",
        )
    return table

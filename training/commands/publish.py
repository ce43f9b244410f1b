"""The command that publishes a version."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from training.errors import interruptible
from training.output.next_step import say_next, say_next_serve
from training.output.progress import say


def publish(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a run, of a published model, or of one version."),
    ],
    store: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX, or a local folder.")],
) -> None:
    """Copy an exported version into a store, and make it current.

    Publishing a version again restores what is missing or damaged of it.

    Example: `python -m training publish runs/flying-objects/TIME s3://my-bucket/models`
    """
    from model_loader import Metadata
    from model_loader.store import sha256
    from training.published.publication import publish as publish_version
    from training.published.publication import version_folder
    from training.published.stored_versions import promised_accuracy
    from training.run import is_run

    folder = version_folder(run)
    with interruptible(
        "Interrupted: an incomplete version is never served. Run the same command to continue."
    ):
        address = publish_version(folder, store)
    text = (folder / "model.json").read_bytes()
    metadata = Metadata.from_json(text)
    if is_run(run) and promised_accuracy(metadata) is None:
        say(
            f"Its model.json has no test figures: the evaluation of {run} was interrupted. To "
            f"measure it and publish it again: python -m training export {shlex.quote(str(run))}"
        )
    say(f"Version {metadata.version} is the current one of MODEL_URI={shlex.quote(address)}")
    say(f"A stage serves it if it is deployed with --param model={metadata.name}")
    say(f"To pin it, add --param version={metadata.version} --param sha256={sha256(text)}")
    if "://" in address:
        say_next("verify", address)
    else:
        say_next_serve(address)

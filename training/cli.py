"""The command line: ``python -m training COMMAND``.

Commands import what they need when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys

import typer

from model_loader import ModelUnavailableError
from training.commands import (
    clean,
    cost,
    evaluate,
    export,
    inspect,
    lr_find,
    models,
    predict,
    preview,
    prune,
    publish,
    report,
    sample_data,
    split,
    tiny_imagenet,
    train,
    verify,
    versions,
    webcam,
)
from training.errors import INTERRUPTED, EndSignals, InterruptedRunError, TrainingError
from training.output.progress import say
from training.output.terminal import print_any_text
from training.process import collect_less_often, wait_passively

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Train an image classifier on a folder of labelled images, and publish it.

A first round:

    python -m training sample-data data/sample

    python -m training train --data data/sample --weights flying-objects

    python -m training publish runs/flying-objects/TIME s3://BUCKET/models
""",
)

for _command in (
    sample_data.sample_data,
    inspect.inspect,
    clean.clean,
    split.split,
    tiny_imagenet.tiny_imagenet,
    preview.preview,
    models.models,
    train.train,
    lr_find.lr_find,
    evaluate.evaluate,
    report.report,
    export.export,
    publish.publish,
    versions.versions,
    versions.rollback,
    verify.verify,
    prune.prune,
    cost.cost,
    predict.predict,
    webcam.webcam,
):
    app.command()(_command)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    print_any_text()
    collect_less_often()
    wait_passively()
    signals = EndSignals()
    try:
        with signals.handled():
            app()
    except InterruptedRunError as error:
        say(str(error))
        sys.exit(signals.code)
    except SystemExit as ended:
        # Typer answers an interruption that a command has no message for with Ctrl-C's code.
        sys.exit(signals.code if ended.code == INTERRUPTED else ended.code)
    except (TrainingError, ModelUnavailableError, OSError) as error:
        say(" ".join(str(error).split()), "Error:", "red")
        sys.exit(2)

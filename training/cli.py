"""The command line: ``python -m training <command>``.

Commands import what they need when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys

import typer
from rich.text import Text

from model_loader import ModelUnavailableError
from training.commands import cost, data, models, predict, preview, report, runs, versions, webcam
from training.errors import INTERRUPTED, EndSignals, InterruptedRunError, TrainingError
from training.output.progress import console
from training.output.terminal import print_any_text
from training.process import collect_less_often, wait_passively

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Train an image classifier on a folder of labelled images, and publish it.

A first round:

    python -m training sample-data data/sample

    python -m training train --data data/sample --weights flying-objects

    python -m training publish runs/flying-objects/TIME s3://BUCKET/models
""",
)

app.command("sample-data")(data.sample_data)
app.command()(data.inspect)
app.command()(data.clean)
app.command()(data.split)
app.command("tiny-imagenet")(data.tiny_imagenet)
app.command()(preview.preview)
app.command()(models.models)
app.command()(runs.train)
app.command("lr-find")(runs.lr_find)
app.command()(runs.evaluate)
app.command()(report.report)
app.command()(runs.export)
app.command()(runs.publish)
app.command()(versions.versions)
app.command()(versions.rollback)
app.command()(versions.verify)
app.command()(cost.cost)
app.command()(predict.predict)
app.command()(webcam.webcam)


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
        console.print(str(error), soft_wrap=True)
        sys.exit(signals.code)
    except SystemExit as ended:
        # Typer answers an interruption that a command does not handle with Ctrl-C's code.
        sys.exit(signals.code if ended.code == INTERRUPTED else ended.code)
    except (TrainingError, ModelUnavailableError, OSError) as error:
        line = " ".join(str(error).split())
        console.print(Text("Error:", "red"), line, soft_wrap=True)
        sys.exit(2)

"""The command line: ``python -m training <verb>``.

Verbs import what they need when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from model_loader import ModelUnavailableError
from training.errors import TrainingError
from training.progress import console

if TYPE_CHECKING:
    from model_loader import Model
    from training.evaluate import Evaluation

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Train an image classifier on a folder of labelled images, and publish it.

A first round:

    python -m training sample-data data/sample

    python -m training train --data data/sample --recipe flying-objects

    python -m training publish runs/flying-objects/TIME s3://BUCKET/models
""",
)

DataFolder = Annotated[
    Path, typer.Option(help="Folder with one folder of images for each class.", show_default=False)
]
Engine = Annotated[str, typer.Option(help="What runs the network: torchscript or onnx.")]


@app.command("sample-data")
def sample_data(
    folder: Annotated[Path, typer.Argument(help="Where to draw; new or empty.")],
    per_class: Annotated[int, typer.Option(min=1, help="Images of each class.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed draws the same images.")] = 0,
) -> None:
    """Draw a small labelled set: birds, quadcopters and winged drones over skies."""
    from training.progress import progress
    from training.samples.draw import CLASSES, draw_sample_data

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TrainingError(f"{folder} exists already. Give a new or empty folder.")
    with progress("Drawing", per_class * len(CLASSES)) as advance:
        draw_sample_data(folder, per_class, seed, on_image=lambda: advance(""))
    _say(f"{per_class * len(CLASSES)} images of {len(CLASSES)} classes in {folder}")


@app.command()
def train(
    data: DataFolder,
    recipe: Annotated[str, typer.Option(help="Name of a shipped recipe, or a YAML file.")] = (
        "flying-objects"
    ),
    weights: Annotated[
        str,
        typer.Option(
            help="Where to start from: imagenet (a download), flying-objects (comes with the "
            "project), none (random), or the path of a state dict."
        ),
    ] = "imagenet",
    groups: Annotated[
        Path | None, typer.Option(help="CSV with 'file' and 'group': a group is never split.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="The run's folder.", show_default="runs/RECIPE/TIME"),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe: --set stages.0.epochs=3", metavar="K=V"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set seed=…")] = None,
) -> None:
    """Train, export and evaluate a model."""
    from training.recipe import load_recipe
    from training.train import train as run_training

    changes = list(overrides or ()) + ([] if seed is None else [f"seed={seed}"])
    trained = run_training(data, load_recipe(recipe, changes), weights, groups, save)
    _show(trained.evaluation, "Test images, exported file")
    _say(f"Run {trained.run.folder}, version {trained.metadata.version}")
    _say(f"Next: python -m training publish {trained.run.folder} s3://BUCKET/models")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A run's folder, or a model's or version's address")],
    data: DataFolder,
    engine: Engine = "torchscript",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure an exported version: a run on its own test images, a model on all of --data."""
    from training.data.table import read_folder
    from training.evaluate import evaluate as evaluate_images
    from training.run import is_run
    from training.train import evaluate_run

    if is_run(Path(model)):
        evaluation = evaluate_run(Path(model), data, engine)
    else:
        evaluation = evaluate_images(_load(model, engine), data, read_folder(data).rows)
    if as_json:
        _print_json(evaluation.to_json())
    else:
        _show(evaluation, f"{evaluation.n} images, engine {engine}")


@app.command()
def export(run: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Export a run's best weights again, as a new version in its folder `model`."""
    from training.run import open_run
    from training.train import export_run

    metadata = export_run(open_run(run))
    _say(f"Version {metadata.version} in {run / 'model'}")


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="A run's or an exported version's folder.")],
    store: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX, or a local directory.")],
) -> None:
    """Copy an exported version into a store, and make it the one that is served."""
    from training.publish import publish as publish_version
    from training.run import Run, is_run

    address = publish_version(Run(run).model if is_run(run) else run, store)
    _say(f"Published. Serve it with MODEL_URI={address}")


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE...")],
    model: Annotated[str, typer.Option(help="A run's folder, or a model's or version's address.")],
    engine: Engine = "torchscript",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Classify images."""
    from training.predict import predict_files

    answers = predict_files(_load(model, engine), images)
    if as_json:
        _print_json([{"image": str(path), **asdict(answer)} for path, answer in answers])
        return
    table = Table("image", "label", "confidence")
    for path, answer in answers:
        table.add_row(escape(str(path)), escape(answer.label), f"{answer.confidence:.1%}")
    Console().print(table)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    try:
        app()
    except (TrainingError, ModelUnavailableError) as error:
        console.print(f"[red]Error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)


def _load(model: str, engine: str) -> Model:
    from model_loader import load_model
    from training.run import Run, is_run

    return load_model(str(Run(Path(model)).model) if is_run(Path(model)) else model, engine)


def _show(evaluation: Evaluation, title: str) -> None:
    table = Table("class", "precision", "recall", "F1", "n", title=title)
    for figures in evaluation.classes:
        table.add_row(
            escape(figures.label),
            *(f"{value:.3f}" for value in (figures.precision, figures.recall, figures.f1)),
            str(figures.n),
        )
    table.add_section()
    table.add_row("accuracy", "", f"{evaluation.accuracy:.3f}", "", str(evaluation.n))
    Console().print(table)


def _say(sentence: str) -> None:
    console.print(escape(sentence), soft_wrap=True, highlight=False)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))

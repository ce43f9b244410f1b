"""The verbs that make a run, measure it and hand it over."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from training.commands.preview import show_recipe
from training.commands.report import report_finished
from training.data.source import DataSource
from training.errors import TrainingError, interruptible
from training.output.printing import print_json, print_table, say

if TYPE_CHECKING:
    from model_loader import Model
    from training.evaluation.answers import Answers
    from training.evaluation.threshold import Threshold

_EVERY = 8
_RECIPE = "flying-objects-tuned"

_FOR_RESUMING = ("resume", "data", "accelerator", "precision", "tracker", "cache", "draw_report")
# Parameters of train that mean the same for a run that is resumed.

DataFolder = Annotated[
    Path, typer.Option(help="Folder with one folder of images for each class.", show_default=False)
]
RecipeName = Annotated[str, typer.Option(help="Name of a shipped recipe, or a YAML file.")]
Weights = Annotated[
    str,
    typer.Option(
        help="Where to start from: imagenet (a download), flying-objects (comes with the project), "
        "none (random), or the path of a state dict."
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(help="CSV with 'file' and 'group': a group is never split.", show_default=False),
]
SplitFile = Annotated[
    Path | None,
    typer.Option("--split", help="CSV that the verb split wrote.", show_default=False),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change the recipe: --set stages.0.epochs=3", metavar="K=V"),
]
Cache = Annotated[
    str | None,
    typer.Option(
        help="Where decoded pictures are kept for later runs; none keeps them in memory.",
        metavar="DIR",
        show_default="runs/.pixels, or beside the run",
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Answer 'unknown' when in doubt, so that this fraction of the other answers is right.",
        show_default=False,
    ),
]
MovedData = Annotated[
    Path | None,
    typer.Option("--data", help="Where the images lie now, if they moved.", show_default=False),
]
Engine = Annotated[str, typer.Option(help="What runs the network: torchscript or onnx.")]


def train(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with one folder of images for each class.", show_default=False),
    ] = None,
    recipe: RecipeName = _RECIPE,
    weights: Weights = "imagenet",
    groups: Groups = None,
    split: SplitFile = None,
    save: Annotated[
        Path | None,
        typer.Option(help="The run's folder.", show_default="runs/RECIPE/TIME"),
    ] = None,
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set seed=…")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on with this run's folder, as it was begun; --data DIR if its images moved.",
            show_default=False,
        ),
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu, mps …")] = "auto",
    precision: Annotated[
        str, typer.Option(help="32-true, bf16-mixed, or 16-mixed on a GPU.")
    ] = "32-true",
    tracker: Annotated[
        str, typer.Option(help="Where to log as well: none, tensorboard or wandb.")
    ] = "none",
    preview: Annotated[
        Path | None,
        typer.Option(
            help="Write a sheet of augmented training images to this PNG, and stop.",
            metavar="PNG",
            show_default=False,
        ),
    ] = None,
    cache: Cache = None,
    draw_report: Annotated[
        bool, typer.Option("--report/--no-report", help="Whether to end with report.html.")
    ] = True,
) -> None:
    """Train, export and evaluate a model, and show all of it in one report.

    On several processes or machines the same command runs under torchrun:
    torchrun --nproc-per-node 2 -m training train --data DIR --save DIR
    """
    from training.fitting.hardware import Hardware
    from training.process import keep_freed_memory
    from training.recipe import load_recipe

    keep_freed_memory()
    hardware = Hardware.from_environment(accelerator, precision)
    # Lightning, which these import, fails on an environment that was not checked.
    from training.evaluation.tables import print_evaluation
    from training.train import resume as resume_training
    from training.train import train as run_training

    if resume is not None:
        _refuse_what_is_for_a_new_run(context)
        trained = resume_training(resume, hardware, tracker, cache, data)
    elif data is None:
        raise TrainingError("Give --data DIR to train, or --resume RUN to go on with a run.")
    else:
        changes = list(overrides or ()) + ([] if seed is None else [f"seed={seed}"])
        chosen = load_recipe(recipe, changes)
        source = DataSource(data, groups, split)
        if preview is not None:
            show_recipe(source, chosen, preview, chosen.seed)
            return
        trained = run_training(source, chosen, weights, save, hardware, tracker, cache)
    if trained is None:  # a process of torchrun's that is not the first
        return
    file = trained.metadata.metrics.get("measured")
    if trained.evaluation is not None:
        print_evaluation(
            trained.evaluation, f"Test images, exported file{f' {file} (int8)' if file else ''}"
        )
    if draw_report:
        report_finished(trained.run.folder)
    say(f"Run {trained.run.folder}, version {trained.metadata.version}")
    say(f"Next: python -m training publish {trained.run.folder} s3://BUCKET/models")


def _refuse_what_is_for_a_new_run(context: typer.Context) -> None:
    """Refuse each option that a resumed run would ignore, whatever is added later."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in _FOR_RESUMING
        and (source := context.get_parameter_source(str(parameter.name)))
        and source.name == "COMMANDLINE"
    ]
    if given:
        are = "is for a new run: leave it" if len(given) == 1 else "are for a new run: leave them"
        raise TrainingError(f"{' and '.join(given)} {are} out with --resume.")


def lr_find(
    data: DataFolder,
    recipe: RecipeName = _RECIPE,
    weights: Weights = "imagenet",
    groups: Groups = None,
    split: SplitFile = None,
    stage: Annotated[int, typer.Option(min=1, help="Which stage of the recipe.")] = 1,
    output: Annotated[
        Path | None, typer.Option(help="Write the curve as CSV.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    cache: Cache = None,
) -> None:
    """Try learning rates on a stage's first weights, and suggest one."""
    from training.recipe import load_recipe
    from training.train import find_rate

    chosen = load_recipe(recipe, overrides or ())
    with interruptible("Interrupted: a range test keeps nothing. Try again."):
        found = find_rate(DataSource(data, groups, split), chosen, weights, stage - 1, cache)
    table = Table("learning rate", "loss", title=f"Range test of stage {stage}")
    for rate, loss in list(zip(found.rates, found.losses, strict=True))[:: max(1, _EVERY)]:
        table.add_row(f"{rate:.2g}", f"{loss:.4f}")
    print_table(table)
    if output is not None:
        found.write(output)
    if found.suggestion is None:
        raise TrainingError(
            "There is no suggestion: the loss falls at none of these rates. Look at the data and "
            "the weights, or choose a rate by hand."
        )
    say(f"Suggestion: --set stages.{stage - 1}.learning_rate={found.suggestion:.2g}")


def evaluate(
    model: Annotated[str, typer.Argument(help="A run's folder, or a model's or version's address")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with one folder of images for each class; of a run, its own by default.",
            show_default=False,
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(help="CSV with 'file', 'group' and perhaps 'source'.", show_default=False),
    ] = None,
    precision: Precision = None,
    engine: Engine = "torchscript",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure an exported version: a run on its own test images, a model on all of --data.

    Of a folder that is split already, a model is measured on the test part.

    With --precision it says which rejection threshold would reach it on the validation images (of
    a model, on these images); `export RUN --precision` writes it.
    """
    from training.evaluation.runs import evaluate_folder, evaluate_run
    from training.evaluation.tables import print_evaluation, print_threshold
    from training.process import keep_freed_memory
    from training.run import is_run

    keep_freed_memory()
    with interruptible("Interrupted: nothing is kept of an evaluation. Try again."):
        if is_run(Path(model)):
            wanted = precision is not None
            found = evaluate_run(Path(model), data, groups, engine, validation=wanted)
            title = f"Test images of {model}, {engine}"
        elif data is None:
            raise TrainingError(f"{model} is not the folder of a run: give --data DIR, too.")
        else:
            found = evaluate_folder(_load_model(model, engine), data, groups)
            title = f"{data}, {engine}"
    document = found.evaluation.to_json()
    if not as_json:
        print_evaluation(found.evaluation, title)
    if precision is not None and found.held is not None:
        threshold = _threshold(found.held, document["calibration"]["temperature"], precision)
        shown = None if threshold is None else asdict(threshold)
        document["at_precision"] = {"wanted": precision, "threshold": shown}
        if threshold is not None and not as_json:
            print_threshold(threshold, precision)
    if as_json:
        print_json(document)


def _threshold(held: Answers, temperature: float, precision: float) -> Threshold | None:
    from training.evaluation.threshold import UnreachableError, choose_threshold

    try:
        return choose_threshold(held.probabilities(temperature), held.truth, precision)
    except UnreachableError as error:
        say(str(error))
        return None


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    precision: Precision = None,
    int8: Annotated[
        bool | None,
        typer.Option(
            "--int8/--no-int8",
            help="Eight-bit numbers in model.onnx, if that costs at most 0.5 points of accuracy.",
            show_default="the recipe's",
        ),
    ] = None,
    data: MovedData = None,
) -> None:
    """Export a run's best weights again, as a new version in its folder `model`, and measure it.

    It fails where --int8 or --precision cannot be had; the version is written without, then.
    """
    from training.process import keep_freed_memory
    from training.run import open_run
    from training.train import export_run

    keep_freed_memory()
    opened = open_run(run)
    with interruptible(f"Interrupted before the version was measured: {opened.export_again}"):
        metadata = export_run(opened, precision, int8, data)
    say(f"Version {metadata.version} in {run / 'model'}, threshold {metadata.threshold:.4g}")


def publish(
    run: Annotated[Path, typer.Argument(help="A run's or an exported version's folder.")],
    store: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX, or a local directory.")],
) -> None:
    """Copy an exported version into a store, and make it the one that is served."""
    from model_loader import Metadata
    from model_loader.store import sha256
    from training.published.publication import publish as publish_version
    from training.published.stored_versions import promised_accuracy
    from training.run import Run, is_run

    folder = Run(run).model if is_run(run) else run
    with interruptible(
        "Interrupted: a version that is not whole is served to nobody. The same command goes on."
    ):
        address = publish_version(folder, store)
    text = (folder / "model.json").read_bytes()
    metadata = Metadata.from_json(text)
    if is_run(run) and promised_accuracy(metadata) is None:
        say(
            f"Its model.json has no test figures: the evaluation of {run} was interrupted. To "
            f"measure it and publish it anew: python -m training export {shlex.quote(str(run))}"
        )
    say(f"Published. Serve it with MODEL_URI={address}")
    say(f"Pin it with osls deploy --param version={metadata.version} --param sha256={sha256(text)}")


def _load_model(model: str, engine: str) -> Model:
    from model_loader import load_model
    from training.run import model_address

    return load_model(model_address(model), engine)

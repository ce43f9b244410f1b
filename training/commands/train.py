"""The command that trains a model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import (
    RECIPE,
    Cache,
    Groups,
    Overrides,
    RecipeName,
    SplitFile,
    Weights,
)
from training.commands.report import report_finished
from training.data.source import DataSource
from training.errors import TrainingError
from training.output.next_step import LOCAL_STORE, say_next
from training.output.progress import say
from training.run import Run

_FOR_RESUMING = ("resume", "data", "accelerator", "precision", "tracker", "cache", "draw_report")
# Parameters of train that mean the same for a run that is resumed.


def train(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with one folder of images for each class.", show_default=False),
    ] = None,
    recipe: RecipeName = RECIPE,
    weights: Weights = "imagenet",
    groups: Groups = None,
    split: SplitFile = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder of the run.", show_default="runs/RECIPE/TIME"),
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Continue this run; add --data DIR if its images moved.",
            metavar="RUN",
            show_default=False,
        ),
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="32-true, bf16-mixed, or 16-mixed on a GPU.")
    ] = "32-true",
    tracker: Annotated[
        str, typer.Option(help="Additional tracker: none, tensorboard or wandb.")
    ] = "none",
    cache: Cache = None,
    draw_report: Annotated[
        bool, typer.Option("--report/--no-report", help="Draw report.html at the end.")
    ] = True,
) -> None:
    """Train, export and evaluate a model, with a report.

    Example: `python -m training train --data data/sample --weights flying-objects`

    With other values than the recipe's: `--set seed=1 --set stages.0.epochs=3`

    On several processes: `torchrun --nproc-per-node 2 -m training train --data data/sample --save
    runs/first`
    """
    if resume is not None:
        _refuse_what_is_for_a_new_run(context)
    elif data is None:
        raise TrainingError("Give --data DIR to train, or --resume RUN to go on with a run.")
    # What can be refused is, before the imports that take seconds.
    from training.fitting.hardware import Hardware
    from training.pixels.cache import check_cache
    from training.process import keep_freed_memory
    from training.start import check_places, check_recipe, check_tracker

    source = DataSource(data, groups, split) if data and not resume else None
    check_tracker(tracker)
    hardware = Hardware.from_environment(accelerator, precision)
    if source is not None:
        images = check_places(source, save, cache)
        chosen = check_recipe(recipe, overrides, weights, images, save)
    else:
        check_cache(cache)
    keep_freed_memory()
    # Lightning, which these import, fails on an environment that was not checked.
    from training.evaluation.tables import print_evaluation
    from training.train import resume as resume_training
    from training.train import train as run_training

    if source is not None:
        trained = run_training(source, chosen, weights, save, hardware, tracker, cache)
    else:
        assert resume is not None
        trained = resume_training(resume, hardware, tracker, cache, data)
    if trained is None:  # a process of torchrun's that is not the first
        return
    file = trained.metadata.metrics.get("measured")
    if trained.evaluation is not None:
        print_evaluation(
            trained.evaluation, f"Test images, exported file{f' {file} (int8)' if file else ''}"
        )
    if draw_report:
        report_finished(trained.run.folder)
    _say_where_pixels_are(trained.run)
    say(f"Run {trained.run.folder}, version {trained.metadata.version}")
    say_next("publish", trained.run.folder, LOCAL_STORE)


def _say_where_pixels_are(run: Run) -> None:
    """Say where decoded images are kept, how large they are, and how to drop them."""
    from training.pixels.cache import LEVELS, NO_CACHE
    from training.run_data import read_data

    folder = Path(read_data(run).cache or NO_CACHE)
    size = sum(levels.stat().st_size for levels in folder.glob(f"*/{LEVELS}"))
    if size:
        say(f"Decoded images for later runs: {size / 1e9:,.2f} GB in {folder}")
        empty = f"find {shlex.quote(str(folder))} -name {LEVELS} -delete"
        say(empty, "Empty it:", is_command=True)


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

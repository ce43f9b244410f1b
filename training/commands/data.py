"""The verbs that make, look at, clean and split data."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from training.errors import TrainingError
from training.output.printing import say

Folder = Annotated[
    Path,
    typer.Argument(
        help="A folder that holds one folder for each class, or is split into such folders "
        "(train/, val/, test/) already."
    ),
]


def sample_data(
    folder: Annotated[Path, typer.Argument(help="Where to draw; new or empty.")],
    per_class: Annotated[int, typer.Option(min=1, help="Images of each class.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same images.")] = 0,
) -> None:
    """Draw a small labelled set: birds, quadcopters and winged drones over skies."""
    from samples.draw import CLASSES, draw_sample_data
    from training.output.progress import progress

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TrainingError(f"{folder} exists already. Give a new or empty folder.")
    try:
        (folder / CLASSES[0]).mkdir(parents=True)  # which of two that begin at once succeeds
    except FileExistsError as error:
        raise TrainingError(f"{folder} exists already. Give a new or empty folder.") from error
    with progress("Drawing", per_class * len(CLASSES)) as advance:
        draw_sample_data(folder, per_class, seed, on_image=lambda: advance(""))
    say(f"{per_class * len(CLASSES)} images of {len(CLASSES)} classes in {folder}")


def inspect(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option(help="Write plots (PNG) and inspect.json into this folder.")
    ] = None,
) -> None:
    """Look at a folder of images: how many, how heavy, how large, of what kind, which twice."""
    from training.cleaning.inspection import inspect_table
    from training.cleaning.inspection_tables import print_inspection
    from training.data.table import read_folder

    inspection = inspect_table(read_folder(folder))
    print_inspection(inspection)
    if output is None:
        say("Add --output FOLDER for plots and inspect.json.")
        return
    from training.cleaning.plots import draw_plots

    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "inspect.json").write_text(
            json.dumps(inspection.to_json(), indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
            errors="backslashreplace",  # which is JSON's escape of what is no Unicode
        )
        drawn = draw_plots(inspection, output)
    except OSError as error:
        raise TrainingError(f"{output} cannot be written: {error}.") from error
    say(f"inspect.json and {', '.join(path.name for path in drawn)} in {output}")


def clean(
    folder: Folder,
    to: Annotated[
        Path | None,
        typer.Option(help="Write what is kept, and report.csv, into this new folder."),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(help="A split of the folder: copies in two of its parts are leaks."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="Leave out this rule; may be given several times.")
    ] = None,
    fix_extensions: Annotated[
        bool, typer.Option(help="Keep images with a wrong extension, under the right one.")
    ] = False,
    conflicts: Annotated[
        Literal["keep", "drop"],
        typer.Option(help="What to do with pictures that stand in two classes."),
    ] = "keep",
    min_side: Annotated[int, typer.Option(min=1, help="Shortest side to keep, pixels.")] = 32,
    dark: Annotated[float, typer.Option(min=0, max=1, help="CleanVision: dark below.")] = 0.32,
    blurry: Annotated[float, typer.Option(min=0, max=1, help="CleanVision: blurry below.")] = 0.29,
    odd_size: Annotated[
        float, typer.Option(min=0, help="CleanVision: interquartile ranges to an odd size.")
    ] = 3.0,
    clusters: Annotated[int, typer.Option(min=2, help="K of K-Means.")] = 8,
    max_share: Annotated[
        float, typer.Option(min=0, max=1, help="An outlying cluster holds at most this share …")
    ] = 0.02,
    min_mads: Annotated[
        float, typer.Option(min=0, help="… and lies this many deviations (MAD) off, at least.")
    ] = 4.0,
    distance: Annotated[
        int, typer.Option(min=0, max=64, help="Near duplicates: bits that differ, of 64.")
    ] = 10,
    difference: Annotated[
        float, typer.Option(min=0, help="Near duplicates: difference, of the contrast.")
    ] = 0.25,
    copy: Annotated[bool, typer.Option(help="Copy files rather than hard-link them.")] = False,
) -> None:
    """Find images that spoil training. Without --to this only says what it would drop.

    Originals are never changed. Of copies in one class the best is kept; a picture in two classes
    is reported (--conflicts drop removes it from both); with --split, or in a folder that is split
    already, training loses the copy of what is tested.
    """
    from training.cleaning.apply_rules import clean as apply
    from training.cleaning.apply_rules import list_files, parts_of
    from training.cleaning.cleaned_folder import REPORT, check_classes, check_target, keep
    from training.cleaning.inspection_tables import print_cleaning
    from training.cleaning.rules import MEANING, Rules
    from training.data.source import read_split_of

    unknown = sorted(set(skip or ()) - set(MEANING))
    if unknown:
        raise TrainingError(f"There is no rule {unknown[0]!r}. The rules are {', '.join(MEANING)}.")
    rules = Rules(
        frozenset(skip or ()),
        fix_extensions,
        min_side,
        dark,
        blurry,
        odd_size,
        clusters,
        max_share,
        min_mads,
        distance,
        difference,
        conflicts,
    )
    table = list_files(folder)
    given = None if split is None else read_split_of(table, split)
    if to is not None:
        check_target(folder, to)
    cleaning = apply(folder, table.rows, rules, parts_of(given) if given else table.parts)
    print_cleaning(cleaning)
    if left_out := str(table.left_out):
        say(left_out)
    if to is None:
        say("Nothing was written. Add --to FOLDER to keep the rest there, with a report.")
        check_classes(cleaning)
        return
    keep(cleaning, to, given, copy)
    say(f"{len(cleaning.kept):,} images in {to}; what was dropped and why is in {to / REPORT}")


def split(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="The CSV to write: file, label, group, part.")],
    groups: Annotated[
        Path | None, typer.Option(help="CSV with columns file, group: groups stay on one side.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=999_999, help="The same seed gives the same split.")
    ] = 0,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Fraction.")] = 0.15,
    test: Annotated[float, typer.Option(min=0, max=1, help="Fraction.")] = 0.15,
) -> None:
    """Split a folder into training, validation and test images, by class and group.

    Exact copies of an image stay in its part; near copies need --groups. A folder that is split
    already (train/, val/, test/) keeps its split, and a part that it lacks is drawn from train/.
    Tiny ImageNet keeps its own: train/, and val/ in two halves.
    """
    from training.cleaning.inspection_tables import print_split
    from training.data.source import DataSource, read_source
    from training.data.split import read_split, write_split
    from training.data.tiny_imagenet import is_tiny_imagenet

    if to.exists():
        raise TrainingError(f"{to} exists already. Remove it, or give another name.")
    if is_tiny_imagenet(folder) and groups is not None:
        raise TrainingError("Tiny ImageNet comes with its own split. Leave out --groups.")
    found = read_source(DataSource(folder, groups), validation, test, seed)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as temporary:
            unfinished = Path(temporary) / to.name
            write_split(found.split, unfinished)
            read_split(unfinished, folder)
            to.open("xb").close()  # fails where another process was faster
            unfinished.replace(to)
    except OSError as error:
        raise TrainingError(f"{to} cannot be written: {error}.") from error
    print_split(found.split)
    for note in found.notes:
        say(note)
    say(f"The split is in {to}")


def tiny_imagenet(
    folder: Annotated[Path, typer.Argument(help="Where it was unpacked: tiny-imagenet-200.")],
) -> None:
    """Sort Tiny ImageNet's validation images into one folder for each class.

    May be run again at any time; nothing is lost when it is interrupted.
    """
    from training.data.table import read_folder
    from training.data.tiny_imagenet import (
        has_annotations,
        read_annotations,
        read_names,
        sort_validation,
    )
    from training.output.progress import progress

    names = read_names(folder)
    if not has_annotations(folder):
        held = read_folder(folder).part("validation")
        say(f"There is nothing to sort: {len(held):,} validation images are in class folders.")
        return
    with progress("Sorting", len(read_annotations(folder))) as advance:
        done = sort_validation(folder, on_image=lambda: advance(""))
    say(
        f"{done.moved:,} images moved, {done.already:,} were in place; {len(names)} classes, from "
        f"{min(names.values())!r} to {max(names.values())!r}"
    )
    if done.missing:
        say(f"{len(done.missing):,} images of val_annotations.txt are not there: {done.missing[0]}")
    if done.unknown:
        say(f"{len(done.unknown):,} images are not in val_annotations.txt: {done.unknown[0]}")

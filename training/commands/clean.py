"""The command that finds images that spoil training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.commands.options import Folder
from training.errors import TrainingError
from training.output.printing import say


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
    from training.cleaning.clean import clean as apply
    from training.cleaning.clean import list_files, parts_of
    from training.cleaning.cleaned_folder import REPORT, check_classes, check_target, keep
    from training.cleaning.rules import MEANING, Rules
    from training.cleaning.tables import print_cleaning
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

"""The command that finds images that spoil training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Folder
from training.output.next_step import as_options, beside, say_next
from training.output.progress import say


def clean(
    folder: Folder,
    to: Annotated[
        Path | None, typer.Option(help="New folder for the images that are kept, and report.csv.")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(help="A split of the folder: duplicates in two of its parts are leaks."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(help="Leave out this rule; may be given several times.", metavar="RULE"),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change a parameter of the rules (below): --set dark=0.3",
            metavar="KEY=VALUE",
        ),
    ] = None,
) -> None:
    """Find images that spoil training.

    Without --to nothing is written. Originals are never changed: the images that are kept are hard
    links to them. Of duplicates in one class the best is kept. An image in two classes is reported;
    `--set conflicts=drop` removes it from both. With --split, or in a folder that is split already,
    the training part loses what validation or test has as well.

    Example: `python -m training clean data/sample --set dark=0.3 --to data/cleaned`

    Parameters of the rules, and their defaults:

    - `min_side=32`: shortest side that is kept, in pixels
    - `dark=0.32`, `blurry=0.29`: CleanVision scores, 0 to 1, below which an image is dropped
    - `odd_size=3`: interquartile ranges from the quartiles to an odd size
    - `clusters=8`: K of K-Means over file size, and over height and width
    - `max_share=0.02`: largest share of the images that an outlying cluster holds
    - `min_mads=4`: least distance of its centre from the median, in deviations (MAD)
    - `distance=10`: most bits, of 64, in which the hashes of near duplicates differ
    - `difference=0.25`: largest difference of their thumbnails, as a share of the contrast
    - `conflicts=keep`: what is done with an image in two classes, keep or drop
    - `fix_extensions=false`: whether a wrong extension is corrected instead of dropped
    """
    from training.cleaning.apply_rules import clean as apply
    from training.cleaning.apply_rules import list_files, parts_of
    from training.cleaning.cleaned_folder import (
        REPORT,
        SPLIT,
        check_classes,
        check_target,
        keep,
    )
    from training.cleaning.inspection_tables import print_cleaning
    from training.cleaning.rules import read_rules
    from training.data.source import read_split_of

    rules = read_rules(skip or (), overrides or ())
    table = list_files(folder)
    given = None if split is None else read_split_of(table, split)
    if to is not None:
        check_target(folder, to)
    cleaning = apply(folder, table.rows, rules, parts_of(given) if given else table.parts)
    print_cleaning(cleaning)
    if left_out := str(table.left_out):
        say(left_out)
    if to is not None:
        keep(cleaning, to, given)
        say(f"{len(cleaning.kept):,} images in {to}; what was dropped and why is in {to / REPORT}")
        if given is None and not table.parts:
            say_next("split", to, "--to", beside(to, "-split.csv"))
        else:
            own = as_options(split=None if given is None else to / SPLIT)
            say_next("train", "--data", to, *own)
        return
    say("Nothing was written. Add --to FOLDER to keep the rest there, with a report.")
    check_classes(cleaning)
    same = as_options(skip=skip, overrides=overrides, split=split)
    say_next("clean", folder, *same, "--to", beside(folder, "-clean"))

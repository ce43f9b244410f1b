"""The command that sorts the validation images of Tiny ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.output.next_step import say_next
from training.output.progress import say

_RECIPE = "tiny-imagenet-alexnet"


def tiny_imagenet(
    folder: Annotated[Path, typer.Argument(help="Folder of the unpacked archive.")],
) -> None:
    """Sort Tiny ImageNet's validation images into class folders.

    It may be run again at any time; nothing is lost when it is interrupted.

    Example: `python -m training tiny-imagenet data/tiny-imagenet-200`
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
        there = len(read_folder(folder).part("validation"))
        say(f"There is nothing to sort: {there:,} validation images are in class folders.")
        say_next("train", "--data", folder, "--recipe", _RECIPE)
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
    say_next("train", "--data", folder, "--recipe", _RECIPE)

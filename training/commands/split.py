"""The command that splits a folder of images."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Folder, Groups
from training.errors import TrainingError
from training.output.next_step import say_next
from training.output.progress import say


def split(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="CSV to write, with columns file, label, group, part.")],
    groups: Groups = None,
    seed: Annotated[
        int, typer.Option(min=0, max=999_999, help="The same seed gives the same split.")
    ] = 0,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Share for validation.")] = 0.15,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share for the test.")] = 0.15,
) -> None:
    """Split a folder into training, validation and test images.

    Each class is split in the same shares. Exact duplicates stay in one part; near duplicates need
    --groups. A folder that is split already (train/, val/, test/) keeps its split, and a missing
    part is drawn from train/. Tiny ImageNet keeps its own split: train/, and val/ in two halves.

    Example: `python -m training split data/sample --to split.csv --test 0.2`
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
    recipe = ("--recipe", "tiny-imagenet-alexnet") if is_tiny_imagenet(folder) else ()
    say_next("train", "--data", folder, "--split", to, *recipe)

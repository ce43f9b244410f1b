"""The verb that shows what augmentation does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.verbs.output import say


def preview(
    data: Annotated[
        Path,
        typer.Option(help="Folder with one folder of images for each class.", show_default=False),
    ],
    to: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("preview.png"),
    strategy: Annotated[
        str, typer.Option(help="How pictures reach the network: squash, pad_crop or variable.")
    ] = "squash",
    augment: Annotated[
        str,
        typer.Option(
            help="A seed's list (flying-objects, flying-objects-spp, flying-objects-multiscale, "
            "none), or operations as YAML: '[{op: rotate, limit: 15}]'."
        ),
    ] = "flying-objects",
    size: Annotated[int, typer.Option(help="Pixels a side of the network's input.")] = 224,
    seed: Annotated[int, typer.Option(help="Chooses the images and what is drawn.")] = 0,
) -> None:
    """Write a sheet of augmented images: one line an image, a few images of each class."""
    from model_loader import Normalize
    from training.data.augment import read_augmentations
    from training.data.preview import write_preview
    from training.data.strategies import get_strategy
    from training.data.table import read_folder

    chosen = get_strategy(strategy, size)
    augmentation = chosen.augmentation(read_augmentations(augment))
    transform = chosen.transform(Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    rows = read_folder(data).rows
    shown = write_preview(rows, data, augmentation, transform, to, seed, chosen.train_ops)
    say(f"{shown} images, strategy {strategy}, in {to}")

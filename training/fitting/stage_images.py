"""The images of a run, as its stages need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_loader.store import sha256
from training.data.contents import Content, Skips, fingerprint, read_contents
from training.data.leaks import copied_from_training, describe_copies
from training.data.source import DataSource, read_source
from training.data.split import Split
from training.data.table import ImageTable
from training.fitting.feed import Material, check_sizes
from training.fitting.hardware import Hardware
from training.fitting.host import Host
from training.output.progress import tell
from training.pixels.dataset import check_images, load_pixels
from training.pixels.workers import item_seconds, worker_count
from training.recipe import Recipe, Stage


@dataclass(frozen=True)
class Images:
    """A table that was read once, split, and what each file holds.

    Attributes:
        table: The images that can be read.
        split: Each in one part.
        contents: Of each file.
        skips: Those that cannot be used, counted through the whole run.
        cache: The folder that keeps decoded pictures for later runs; None for memory.
    """

    table: ImageTable
    split: Split
    contents: Mapping[str, Content]
    skips: Skips
    cache: Path | None = None

    def fingerprint(self) -> str:
        """Return a sha256 over every image's name, label and bytes."""
        return fingerprint(sorted(self.table.rows, key=lambda row: row.file), self.contents)

    def material(self, recipe: Recipe, stage: Stage) -> Material:
        """Decode the images of training and validation, at the size of a stage."""
        strategy = recipe.strategy(stage)
        transform = recipe.transform(stage)
        augments = recipe.augments(stage)
        root, labels = self.table.root, self.table.labels
        training = load_pixels(
            root,
            self.split.train,
            labels,
            transform,
            "Reading training",
            augmentation=strategy.augmentation(recipe.augment or []) if augments else None,
            train_ops=strategy.train_ops,
            cache=self.cache,
            contents=self.contents,
            skips=self.skips,
        )
        validation = load_pixels(
            root,
            self.split.validation,
            labels,
            transform,
            "Reading validation",
            cache=self.cache,
            contents=self.contents,
            skips=self.skips,
        )
        differ = len({*training.plain.sizes, *validation.sizes}) > 1
        workers = worker_count(item_seconds(training), len(training) * stage.epochs)
        return Material(
            training=training,
            plain=training.plain,
            validation=validation,
            labels=training.labels,
            validation_labels=validation.labels,
            sizes=training.sizes if differ else None,
            augments=augments,
            workers=workers,
        )

    def check_test(self) -> None:
        """Decode the test images, so that a damaged one is found before training."""
        check_images(self.table.root, self.split.test, "Checking test", self.skips)


def read_table(source: DataSource, recipe: Recipe) -> tuple[ImageTable, Split]:
    """List a folder and split it, and say what a user should know of that.

    Raises:
        TrainingError: The folder, the groups or the split will not do; see the message.
    """
    found = read_source(source, recipe.split.validation, recipe.split.test, recipe.seed)
    for note in found.notes:
        tell(note)
    return found.table, found.split


def read_images(source: DataSource, recipe: Recipe) -> Images:
    """List a folder, split it, and read every file once.

    Raises:
        TrainingError: The folder, the groups or the split will not do; see the message.
    """
    table, split = read_table(source, recipe)
    return read_split_images(table.root, table.labels, split)


def read_split_images(root: Path, labels: tuple[str, ...], split: Split) -> Images:
    """Read every file of a split once.

    Raises:
        TrainingError: Too many cannot be read.
    """
    rows = (*split.train, *split.validation, *split.test)
    skips = Skips(len(rows))
    contents = read_contents(root, rows, "Reading files", skips)
    parts = (split.train, split.validation, split.test)
    readable = Split(*(tuple(row for row in part if row.file in contents) for part in parts))
    kept = tuple(row for row in rows if row.file in contents)
    digests = {file: content.sha256 for file, content in contents.items()}
    if said := describe_copies(copied_from_training(readable, digests), readable):
        tell(said)
    return Images(ImageTable(root, labels, kept), readable, contents, skips)


def check_processes(
    hardware: Hardware, recipe: Recipe, images: Images, first: Material, made: object
) -> None:
    """Make sure that all processes train the same, from the same point on the same images.

    Args:
        hardware: The processes.
        recipe: What this one trains by.
        images: What it could read.
        first: Of the stage that it begins with.
        made: How far the run has come, as this process read it.

    Raises:
        TrainingError: One could not read what another one could, or was given something else; or
            they cannot share images of several sizes.
    """
    check_sizes(first, hardware.world)
    fitted = {row.file for row in (*images.split.train, *images.split.validation)}
    skipped = sorted({image.file for image in images.skips.images} & fitted)
    compared = {
        "images": (images.split, images.fingerprint(), skipped),
        "recipe": recipe.to_yaml(),
        "epochs": made,
    }
    host = Host(hardware)
    for name, value in compared.items():
        host.check_same(name, sha256(repr(value).encode(errors="surrogateescape")))

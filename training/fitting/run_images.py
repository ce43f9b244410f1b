"""The images of a run, read once and decoded for each stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model_loader.store import sha256
from training.data.contents import Content, Skips, fingerprint, read_contents
from training.data.leaks import copied_from_training, describe_copies
from training.data.source import DataSource, read_source
from training.data.split import PARTS, Split
from training.data.table import ImageTable
from training.fitting.checkpoint import Progress
from training.fitting.hardware import Hardware
from training.fitting.process_group import ProcessGroup
from training.fitting.stage_data import StageData
from training.output.progress import tell
from training.pixels.cache import PixelCache
from training.pixels.dataset import check_images, load_pixels
from training.pixels.workers import item_seconds, worker_count
from training.recipe import Recipe
from training.recipe_sections import Stage


@dataclass(frozen=True)
class RunImages:
    """A table that was read once and split.

    Attributes:
        table: The images that can be read.
        split: Each in one part.
        contents: The content of each file.
        skips: Those that cannot be used, counted through the whole run.
        cache: The cache of decoded images; None for a temporary one.
    """

    table: ImageTable
    split: Split
    contents: Mapping[str, Content]
    skips: Skips
    cache: PixelCache | None = None

    def fingerprint(self) -> str:
        """Return a sha256 over every image's name, label and bytes."""
        return fingerprint(sorted(self.table.rows, key=lambda row: row.file), self.contents)

    def by_stage(self, recipe: Recipe) -> Callable[[Stage], StageData]:
        """Return the function from a stage to its data.

        Stages that follow each other with the same size and augmentation share it.
        """

        @lru_cache(maxsize=1)
        def load(size: int | None, augment: bool) -> StageData:
            same = (x for x in recipe.stages if (x.size, x.augment) == (size, augment))
            return self.stage_data(recipe, next(same))

        return lambda stage: load(stage.size, stage.augment)

    def stage_data(self, recipe: Recipe, stage: Stage) -> StageData:
        """Decode the images of training and validation, at the size of a stage."""
        strategy = recipe.strategy(stage)
        augments = recipe.augments(stage)
        root, labels, transform = self.table.root, self.table.labels, recipe.transform(stage)
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
        return StageData(
            training=training,
            plain=training.plain,
            validation=validation,
            labels=training.labels,
            validation_labels=validation.labels,
            sizes=training.sizes if differ else None,
            augments=augments,
            workers=worker_count(item_seconds(training), len(training) * stage.epochs),
        )

    def check_test(self) -> None:
        """Decode the test images, so that a damaged one is found before training."""
        check_images(self.table.root, self.split.test, "Checking test", self.skips)


def read_table(source: DataSource, recipe: Recipe) -> tuple[ImageTable, Split]:
    """List a folder and split it, and tell what a user should know of that.

    Raises:
        TrainingError: The folder, the groups or the split will not do; see the message.
    """
    found = read_source(source, recipe.split.validation, recipe.split.test, recipe.seed)
    for note in found.notes:
        tell(note)
    return found.table, found.split


def read_images(source: DataSource, recipe: Recipe) -> RunImages:
    """List a folder, split it, and read every file once.

    Raises:
        TrainingError: The folder, the groups or the split will not do; see the message.
    """
    table, split = read_table(source, recipe)
    return read_split_images(table.root, table.labels, split)


def read_split_images(root: Path, labels: tuple[str, ...], split: Split) -> RunImages:
    """Read every file of a split once.

    Raises:
        TrainingError: Too many cannot be read.
    """
    rows = [row for name in PARTS for row in split.part(name)]
    skips = Skips(len(rows))
    contents = read_contents(root, rows, "Reading files", skips)
    readable = Split(*(tuple(r for r in split.part(name) if r.file in contents) for name in PARTS))
    digests = {file: content.sha256 for file, content in contents.items()}
    if message := describe_copies(copied_from_training(readable, digests), readable):
        tell(message)
    table = ImageTable(root, labels, tuple(row for row in rows if row.file in contents))
    return RunImages(table, readable, contents, skips)


def check_processes(
    hardware: Hardware, recipe: Recipe, images: RunImages, first: StageData, progress: Progress
) -> None:
    """Check that all processes train the same, from the same point on the same images.

    ``first`` is the data of the stage that they begin with.

    Raises:
        TrainingError: One could not read what another one could, or was given something else; or
            they cannot share images of several sizes.
    """
    first.check_sizes(hardware.world)
    fitted = {row.file for row in (*images.split.train, *images.split.validation)}
    skipped = sorted({image.file for image in images.skips.images} & fitted)
    compared = {
        "images": (images.split, images.fingerprint(), skipped),
        "recipe": recipe.to_yaml(),
        "epochs": progress,
    }
    group = ProcessGroup(hardware)
    for name, value in compared.items():
        group.check_same(name, sha256(repr(value).encode(errors="surrogateescape")))

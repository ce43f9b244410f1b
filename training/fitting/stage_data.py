"""The data of one stage: images, or the outputs of the frozen layers for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from training.errors import TrainingError
from training.fitting.features import CachedFeatures, compute_features, first_images
from training.fitting.frozen import Runner, frozen_runner
from training.fitting.hardware import Hardware
from training.fitting.order import EpochOrder, Examples, Numbered, NumberedBuckets
from training.fitting.process_group import ProcessGroup
from training.fitting.thaw import StagedModel
from training.output.progress import tell
from training.recipe_sections import Stage

Batches = DataLoader[tuple[Tensor, Tensor]]

_MEASURED_BATCH = 64
_COMPUTED_BATCH = 128
_COMPUTED_PIXELS = _COMPUTED_BATCH * 224 * 224
# Images that frozen layers take at once, and their pixels, which bound the memory. Fully connected
# layers read their weights once a batch: AlexNet's are a quarter of the time of 16 images.
_CHECKED = 16
# Images on which fused layers are compared with those that they stand for.
_VIEWS = 8
# Augmented views computed ahead unless told otherwise; see ``training.fitting.features``.


@dataclass(frozen=True)
class StageData:
    """The images of a stage, and after ``prepare`` its data sets.

    Attributes:
        training: Training images, augmented if the recipe augments; after ``prepare`` by the
            numbers of ``EpochOrder``.
        plain: The same images without augmentation, by index.
        validation: Without augmentation, by index.
        labels: int64 [N], of the training images.
        validation_labels: int64 [M].
        sizes: (height, width) of each training image, where those or the validation images differ;
            else None.
        augments: Whether ``training`` differs from ``plain``.
        workers: Number of processes that load.
        is_cached: Whether the data sets hold outputs of the frozen layers, not images.
    """

    training: Examples
    plain: Examples
    validation: Examples
    labels: Tensor
    validation_labels: Tensor
    sizes: Sequence[tuple[int, int]] | None = None
    augments: bool = False
    workers: int = 0
    is_cached: bool = False

    def check_sizes(self, processes: int) -> None:
        """Check that this many processes can share the images.

        Raises:
            TrainingError: There are several, and the images are of several sizes.
        """
        if self.sizes is not None and processes > 1:
            raise TrainingError("Images of different sizes are trained on by one process only.")

    def batches(self, order: EpochOrder, size: int) -> Batches:
        """Return the training batches of one process, in its order.

        A single image that would be left over is left out: BatchNorm cannot train on it.
        """
        if self.sizes is None:
            lonely = len(order) % size == 1 and len(order) > size
            return self._loader(self.training, order, size, drop_last=lonely)
        buckets = NumberedBuckets(self.sizes, size, order.seed)
        return DataLoader(self.training, batch_sampler=buckets, num_workers=self.workers)

    def measured(self, hardware: Hardware) -> list[Batches]:
        """Return one process's share of the training and the validation images, to measure on."""
        size = _MEASURED_BATCH if self.sizes is None else 1
        parts = (self.plain, self.labels), (self.validation, self.validation_labels)
        return [
            self._loader(part, range(hardware.rank, len(labels), hardware.world), size)
            for part, labels in parts
        ]

    def _loader(
        self, part: Examples, order: EpochOrder | Sequence[int], size: int, drop_last: bool = False
    ) -> Batches:
        collate: Any = _as_it_is if self.is_cached else None
        return DataLoader(
            part,
            size,
            sampler=order,
            num_workers=self.workers,
            collate_fn=collate,
            drop_last=drop_last,
        )


def count_views(stage: Stage, augments: bool) -> int:
    """Return how many outputs of frozen layers a stage keeps of each training image; 0: none.

    They are the augmented views and the plain image.
    """
    views = _augmented(stage)
    return views and (views + 1 if augments else 1)


def _augmented(stage: Stage) -> int:
    return min(_VIEWS if stage.views is None else stage.views, stage.epochs)


def prepare(
    data: StageData,
    staged: StagedModel,
    stage: Stage,
    folder: Path,
    seed: int,
    device: torch.device,
    group: ProcessGroup,
) -> StageData:
    """Return a stage's data sets, with the outputs of frozen layers where they can be cached.

    They can where something is frozen, the model's shape allows to begin there, and the stage does
    not ask for fresh views. One process of a machine computes them, and all map the file.

    Raises:
        TrainingError: The outputs cannot be written to ``folder``.
    """
    n = len(data.labels)
    numbered = Numbered(data.training, n, seed)
    views = _augmented(stage)
    can_be_cached = staged.can_be_cached and (data.sizes is None or staged.start is None)
    if not can_be_cached or not views:
        return replace(data, training=numbered)

    @cache
    def run() -> tuple[Runner, int]:
        checked = 1 if data.sizes else min(_CHECKED, n)
        first = torch.stack([data.plain[i][0] for i in range(checked)])
        pixels = first[0, 0].numel()
        batch = 1 if data.sizes else max(1, min(_COMPUTED_BATCH, _COMPUTED_PIXELS // pixels))
        return frozen_runner(staged, first, device), batch

    def compute(name: str, parts: Sequence[Examples], count: int) -> NDArray[np.generic]:
        path = folder / f"{name}.npy"
        return group.once(
            str(path),
            lambda: compute_features(
                run()[0],
                parts,
                count,
                path,
                f"Features, {name}",
                run()[1],
                data.workers,
                loads_ahead=name != "augmented",
            ),
            lambda: np.load(path, mmap_mode="r"),
        )

    plain = compute("training", [data.plain], n)
    validation = compute("validation", [data.validation], len(data.validation_labels))
    in_turn = [plain]
    if data.augments:
        message = f"Augmented views of each image, computed ahead: {views}"
        if views < stage.epochs:
            message += f". With the plain image they take turns in {stage.epochs} epochs; "
            message += "views: 0 has fresh ones"
        tell(message)
        epochs = [first_images(numbered, n, epoch) for epoch in range(views)]
        augmented = compute("augmented", epochs, n)
        in_turn = [*augmented.reshape(views, n, *augmented.shape[1:]), plain]
    staged.to("cpu")
    return StageData(
        CachedFeatures(in_turn, data.labels),
        CachedFeatures([plain], data.labels),
        CachedFeatures([validation], data.validation_labels),
        data.labels,
        data.validation_labels,
        is_cached=True,
    )


def _as_it_is(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch

"""What a stage is fed with: images, or what its frozen part made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from training.fitting.features import CachedFeatures, compute_features, first_images
from training.fitting.frozen import Runner, frozen_runner
from training.fitting.hardware import Hardware
from training.fitting.host import Host
from training.fitting.order import EpochOrder, Examples, Numbered, NumberedBuckets
from training.fitting.thaw import Trainee
from training.recipe import Stage

Batches = DataLoader[tuple[Tensor, Tensor]]

_MEASURED_BATCH = 64
_COMPUTED_BATCH = 16


@dataclass(frozen=True)
class Material:
    """The images of a run.

    Attributes:
        training: Augmented, if the recipe augments.
        plain: The same images without augmentation.
        validation: Without augmentation.
        labels: Of the training images, int64 [N].
        validation_labels: Likewise.
        sizes: (height, width) of each training image, where they differ; else None.
        augments: Whether ``training`` differs from ``plain``.
        workers: Processes that load images.
    """

    training: Examples
    plain: Examples
    validation: Examples
    labels: Tensor
    validation_labels: Tensor
    sizes: Sequence[tuple[int, int]] | None = None
    augments: bool = False
    workers: int = 0


@dataclass(frozen=True)
class Feed:
    """The data sets of one stage.

    Attributes:
        training: Takes the numbers of ``EpochOrder``.
        plain: The training images without augmentation, by index.
        validation: By index.
        counts: The number of training and of validation images.
        is_cached: Whether they hold what the frozen part gave, not images.
        sizes: (height, width) of each training image, where they differ; else None.
        workers: Processes that load.
    """

    training: Examples
    plain: Examples
    validation: Examples
    counts: tuple[int, int]
    is_cached: bool
    sizes: Sequence[tuple[int, int]] | None = None
    workers: int = 0

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
        return [
            self._loader(part, range(hardware.rank, n, hardware.world), size)
            for part, n in zip((self.plain, self.validation), self.counts, strict=True)
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


def make_feed(
    trainee: Trainee,
    stage: Stage,
    material: Material,
    folder: Path,
    seed: int,
    device: torch.device,
    host: Host,
) -> Feed:
    """Return what a stage is fed with; compute its frozen part's outputs where that is possible.

    It is possible where something is frozen, the model's shape allows to begin there, and the
    recipe does not augment or the stage asks for a number of augmented views. One process of a host
    computes them, and all map the file.

    Raises:
        TrainingError: The outputs cannot be kept in ``folder``.
    """
    n = len(material.labels)
    counts = (n, len(material.validation_labels))
    numbered = Numbered(material.training, n, seed)
    views = stage.views if material.augments else min(stage.views, 1)
    can_be_cached = trainee.can_be_cached and (material.sizes is None or trainee.start is None)
    if not can_be_cached or not views:
        parts = (numbered, material.plain, material.validation)
        return Feed(*parts, counts, False, material.sizes, material.workers)
    batch = 1 if material.sizes else _COMPUTED_BATCH

    @cache
    def run() -> Runner:
        return frozen_runner(trainee, _first(material.plain, min(batch, n)), device)

    def compute(name: str, parts: Sequence[Examples], labels: Tensor) -> CachedFeatures:
        path = folder / f"{name}.npy"
        return host.once(
            str(path),
            lambda: compute_features(run(), parts, labels, path, f"Features, {name}", batch),
            lambda: CachedFeatures(np.load(path, mmap_mode="r"), labels),
        )

    plain = compute("training", [material.plain], material.labels)
    validation = compute("validation", [material.validation], material.validation_labels)
    training = plain
    if material.augments:
        augmented = [first_images(numbered, n, epoch) for epoch in range(views)]
        training = compute("augmented", augmented, material.labels)
    trainee.to("cpu")
    return Feed(training, plain, validation, counts, True)


def _first(images: Examples, size: int) -> Tensor:
    """Return the first images of a data set as one batch."""
    return torch.stack([images[i][0] for i in range(size)])


def _as_it_is(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch

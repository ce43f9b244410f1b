"""What a stage is fed with: images, or what its frozen part made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from training.fitting.host import Host
from training.fitting.order import EpochOrder, Examples, Numbered, NumberedBuckets
from training.fitting.thaw import Trainee
from training.output.progress import console
from training.recipe import Stage

Batches = DataLoader[tuple[Tensor, Tensor]]

_MEASURED_BATCH = 64
_COMPUTED_BATCH = 16
_VIEWS = 8
"""Augmented views computed ahead unless told otherwise; see ``training.fitting.features``."""


@dataclass(frozen=True)
class Material:
    """The images of a run.

    Attributes:
        training: Augmented, if the recipe augments.
        plain: The same images without augmentation.
        validation: Without augmentation.
        labels: Of the training images, int64 [N].
        validation_labels: Likewise.
        sizes: (height, width) of each training image, where those or the validation images differ;
            else None.
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


def check_sizes(material: Material, processes: int) -> None:
    """Check that this many processes can share the images.

    Raises:
        TrainingError: There are several, and the images are of several sizes.
    """
    if material.sizes is not None and processes > 1:
        raise TrainingError("Images of different sizes are trained on by one process only.")


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
    stage does not ask for fresh views. One process of a host computes them, and all map the file.

    Raises:
        TrainingError: The outputs cannot be kept in ``folder``.
    """
    n = len(material.labels)
    counts = (n, len(material.validation_labels))
    numbered = Numbered(material.training, n, seed)
    views = min(_VIEWS if stage.views is None else stage.views, stage.epochs)
    can_be_cached = trainee.can_be_cached and (material.sizes is None or trainee.start is None)
    if not can_be_cached or not views:
        parts = (numbered, material.plain, material.validation)
        return Feed(*parts, counts, False, material.sizes, material.workers)
    batch = 1 if material.sizes else _COMPUTED_BATCH

    @cache
    def run() -> Runner:
        return frozen_runner(trainee, _first(material.plain, min(batch, n)), device)

    def compute(name: str, parts: Sequence[Examples], count: int) -> NDArray[np.generic]:
        path = folder / f"{name}.npy"
        return host.once(
            str(path),
            lambda: compute_features(run(), parts, count, path, f"Features, {name}", batch),
            lambda: np.load(path, mmap_mode="r"),
        )

    plain = compute("training", [material.plain], n)
    validation = compute("validation", [material.validation], counts[1])
    in_turn = [plain]
    if material.augments:
        if host.is_first:
            _say_views(views, stage.epochs)
        epochs = [first_images(numbered, n, epoch) for epoch in range(views)]
        augmented = compute("augmented", epochs, n)
        in_turn = [*augmented.reshape(views, n, *augmented.shape[1:]), plain]
    trainee.to("cpu")
    return Feed(
        CachedFeatures(in_turn, material.labels),
        CachedFeatures([plain], material.labels),
        CachedFeatures([validation], material.validation_labels),
        counts,
        True,
    )


def _say_views(views: int, epochs: int) -> None:
    said = f"Augmented views of each image, computed ahead: {views}"
    if views < epochs:
        said += (
            f". With the plain image they take turns in {epochs} epochs; views: 0 has fresh ones"
        )
    console.print(said, highlight=False, soft_wrap=True)


def _first(images: Examples, size: int) -> Tensor:
    """Return the first images of a data set as one batch."""
    return torch.stack([images[i][0] for i in range(size)])


def _as_it_is(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch

"""A small network and a small problem that it can learn, for the tests of fitting."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from training.errors import TrainingError
from training.fitting.checkpoint import Progress, read_progress
from training.fitting.fit import Fitting
from training.fitting.hardware import Hardware
from training.fitting.lr_find import RangeTest, find_rate
from training.fitting.order import Examples
from training.fitting.process_group import ProcessGroup
from training.fitting.stage_data import StageData
from training.fitting.tracker import tracking
from training.models.network import Classifier
from training.recipe import Recipe, load_recipe
from training.run import Run

_THIS = "tests.support.fitting_material"
LABELS = ("a", "b", "c")
N, VALIDATION = 48, 24


def network(dropout: float = 0.2) -> Classifier:
    """Return three blocks with BatchNorm and a head, always with the same first weights."""
    torch.manual_seed(7)
    blocks = [
        nn.Sequential(nn.Conv2d(i, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        for i in (3, 8, 8)
    ]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(1))
    head = nn.Sequential(nn.Dropout(dropout), nn.Linear(32, len(LABELS)))
    return Classifier(nn.Sequential(*blocks), pool, head)


class Jittered(Examples):
    """Adds noise to each image, as an augmentation: a matter of chance."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self._images[index]
        return image + 0.1 * torch.randn(image.shape), self._labels[index]


class DeadlyAt(Examples):
    """Kills its own process when an image is asked for the so-many-th time."""

    def __init__(self, examples: Examples, asked: int) -> None:
        self._examples, self._left = examples, asked

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._examples[index]


class Counted(Examples):
    """Counts how often images are asked for."""

    def __init__(self, examples: Examples) -> None:
        self._examples, self.asked = examples, 0

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self.asked += 1
        return self._examples[index]

    def __len__(self) -> int:
        return N


def pairs(images: Tensor, labels: Tensor) -> Examples:
    """Return images and their labels as a data set."""
    return cast(Examples, TensorDataset(images, labels))


def material(augments: bool = False) -> StageData:
    """Return images whose label is the place of a bright band, in noise."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(N + VALIDATION) % len(LABELS)
    images = torch.randn(N + VALIDATION, 3, 9, 9, generator=generator)
    for i, label in enumerate(labels.tolist()):
        images[i, :, label * 3 : label * 3 + 3] += 1.0
    train, rest = slice(0, N), slice(N, None)
    plain = pairs(images[train], labels[train])
    return StageData(
        training=Jittered(images[train], labels[train]) if augments else plain,
        plain=plain,
        validation=pairs(images[rest], labels[rest]),
        labels=labels[train],
        validation_labels=labels[rest],
        augments=augments,
    )


def recipe(*stages: str, changes: Sequence[str] = ()) -> Recipe:
    """Return a recipe with these stages, each as YAML: ``thaw: head, epochs: 2``."""
    rated = [s if "learning_rate" in s else f"learning_rate: 0.01, {s}" for s in stages]
    written = ", ".join(f"{{{stage}}}" for stage in rated)
    return load_recipe(
        "flying-objects-head",
        [f"stages=[{written}]", "batch_size=16", "class_weights=false", *changes],
    )


def fit(
    folder: Path,
    recipe: Recipe,
    material: StageData,
    model: Classifier | None = None,
    hardware: Hardware | None = None,
    tracker: str = "none",
) -> tuple[Classifier, Progress]:
    """Train the small network from the start."""
    model = model or network()
    run, made = Run(folder), Progress(LABELS)
    run.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    hardware = hardware or Hardware("cpu")
    with tracking(tracker, run, recipe, hardware.rank) as trackers:
        Fitting(model, recipe, lambda _: material, run, hardware, trackers).run(made)
    return model, made


def go_on(
    folder: Path, recipe: Recipe, material: StageData, tracker: str = "none"
) -> tuple[Classifier, Progress]:
    """Resume the small network's training."""
    model, run = network(), Run(folder)
    made = read_progress(run)
    with tracking(tracker, run, recipe, steps=made.steps) as trackers:
        Fitting(model, recipe, lambda _: material, run, Hardware("cpu"), trackers).run(made)
    return model, made


STAGES = (
    "thaw: head, epochs: 2, views: 1",
    "thaw: 1, epochs: 2, views: 0",
    "thaw: all, epochs: 2",
)


def die(folder: Path, asked: int, changes: Sequence[str] = ()) -> None:
    """Train, and be killed in the middle of it."""
    images = material(augments=True)
    deadly = replace(images, training=DeadlyAt(images.training, asked))
    fit(folder, recipe(*STAGES, changes=changes), deadly)


def share(folder: Path) -> None:
    """Train as one of the processes that torchrun started."""
    hardware = Hardware.from_environment("cpu", "32-true")
    images = material()
    counted = Counted(images.plain)
    images = replace(images, plain=counted)
    fit(folder, recipe("thaw: head, epochs: 3"), images, network(0), hardware)
    (folder / f"asked-{hardware.rank}").write_text(str(counted.asked))


def disagree(folder: Path) -> None:
    """Train as one of several processes, of which each finds a rate of its own."""
    hardware = Hardware.from_environment("cpu", "32-true")

    def find(*arguments: Any, **options: Any) -> RangeTest:
        found = find_rate(*arguments, **options)
        assert found.suggestion is not None
        return replace(found, suggestion=found.suggestion * (1 + 9 * hardware.rank))

    with patch("training.fitting.fit.find_rate", find):
        stages = ("thaw: 1, epochs: 1, learning_rate: auto", "thaw: all, epochs: 1")
        model, made = fit(folder, recipe(*stages), material(), network(0), hardware)
    torch.save((made.learning_rates, model.state_dict()), folder / f"ended-{hardware.rank}")


def compare(folder: Path) -> None:
    """Compare, as one of several processes, what is the same and what is not."""
    hardware = Hardware.from_environment("cpu", "32-true")
    host = ProcessGroup(hardware)
    host.check_same("labels", "a")
    try:
        host.check_same("images", str(hardware.rank))
    except TrainingError as error:
        (folder / f"said-{hardware.rank}").write_text(str(error))


def torchrun(processes: int, what: str, folder: Path) -> None:
    """Let torchrun start one of the functions here in several processes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command += ["--master-port", str(port), "-m", _THIS, what, str(folder)]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def killed(folder: Path, asked: int, *changes: str) -> None:
    """Let another process train and be killed when an image is asked for the so-many-th time."""
    command = [sys.executable, "-m", _THIS, "die", str(folder), str(asked)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([*command, *changes], cwd=root, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


if (
    __name__ == "__main__"
):  # python -m tests.support.fitting_material die DIR N [K=V …] | share DIR …
    if sys.argv[1] == "die":
        die(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    else:
        {"share": share, "disagree": disagree, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))

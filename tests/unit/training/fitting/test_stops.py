"""What stops a training: Ctrl-C, a loss that is no number, a full disk, a file that is gone."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model_loader import Normalize, Resize, Transform
from tests.support.fitting_material import LABELS, Counted, N, fit, go_on, material, network, recipe
from tests.support.images import encode, noise
from training.data.table import read_folder
from training.errors import InterruptedRunError, TrainingError
from training.fitting import checkpoint
from training.fitting.checkpoint import Progress, read_progress
from training.fitting.epochs import write_history
from training.fitting.interruption import resumable
from training.fitting.order import Examples
from training.fitting.stage_data import StageData
from training.pixels.cache import PixelCache
from training.pixels.dataset import load_pixels
from training.recipe import Recipe
from training.run import Run

STAGES = ("thaw: head, epochs: 2, views: 0", "thaw: all, epochs: 2")


class When(Counted):
    """Does something when an image is asked for the so-many-th time."""

    def __init__(self, examples: Examples, asked: int, act: Callable[[], object]) -> None:
        super().__init__(examples)
        self._at, self._act = asked, act

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if self.asked == self._at:
            self._act()
        return super().__getitem__(index)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupt(folder: Path, stages: Recipe, images: StageData, asked: int) -> str:
    """Train until Ctrl-C comes with the so-many-th image; return what is said."""
    with pytest.raises(InterruptedRunError) as caught:
        fit(folder, stages, replace(images, training=When(images.training, asked, ctrl_c)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return str(caught.value)


def files(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "checkpoints").glob("*.[pc]*")}


@pytest.fixture(autouse=True)
def _ctrl_c() -> Iterator[None]:
    """Lightning ignores Ctrl-C once it has come."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes; more is an OSError, as it is on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# Ctrl-C.


def test_an_interrupted_run_says_how_to_go_on_and_ends_as_if_nothing_had_been(
    tmp_path: Path,
) -> None:
    folder, images = tmp_path / "my run", material()
    whole, _ = fit(tmp_path / "whole", recipe(*STAGES), images)
    message = interrupt(folder, recipe(*STAGES), images, N + 5)
    assert "Interrupted after 1 epochs, which are kept" in message
    assert message.endswith(f"python -m training train --resume '{folder}'")
    assert len(read_progress(Run(folder)).epochs) == 1
    model, made = go_on(folder, recipe(*STAGES), images)
    assert len(made.epochs) == 4
    assert all(
        torch.equal(one, other)
        for one, other in zip(model.state_dict().values(), whole.state_dict().values(), strict=True)
    )


def test_a_run_that_is_interrupted_before_its_first_epoch_cannot_be_resumed_and_says_so(
    tmp_path: Path,
) -> None:
    message = interrupt(tmp_path, recipe(*STAGES), material(), 5)
    assert "before an epoch was finished" in message
    assert message.endswith("Train again.")
    assert not Run(tmp_path).last.exists()


def test_ctrl_c_between_stages_or_in_the_export_says_how_to_go_on_too(tmp_path: Path) -> None:
    _, made = fit(tmp_path, recipe("thaw: head, epochs: 1"), material())
    with (
        pytest.raises(InterruptedRunError, match=f"after 1 epochs.*--resume {tmp_path}"),
        resumable(Run(tmp_path), made),
    ):
        ctrl_c()
    with (
        pytest.raises(InterruptedRunError, match="Train again"),
        resumable(Run(tmp_path), Progress(LABELS)),
    ):
        raise KeyboardInterrupt


# A loss that is no number.


def test_weights_that_an_epochs_last_step_broke_do_not_replace_the_checkpoint(
    tmp_path: Path,
) -> None:
    fit(tmp_path, recipe("thaw: head, epochs: 1"), material())
    kept = files(tmp_path)
    images, model = material(), network()

    def break_weights() -> None:
        model.head.weight.data.fill_(float("nan"))

    broken = replace(images, validation=When(images.validation, 0, break_weights))
    with pytest.raises(
        TrainingError, match=r"validation loss became nan in stage head, .* rate 0\."
    ):
        fit(tmp_path, recipe("thaw: head, epochs: 1, views: 0"), broken, model)
    assert files(tmp_path) == kept


def test_after_a_loss_that_is_no_number_the_epoch_before_can_be_resumed(tmp_path: Path) -> None:
    images, stages = material(), recipe("thaw: head, epochs: 3, views: 0")
    whole, _ = fit(tmp_path / "whole", stages, images)

    class Poisoned(Counted):
        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            image, label = super().__getitem__(index)
            return (image * float("nan") if self.asked > N + 16 else image), label

    with pytest.raises(TrainingError, match="loss became nan in stage head, epoch 1, at"):
        fit(tmp_path / "run", stages, replace(images, training=Poisoned(images.training)))
    model, made = go_on(tmp_path / "run", stages, images)
    assert len(made.epochs) == 3
    assert torch.equal(model.head.weight, whole.head.weight)


# A full disk.


def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    images, stages = material(), recipe("thaw: head, epochs: 2, views: 0")
    whole, _ = fit(tmp_path / "whole", stages, images)
    folder = tmp_path / "run"
    interrupt(folder, stages, images, N + 5)
    kept = files(folder)
    with (
        full_disk(8_000),
        pytest.raises(TrainingError, match=r"epoch 1 cannot be written to .*checkpoints.*--resume"),
    ):
        go_on(folder, stages, images)
    assert {name: files(folder)[name] for name in kept} == kept
    model, _ = go_on(folder, stages, images)
    assert torch.equal(model.head.weight, whole.head.weight)


def test_a_folder_that_takes_no_checkpoints_any_more_is_named(tmp_path: Path) -> None:
    images, folder = material(), tmp_path / "checkpoints"

    def replace_by_a_file() -> None:
        folder.rename(tmp_path / "moved")
        folder.write_text("")

    moved = replace(images, training=When(images.training, N + 5, replace_by_a_file))
    with pytest.raises(
        TrainingError, match=r"epoch 1 cannot be written to .*checkpoints: .*no epoch"
    ):
        fit(tmp_path, recipe("thaw: head, epochs: 2, views: 0"), moved)
    assert (tmp_path / "moved" / "last.ckpt").is_file()


def test_features_for_which_there_is_no_room_are_an_error_before_they_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, offset: int, length: int) -> None:
        assert length > N * 4  # the whole file's space is asked for
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(
        TrainingError, match=r"GB\) cannot be kept in .*cache.*: No space.*Make room"
    ):
        fit(tmp_path, recipe("thaw: head, epochs: 1"), material())


# A file that is gone.


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_disappears_while_images_are_decoded_each_time_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    for number in range(N):
        folder = tmp_path / "data" / LABELS[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encode(noise(9, 9, number), "PNG"))
    table = read_folder(tmp_path / "data")
    monkeypatch.setattr(PixelCache, "free_bytes", lambda _: 0)
    transform = Transform((Resize(9, 9),), Normalize((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)))
    pixels = load_pixels(table.root, table.rows, LABELS, transform, "Reading")
    images = replace(
        material(), training=pixels, plain=pixels, labels=pixels.labels, workers=workers
    )
    stages = recipe("thaw: all, epochs: 2")
    gone = table.root / table.rows[7].file
    whole = gone.read_bytes()

    def write(*arguments: Any) -> None:
        write_history(*arguments)
        gone.unlink(missing_ok=True)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_history", write)
        with pytest.raises(TrainingError) as caught:
            fit(tmp_path / "run", stages, images)
    assert str(caught.value).startswith(f"The image {gone} cannot be read: No such file")
    assert str(caught.value).endswith("go on with --resume, or train again without it.")
    gone.write_bytes(whole)
    _, made = go_on(tmp_path / "run", stages, images)
    assert len(made.epochs) == 2

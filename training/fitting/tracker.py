"""Where a run logs beside its own tables: TensorBoard or Weights & Biases.

Both count through all stages: the loss of a step stands at the number of the step, the figures of
an epoch at the number of the epoch, as in ``history.csv``. A run that is resumed goes on in the
same folder, at the same numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from training.errors import TrainingError
from training.fitting.epochs import Epoch
from training.output.terminal import is_unicode
from training.recipe import Recipe
from training.run import Run

TRACKERS = ("none", "tensorboard", "wandb")

_STEP_LOSS = "step/loss"


class Tracker(Protocol):
    """What figures are logged to."""

    def log_step(self, loss: float, step: int) -> None:
        """Log the loss of one step."""

    def log_epoch(self, figures: Mapping[str, float], epoch: int) -> None:
        """Log the figures of one epoch."""

    def close(self, succeeded: bool) -> None:
        """Write what is left."""


def check_tracker(name: str) -> None:
    """Check that a tracker can be used, before anything is written.

    Raises:
        TrainingError: There is no such tracker, or its package is not installed.
    """
    if name not in TRACKERS:
        raise TrainingError(f"There is no tracker {name!r}; there is {', '.join(TRACKERS)}.")
    found = None if name == "none" else find_spec(name)
    # A folder of the same name, such as W&B makes, is found too, but has no origin.
    if name != "none" and (found is None or found.origin is None):
        raise TrainingError(f"The tracker {name} is not installed: .venv/bin/pip install {name}")
    if name == "wandb" and not all(map(is_unicode, (*sys.argv, str(Path.cwd())))):
        raise TrainingError(
            "Weights & Biases records the command line and the folder it runs in, and a name in "
            "them is not UTF-8. Rename the file or folder, or take --tracker tensorboard."
        )


@contextmanager
def tracking(
    name: str, run: Run, recipe: Recipe, rank: int = 0, steps: int = 0
) -> Iterator[Sequence[Tracker]]:
    """Open a tracker in a run's folder, and close it.

    Args:
        name: One of ``TRACKERS``.
        run: Whose folder it writes into.
        recipe: Logged with it.
        rank: Of this process; the first one logs.
        steps: Steps that the run made before it was interrupted.

    Raises:
        TrainingError: It cannot be opened.
    """
    if name == "none" or rank:
        yield ()
        return
    opened = _OPENED_BY[name](run, recipe, steps)
    succeeded = False
    try:
        yield (opened,)
        succeeded = True
    finally:
        opened.close(succeeded)


def log_epoch(trackers: Sequence[Tracker], epoch: Epoch, labels: Sequence[str]) -> None:
    """Log what ``history.csv`` and ``history-classes.csv`` say of an epoch."""
    for tracker in trackers:
        tracker.log_epoch(epoch_figures(epoch, labels), epoch.epoch)


def epoch_figures(epoch: Epoch, labels: Sequence[str]) -> dict[str, float]:
    """Return an epoch's figures by name: ``validation/recall/Flying Birds``, ``epoch/stage``."""
    named: dict[str, float] = {}
    for name, value in asdict(epoch).items():
        if isinstance(value, dict):
            for key, of in value.items():
                if isinstance(of, tuple):
                    each = zip(labels, of, strict=True)
                    named |= {f"{name}/{key}/{label}": figure for label, figure in each}
                else:
                    named[f"{name}/{key}"] = of
        elif name != "epoch":
            named[f"epoch/{name}"] = value
    return named


class _TensorBoard:
    def __init__(self, run: Run, recipe: Recipe, steps: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = run.folder / "tensorboard"
        # What the interrupted epoch logged is made again, so readers are told to forget it.
        self._writer = SummaryWriter(folder, purge_step=steps or None)
        if not steps:
            written = "\n".join(f"    {line}" for line in recipe.to_yaml().splitlines())
            self._writer.add_text("recipe", written)
            self._writer.add_hparams(dict(_flat(recipe.model_dump(mode="json"))), {}, run_name=".")

    def log_step(self, loss: float, step: int) -> None:
        self._writer.add_scalar(_STEP_LOSS, loss, step)

    def log_epoch(self, figures: Mapping[str, float], epoch: int) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self, succeeded: bool) -> None:
        self._writer.close()


class _WeightsAndBiases:
    """Sends nothing where ``WANDB_MODE=offline`` is set; ``wandb sync`` does so later."""

    def __init__(self, run: Run, recipe: Recipe, steps: int) -> None:
        import wandb

        # W&B ends the names of its folders with the run's id.
        before = sorted((run.folder / "wandb").glob("*run-*-*")) if steps else []
        try:
            self._run = wandb.init(
                project=recipe.name,
                name=run.folder.name,
                dir=run.folder,
                config=recipe.model_dump(mode="json"),
                id=before[-1].name.rpartition("-")[2] if before else None,
                resume="allow" if before else None,
                reinit="create_new",
            )
        except wandb.Error as error:
            raise TrainingError(
                f"Weights & Biases cannot be opened: {error}. Log in with .venv/bin/wandb login, "
                "or set WANDB_MODE=offline and send the run later with .venv/bin/wandb sync."
            ) from error
        for axis, names in (("step", "step/*"), ("epoch", "epoch/*")):
            self._run.define_metric(axis, hidden=True)
            self._run.define_metric(names, step_metric=axis)
        for part in ("train/*", "validation/*"):
            self._run.define_metric(part, step_metric="epoch")

    def log_step(self, loss: float, step: int) -> None:
        self._run.log({_STEP_LOSS: loss, "step": step})

    def log_epoch(self, figures: Mapping[str, float], epoch: int) -> None:
        self._run.log({**figures, "epoch": epoch})

    def close(self, succeeded: bool) -> None:
        self._run.finish(exit_code=0 if succeeded else 1)


_OPENED_BY: Mapping[str, Callable[[Run, Recipe, int], Tracker]] = {
    "tensorboard": _TensorBoard,
    "wandb": _WeightsAndBiases,
}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, float | str]]:
    """Yield the values of nested mappings and lists by dotted names, as ``--set`` has them."""
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, of in items:
            yield from _flat(of, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, float | int) else str(value)

"""Logging to TensorBoard or Weights & Biases, beside a run's own tables.

Both count through all stages: the loss of a step is logged at the number of the step, the figures
of an epoch at the number of the epoch, as in ``history.csv``. A resumed run goes on in the same
folder, at the same numbers.

Lightning's loggers are not used: they would still need the resumed step and run id, the hyper-
parameters by dotted name, the axes and the exit code set up by hand, and add scalars of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import Any

from training.errors import TrainingError
from training.fitting.epochs import Epoch
from training.recipe import Recipe
from training.run import Run

Tracker = Callable[[Mapping[str, float], str, int], None]
"""Logs figures by name, at a number of an axis: ``step`` or ``epoch``."""


@contextmanager
def tracking(
    name: str, run: Run, recipe: Recipe, rank: int = 0, steps: int = 0
) -> Iterator[Sequence[Tracker]]:
    """Open a tracker in a run's folder for this context; only the process of rank 0 logs.

    ``steps`` is the number of steps that the run made before it was interrupted.

    Raises:
        TrainingError: It cannot be opened.
    """
    if name == "none" or rank:
        yield ()
        return
    with _OPENED_BY[name](run, recipe, steps) as tracker:
        yield (tracker,)


def epoch_figures(epoch: Epoch, labels: Sequence[str]) -> dict[str, float]:
    """Return an epoch's figures by name: ``validation/recall/Flying Birds``, ``epoch/stage``.

    Those that are None are left out.
    """
    named: dict[str, float | None] = {}
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
    return {name: value for name, value in named.items() if value is not None}


@contextmanager
def _tensorboard(run: Run, recipe: Recipe, steps: int) -> Iterator[Tracker]:
    from torch.utils.tensorboard import SummaryWriter

    # The interrupted epoch is trained again, so readers are told to forget its steps.
    with SummaryWriter(run.folder / "tensorboard", purge_step=steps or None) as writer:
        if not steps:
            written = "\n".join(f"    {line}" for line in recipe.to_yaml().splitlines())
            writer.add_text("recipe", written)
            writer.add_hparams(dict(_flat(recipe.model_dump(mode="json"))), {}, run_name=".")

        def log(figures: Mapping[str, float], axis: str, number: int) -> None:
            for name, value in figures.items():
                writer.add_scalar(name, value, number)
            if axis == "epoch":
                writer.flush()

        yield log


@contextmanager
def _weights_and_biases(run: Run, recipe: Recipe, steps: int) -> Iterator[Tracker]:
    """Send nothing where ``WANDB_MODE=offline`` is set; ``wandb sync`` does so later."""
    import wandb

    # W&B ends the names of its folders with the run's id.
    before = sorted((run.folder / "wandb").glob("*run-*-*")) if steps else []
    try:
        opened = wandb.init(
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
    for axis, names in (("step", ["step/*"]), ("epoch", ["epoch/*", "train/*", "validation/*"])):
        opened.define_metric(axis, hidden=True)
        for name in names:
            opened.define_metric(name, step_metric=axis)
    exit_code = 1
    try:
        yield lambda figures, axis, number: opened.log({**figures, axis: number})
        exit_code = 0
    finally:
        opened.finish(exit_code=exit_code)


_OPENED_BY: Mapping[str, Callable[[Run, Recipe, int], AbstractContextManager[Tracker]]] = {
    "tensorboard": _tensorboard,
    "wandb": _weights_and_biases,
}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, float | str]]:
    """Yield the values of nested mappings and lists by dotted names, as ``--set`` has them."""
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, of in items:
            yield from _flat(of, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, float | int) else str(value)

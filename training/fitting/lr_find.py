"""The learning-rate range test (Smith 2017, arXiv:1506.01186).

The rate grows exponentially from step to step; the loss first stays, then falls, then explodes.
The suggestion is the rate at which the smoothed loss falls steepest against log(rate), left of its
minimum. Layers that are trained already leave it little to fall in a few steps: then it is a fifth
of the rate at which the loss has risen by half, as the best rate is a small factor below the one
that diverges (Bengio 2012, arXiv:1206.5533), or less where the loss rises before that. The factor
of five is ours: found by cross-validation on flying-objects with a running mean of the losses,
whose curve rises later, so that it errs towards low rates. ``tests/unit/training/fitting`` has
the curves of real tests and what is suggested on each.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.optim import Optimizer

from training.files.csv_files import new_csv
from training.fitting.loss import Loss
from training.fitting.thaw import StagedModel
from training.output.progress import progress

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 50

_SMOOTHING = 2.0
# Deviation of the Gaussian that smooths the curve, in steps. It looks both ways: a running mean
# lags by the steps that it holds, and its minimum lies where the loss has long been rising.
_RUNNING = 0.9
_EXPLODED = 3.0
_FEWEST = 10
_FALL = 1 / 8
# Share of the loss: in the range tests of flying-objects, that of new heads fell by 25–34 %, that
# of layers which were trained already by 0–11 %, which is noise.
_RISEN = 1.5
_BELOW = 5
_LEVEL = 1.05
# A smoothed loss above this share of the first steps' has begun to rise.
_DOUBLED = 2.0
# A batch's loss beyond this share is no noise.


@dataclass(frozen=True)
class RangeTest:
    """The curve of a range test.

    Attributes:
        rates: The rate of each step, growing.
        batch_losses: The loss of each step's batch.
        suggestion: See ``suggest_rate``.
    """

    rates: tuple[float, ...]
    batch_losses: tuple[float, ...]
    suggestion: float | None

    @property
    def losses(self) -> list[float]:
        """The smoothed loss of each step."""
        return smoothed(self.batch_losses).tolist() if self.batch_losses else []

    def write(self, path: Path) -> None:
        """Write the curve as CSV with the columns learning_rate, loss (smoothed), batch_loss."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_csv(path, ("learning_rate", "loss", "batch_loss")) as add:
            for row in zip(self.rates, self.losses, self.batch_losses, strict=True):
                add(row)


def find_rate(
    staged: StagedModel,
    optimizer: Callable[[float], Optimizer],
    loss: Loss,
    batches: Iterable[tuple[Tensor, Tensor]],
    are_images: bool,
    seed: int,
    device: torch.device,
) -> RangeTest:
    """Try learning rates; the model and every random generator are left as they were.

    ``batches`` start again when they are used up; they hold images, or outputs of the frozen
    layers. ``optimizer`` takes a learning rate, ``seed`` seeds dropout, and the model is on the CPU
    before and after.
    """
    rates: list[float] = []
    losses: list[float] = []
    running: list[float] = []
    bar = progress("Trying learning rates", STEPS)
    with _put_back(staged), torch.random.fork_rng(), bar as advance:
        torch.manual_seed(seed)
        staged.to(device).train()
        steps = optimizer(LOWEST)
        average = 0.0
        endless = itertools.chain.from_iterable(itertools.repeat(batches))
        for step, (inputs, labels) in enumerate(itertools.islice(endless, STEPS)):
            rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
            for group in steps.param_groups:
                group["lr"] = rate
            logits = staged.answer(inputs.to(device), are_images)
            value = loss(logits, labels.to(device)).mean()
            average = _RUNNING * average + (1 - _RUNNING) * value.item()
            mean = average / (1 - _RUNNING ** (step + 1))
            if not math.isfinite(mean) or mean > _EXPLODED * _beginning(running, mean):
                break
            rates.append(rate)
            losses.append(value.item())
            running.append(mean)
            advance("")
            steps.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            steps.step()
    return RangeTest(tuple(rates), tuple(losses), suggest_rate(rates, losses))


def suggest_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate to train with.

    Args:
        rates: The rate of each step, growing; fewer than ``STEPS`` of a loss that exploded.
        losses: The loss of each step's batch.

    Returns:
        The rate where the smoothed loss falls steepest, left of its minimum; where it falls by
        less than ``_FALL``, a fifth of the rate where it has risen by half, or the highest before
        it rises if that is less; None where it neither falls nor rises. No batch of a lower rate
        had twice the loss of the first steps.
    """
    if len(rates) <= _FEWEST:
        return None
    first = float(np.mean(losses[:_FEWEST]))
    doubled = (i for i, loss in enumerate(losses) if loss > _DOUBLED * first)
    end = max(next(doubled, len(losses)) - 1, _FEWEST)
    smooth = smoothed(losses)
    lowest = int(smooth[:end].argmin())
    if first - smooth[lowest] > _FALL * first:
        slopes = np.gradient(smooth, np.log(rates))[: lowest + 1]
        return rates[int(slopes.argmin())]
    risen = (i for i in range(lowest, len(rates)) if smooth[i] > _RISEN * first)
    diverged = next(risen, len(rates) - 1 if len(rates) < STEPS else None)
    if diverged is None:
        return None
    level = np.flatnonzero(smooth[: min(end, diverged)] <= _LEVEL * first)
    return min(rates[diverged] / _BELOW, rates[int(level[-1])])


def smoothed(losses: Sequence[float]) -> NDArray[np.float64]:
    """Return the losses of batches with the noise taken out, without a shift."""
    found: NDArray[np.float64] = gaussian_filter1d(
        np.array(losses, dtype=np.float64), _SMOOTHING, mode="nearest"
    )
    return found


def _beginning(losses: list[float], smooth: float) -> float:
    """Return the largest loss of the first steps, whose rates change nothing."""
    return max(losses[:_FEWEST]) if len(losses) >= _FEWEST else smooth


@contextmanager
def _put_back(staged: StagedModel) -> Iterator[None]:
    state = copy.deepcopy(staged.state_dict())
    modes = {module: module.training for module in staged.modules()}
    try:
        yield
    finally:
        staged.to("cpu").load_state_dict(state)
        for parameter in staged.parameters():
            parameter.grad = None
        for module, mode in modes.items():
            module.training = mode

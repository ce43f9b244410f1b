"""The learning-rate range test (Smith 2017, arXiv:1506.01186).

The rate grows exponentially from step to step; the loss first stays, then falls, then explodes.
The suggestion is the rate at which the smoothed loss falls steepest against log(rate). Layers that
are trained already leave it little to fall in a few steps: then it is a fifth of the rate at which
the loss has risen by half, as the best rate is a small factor below the one that diverges (Bengio
2012, arXiv:1206.5533). The factor of five is ours, found by cross-validation on flying-objects.
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
from torch import Tensor
from torch.optim import Optimizer

from training.files.csv_files import new_csv
from training.fitting.loss import Loss
from training.fitting.thaw import StagedModel

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 50

_SMOOTHING = 0.9
_EXPLODED = 3.0
_FEWEST = 10
_FALL = 1 / 6
# Share of the loss: in the range tests of flying-objects, that of new heads fell by 25–34 %, that
# of layers which were trained already by 0–11 %, which is noise.
_RISEN = 1.5
_BELOW = 5


@dataclass(frozen=True)
class RangeTest:
    """The curve of a range test.

    Attributes:
        rates: The rate of each step, growing.
        losses: The smoothed loss of each step.
        suggestion: The rate where the loss falls steepest, or a fifth of the one where it has risen
            by half; None where it neither falls nor rises.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None

    def write(self, path: Path) -> None:
        """Write the curve as CSV with the columns learning_rate, loss."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_csv(path, ("learning_rate", "loss")) as add:
            for row in zip(self.rates, self.losses, strict=True):
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
    with _put_back(staged), torch.random.fork_rng():
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
            average = _SMOOTHING * average + (1 - _SMOOTHING) * value.item()
            smooth = average / (1 - _SMOOTHING ** (step + 1))
            if not math.isfinite(smooth) or smooth > _EXPLODED * _beginning(losses, smooth):
                break
            rates.append(rate)
            losses.append(smooth)
            steps.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            steps.step()
    return RangeTest(tuple(rates), tuple(losses), suggest_rate(rates, losses))


def suggest_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate to train with, or None; fewer ``losses`` than ``STEPS`` have exploded."""
    if len(rates) <= _FEWEST:
        return None
    first = losses[_FEWEST]
    lowest = min(range(_FEWEST, len(losses)), key=losses.__getitem__)
    if first - losses[lowest] > _FALL * first:
        slopes = np.gradient(np.array(losses), np.log(rates))[_FEWEST : lowest + 1]
        return rates[_FEWEST + int(slopes.argmin())]
    beyond = zip(rates[lowest:], losses[lowest:], strict=True)
    exploded = rates[-1] if len(rates) < STEPS else None
    diverged = next((rate for rate, loss in beyond if loss > _RISEN * first), exploded)
    return None if diverged is None else diverged / _BELOW


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

"""The weights that are kept are the best of those measured at the exported size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.support.fitting_material import LABELS, VALIDATION, material, network, pairs, recipe
from training.fitting.checkpoint import Progress, read_progress
from training.fitting.epochs import best_epoch
from training.fitting.fit import Fitting
from training.fitting.hardware import Hardware
from training.fitting.stage_data import StageData
from training.recipe import Recipe
from training.recipe_sections import Stage
from training.run import Run

LOW, HIGH = 64, 224
RISING = ("thaw: all, epochs: 6, size: 64", "thaw: 1, epochs: 3")
AVERAGING = "weight_averaging=0.9"


@pytest.mark.parametrize(
    ("stages", "losses", "sizes", "best"),
    [
        pytest.param([0, 0, 0], [3, 1, 2], [HIGH], 1, id="one size"),
        pytest.param([0, 0, 1, 1], [1, 1, 2, 2], [HIGH, HIGH], 0, id="the earlier of equals"),
        pytest.param([0, 0, 1, 1], [1, 2, 9, 8], [LOW, HIGH], 3, id="the last size alone"),
        pytest.param([0, 0, 1], [1, 2, 9], [LOW, HIGH], 2, id="the first epoch of that size"),
        pytest.param([0, 0], [2, 1], [LOW, HIGH], 1, id="none of that size yet"),
        pytest.param([0, 1, 1], [1, 8, 7], [LOW, 96, HIGH], 2, id="the latest of lower sizes"),
        pytest.param([0, 1, 2], [5, 1, 7], [HIGH, LOW, HIGH], 0, id="that size before and after"),
        pytest.param([0, 1], [5, 1], [HIGH, LOW, HIGH], 0, id="that size before only, so far"),
    ],
)
def test_only_epochs_at_the_exported_size_compete(
    stages: list[int], losses: list[float], sizes: list[int], best: int
) -> None:
    assert best_epoch(stages, losses, sizes) == best


def hard(images: StageData) -> StageData:
    """Return the images with validation labels that half contradict what is learned."""
    inputs = torch.stack([images.validation[i][0] for i in range(VALIDATION)])
    labels = images.validation_labels.clone()
    labels[::2] = (labels[::2] + 1) % len(LABELS)
    return replace(images, validation=pairs(inputs, labels), validation_labels=labels)


class StoppedError(Exception):
    """Ends a run between two stages."""


def fit(folder: Path, chosen: Recipe, made: Progress, stops: bool = False) -> nn.Module:
    """Train on images that are easy at the low resolution and hard at the exported one."""
    run, model = Run(folder), network()
    run.checkpoint.parent.mkdir(parents=True, exist_ok=True)

    def of(stage: Stage) -> StageData:
        if stage.size is None and stops:
            raise StoppedError
        return hard(material()) if stage.size is None else material()

    Fitting(model, chosen, of, run, Hardware("cpu")).run(made)
    return model


def loss_of_kept(folder: Path) -> float:
    model = network()
    model.load_state_dict(torch.load(Run(folder).checkpoint, weights_only=True))
    model.eval()
    images = hard(material())
    inputs = torch.stack([images.validation[i][0] for i in range(VALIDATION)])
    with torch.inference_mode():
        logits: Tensor = model(inputs)
    return nn.functional.cross_entropy(logits, images.validation_labels).item()


@pytest.mark.parametrize("changes", [(), (AVERAGING,)], ids=["", "averaged"])
@pytest.mark.parametrize("resumes", [False, True], ids=["at once", "resumed between the stages"])
def test_a_run_of_rising_resolution_keeps_the_best_of_its_last_size(
    tmp_path: Path, changes: tuple[str, ...], resumes: bool
) -> None:
    chosen, made = recipe(*RISING, changes=changes), Progress(LABELS)
    if resumes:
        with pytest.raises(StoppedError):
            fit(tmp_path, chosen, made, stops=True)
        made = read_progress(Run(tmp_path))
        assert [epoch.stage for epoch in made.epochs] == [0] * 6
    fit(tmp_path, chosen, made)
    low, high = ([e.validation for e in made.epochs if e.stage == n] for n in (0, 1))
    assert min(figures.loss for figures in low) < min(figures.loss for figures in high)
    assert loss_of_kept(tmp_path) == pytest.approx(min(figures.loss for figures in high), rel=1e-3)
    checkpoint = torch.load(Run(tmp_path).last, weights_only=True)
    best = max(figures.accuracy for figures in high)
    assert checkpoint["progress"]["best_accuracy"] == pytest.approx(best)


def test_before_the_last_size_the_best_so_far_is_kept(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        fit(tmp_path, recipe(*RISING), Progress(LABELS), stops=True)
    assert Run(tmp_path).checkpoint.is_file()

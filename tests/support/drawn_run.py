"""A whole run on drawn images, small and quick, with its report."""

from __future__ import annotations

from pathlib import Path

from samples.draw import draw_sample_data
from training.data.source import DataSource
from training.recipe import load_recipe
from training.report.page import write_report
from training.train import train

RATE = 0.02
SETTINGS = (
    "sizing.size=64",
    "augment=[{op: horizontal_flip}]",
    f"stages=[{{thaw: head, epochs: 2, learning_rate: {RATE}, augment: false}},"
    " {thaw: 1, epochs: 1, learning_rate: 0.001}]",
)


def draw_run(folder: Path) -> Path:
    """Draw images, train on them, and return the run's folder."""
    draw_sample_data(folder / "data", images_per_class=12)
    recipe = load_recipe("flying-objects", SETTINGS)
    train(DataSource(folder / "data"), recipe, "none", folder / "run")
    write_report(folder / "run")
    return folder / "run"

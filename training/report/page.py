"""The report of a run as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from training.augment.contact_sheet import preview_lines
from training.cleaning.inspection import Inspection, inspect_table
from training.cleaning.plots import data_figures
from training.errors import TrainingError, because
from training.files.atomic import replacing
from training.finish import load_best
from training.output.drawing import save_png, style
from training.output.progress import progress
from training.output.terminal import visible_lines
from training.recipe_preview import recipe_variants
from training.report.captions import CAPTIONS
from training.report.curves import draw_curves
from training.report.gallery import make_galleries
from training.report.intervals import draw_measures
from training.report.leakage import find_leak
from training.report.matrices import draw_matrices
from training.report.report_data import ReportData, read_report_data
from training.report.svg import to_image, to_svg
from training.report.thumbnails import Thumbnail, choose_samples, thumbnail

_SMALL = 104
"""Pixels of the sheets' images."""
_MOST_PANELS = 24
"""Of a figure that is drawn by lines and texts; 200 of them take a browser long."""


@dataclass(frozen=True)
class AugmentedLine:
    """One image as it is, as the test sees it, and augmented; and the stages that see it so."""

    title: str
    label: str
    images: tuple[Thumbnail, ...]


def write_report(folder: Path, root: Path | None = None) -> Path:
    """Write a run's ``report.html`` and ``plots/*.png``, in place of earlier ones.

    Args:
        folder: The run folder.
        root: The folder of its images; None for the one it was trained on.

    Returns:
        The page's path.

    Raises:
        TrainingError: The run is not whole, its images are not there, or the page cannot be
            written.
    """
    report = read_report_data(folder, root)
    labels, seed = report.data.labels, report.recipe.seed
    samples = choose_samples(report.split.train, report.root, labels, seed)
    model = load_best(report.run, report.recipe, len(labels))
    galleries = make_galleries(
        model, report.metadata.transform, report.answers, report.metadata.temperature, report.root
    )
    augmented = _augmented(report)
    inspection = inspect_table(report.table)
    try:
        report.run.plots.mkdir(exist_ok=True)
        with style(), progress("Drawing plots", None):
            plots = _plots(_figures(report, inspection), report.run.plots)
        page = _environment().get_template("report.html.j2")
        text = page.render(
            report=report,
            leak=find_leak(report, inspection.duplicates),
            plots=plots,
            captions=CAPTIONS,
            samples=samples,
            augmented=augmented,
            galleries=galleries,
        )
        with replacing(report.run.report) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"The report of {folder} cannot be written{because(error, 'draw it again.')}"
        raise TrainingError(message) from error
    return report.run.report


def _figures(report: ReportData, inspection: Inspection) -> dict[str, Figure]:
    labels = report.data.labels
    return {
        **data_figures(inspection),
        **draw_curves(report.history, labels),
        **draw_matrices(report.evaluation.confusion, labels),
        **draw_measures(report.evaluation),
    }


def _plots(figures: Mapping[str, Figure], folder: Path) -> dict[str, Markup]:
    plots = {}
    for name, figure in figures.items():
        png = save_png(figure, folder / f"{name}.png")
        if len(figure.axes) > _MOST_PANELS:
            plots[name] = to_image(png, CAPTIONS[name])
        else:
            plots[name] = to_svg(figure, name, CAPTIONS[name])
    return plots


def _augmented(report: ReportData) -> list[AugmentedLine]:
    """Return what the stages that augment make of a few images; nothing if none does."""
    variants = [variant for variant in recipe_variants(report.recipe) if variant.augmentation]
    lines = preview_lines(report.split.train, report.root, variants, report.recipe.seed)
    return [
        AugmentedLine(
            line.variant.title,
            line.label,
            tuple(thumbnail(image, _SMALL) for image in line.images),
        )
        for line in lines
    ]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("training.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["minutes"] = _minutes
    return environment


def _visible(value: object) -> object:
    """Return a value as the page shows it, names and paths with what is hidden escaped."""
    return value if isinstance(value, Markup) else visible_lines(str(value))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}".replace("%", " %")


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"

"""Tables that the commands on data print."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from training.cleaning.rules import MEANING
from training.data.split import PARTS, Split
from training.output.printing import result_console
from training.output.terminal import few, short

if TYPE_CHECKING:
    from training.cleaning.apply_rules import Cleaning
    from training.cleaning.inspection import ClassSummary, Inspection, Spread
    from training.cleaning.rules import Finding

_EXAMPLES = 3
_WIDEST_NAME = 40


def print_inspection(inspection: Inspection) -> None:
    """Print a line for each class, and what is wrong with single files."""
    table = _table(f"{inspection.root}: smallest · median · largest")
    for heading in ("images", "KiB", "width", "height", "width/height", "twice", "bad"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("formats")
    table.add_column("modes")
    for summary in inspection.classes:
        table.add_row(*_summary(summary))
    table.add_section()
    table.add_row(*_summary(inspection.total))
    console = result_console()
    console.print(table)
    _print_examples(
        console,
        f"{len(inspection.problems)} files cannot be used as images",
        [f"{header.file}: {header.problem}" for header in inspection.problems],
    )
    across = set(inspection.conflicts)
    within = [files for files in inspection.duplicates if files not in across]
    places = (
        (within, "in one class"),
        (across, "in different classes"),
        (inspection.leaks, "in different parts of the split"),
    )
    for found, where in places:
        title = f"{len(found)} sets of files with the same bytes, {where}"
        _print_examples(console, title, [few(files, separator=" = ") for files in sorted(found)])
    if inspection.parts:
        counts = Counter(inspection.parts.values())
        shown = ", ".join(f"{counts[part]:,} {part}" for part in PARTS if counts[part])
        console.print(f"It is split already: {shown} images.")
    if left_out := str(inspection.left_out):
        console.print(left_out, soft_wrap=True)


def print_cleaning(cleaning: Cleaning) -> None:
    """Print each rule with what it drops, of which classes and why."""
    counts = Counter(finding.rule for finding in cleaning.findings)
    actions = {"drop": "dropped", "keep": "kept, look at them", "rename": "kept, renamed"}
    table = Table("rule", title=str(cleaning.root), title_justify="left")
    table.add_column("images", justify="right")
    for heading in ("", "what", "by class", "for example"):
        table.add_column(heading, overflow="fold")
    for rule in (rule for rule in MEANING if counts[rule]):
        found = [finding for finding in cleaning.findings if finding.rule == rule]
        for action in dict.fromkeys(finding.action for finding in found):
            of_action = [finding for finding in found if finding.action == action]
            first = of_action[0]
            table.add_row(
                rule,
                f"{len(of_action):,}",
                actions[action],
                MEANING[rule],
                _by_class(of_action),
                f"{first.file}: {first.reason}",
            )
    table.add_section()
    dropped = cleaning.dropped
    table.add_row("all", f"{len(dropped):,}", "dropped", "", _by_class(dropped), "")
    of_all = f"of {len(cleaning.examined):,} files"
    table.add_row("", f"{len(cleaning.kept):,}", "kept", of_all, "", "")
    result_console().print(table)


def print_split(split: Split) -> None:
    """Print how many images and groups of each class stand in each part."""
    table = _table("images (groups)")
    counts: dict[str, Counter[str]] = {}
    for name in PARTS:
        table.add_column(name, justify="right")
        for row in split.part(name):
            counts.setdefault(row.label, Counter())[name] += 1
    for label in sorted(counts):
        table.add_row(label, *(f"{counts[label][name]:,}" for name in PARTS))
    table.add_section()
    table.add_row("all", *(_images_and_groups(split, index) for index in range(len(PARTS))))
    result_console().print(table)


def _table(title: str) -> Table:
    """Return a table that begins with a column of class names, long ones on several lines."""
    table = Table(title=title, title_justify="left")
    table.add_column("class", overflow="fold", max_width=_WIDEST_NAME)
    return table


def _images_and_groups(split: Split, index: int) -> str:
    rows = split.part(PARTS[index])
    groups = len({row.group for row in rows} - {None})
    return f"{len(rows):,} ({groups:,})" if groups else f"{len(rows):,}"


def _summary(summary: ClassSummary) -> tuple[str, ...]:
    return (
        summary.label,
        f"{summary.images:,}",
        _spread(summary.bytes, 1 / 1024),
        _spread(summary.width),
        _spread(summary.height),
        _spread(summary.aspect, digits=2),
        f"{summary.duplicates:,}" if summary.duplicates else "",
        f"{summary.problems:,}" if summary.problems else "",
        _counts(summary.formats),
        _counts(summary.modes),
    )


def _spread(spread: Spread | None, factor: float = 1, digits: int | None = None) -> str:
    if spread is None:
        return "–"
    values = [value * factor for value in (spread.smallest, spread.median, spread.largest)]
    if digits is None:
        digits = 1 if factor != 1 and values[1] < 10 else 0
    if values[0] == values[2]:
        return f"{values[0]:,.{digits}f}"
    return " · ".join(f"{value:,.{digits}f}" for value in values)


def _counts(counts: dict[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _by_class(findings: list[Finding] | tuple[Finding, ...]) -> str:
    counts = Counter(finding.label for finding in findings).most_common()
    shown = ", ".join(f"{short(label, _WIDEST_NAME)} {n:,}" for label, n in counts[:6])
    return shown if len(counts) <= 6 else f"{shown} and {len(counts) - 6} classes more"


def _print_examples(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(f"{title}:")
    for line in lines[:_EXAMPLES]:
        console.print(f"  {line}", soft_wrap=True)
    if len(lines) > _EXAMPLES:
        console.print(f"  … and {len(lines) - _EXAMPLES} more")

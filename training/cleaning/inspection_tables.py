"""Tables that the commands on data print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from training.cleaning.rules import MEANING
from training.data.split import PARTS, Split
from training.data.table import LabelledImage
from training.output.printing import print_table, result_console
from training.output.terminal import few, short

if TYPE_CHECKING:
    from training.cleaning.apply_rules import Cleaning
    from training.cleaning.inspection import ClassSummary, Inspection, Spread
    from training.cleaning.rules import Finding

_EXAMPLES = 3
_WIDEST_NAME = 40  # characters, in a sentence


def print_inspection(inspection: Inspection) -> None:
    """Print a line for each class, and what is wrong with single files."""
    table = _table(f"{inspection.root}: smallest · median · largest")
    for heading in ("images", "KiB", "width", "height", "width/height", "copies", "bad"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("formats", "modes"):
        table.add_column(heading, overflow="fold")
    for summary in inspection.classes:
        table.add_row(*_summary(summary))
    table.add_section()
    table.add_row(*_summary(inspection.total))
    print_table(table, ("modes", "formats", "width/height", "KiB", "copies"))
    console = result_console()
    problems = [f"{header.file}: {header.problem}" for header in inspection.problems]
    _print_examples(console, _count(problems, "file", "that cannot be used as an image"), problems)
    across = set(inspection.conflicts)
    within = [files for files in inspection.duplicates if files not in across]
    places = (
        (within, "in one class"),
        (across, "in different classes"),
        (inspection.leaks, "in different parts of the split"),
    )
    for found, where in places:
        title = _count(found, "set", f"of files with the same bytes, {where}")
        _print_examples(console, title, [few(files, separator=" = ") for files in sorted(found)])
    if inspection.parts:
        counts = Counter(inspection.parts.values())
        shown = ", ".join(f"{counts[part]:,} {part}" for part in PARTS if counts[part])
        console.print(f"It is split already: {shown} images.")
    if left_out := str(inspection.left_out):
        console.print(left_out)


def print_cleaning(cleaning: Cleaning) -> None:
    """Print each rule with what it drops, an example of each, and how much of which class."""
    counts = Counter((finding.rule, finding.action) for finding in cleaning.findings)
    actions = {"drop": "dropped", "keep": "kept, look at them", "rename": "kept, renamed"}
    table = Table(title=str(cleaning.root), title_justify="left")
    table.add_column("rule", no_wrap=True)
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what", overflow="fold")
    for rule, action in sorted(counts, key=lambda of: [*MEANING].index(of[0])):
        table.add_row(rule, f"{counts[rule, action]:,}", actions[action], MEANING[rule])
    table.add_section()
    table.add_row("all", f"{len(cleaning.dropped):,}", "dropped", "")
    of_all = f"of {len(cleaning.examined):,} files"
    table.add_row("", f"{len(cleaning.kept):,}", "kept", of_all)
    print_table(table, ("what",))
    console = result_console()
    if cleaning.dropped:
        console.print(f"Dropped by class: {_by_class(cleaning.dropped)}.")
    if counts:
        console.print("For example:")
    first = {finding.rule: finding for finding in reversed(cleaning.findings)}
    for rule in (rule for rule in MEANING if rule in first):
        _print_indented(console, f"{rule}: {first[rule].file}: {first[rule].reason}")


def print_split(split: Split) -> None:
    """Print how many images and groups of each class stand in each part."""
    table = _table("images (groups)" if _groups(split.train) else "images")
    counts: dict[str, Counter[str]] = {}
    for name in PARTS:
        table.add_column(name, justify="right", no_wrap=True)
        for row in split.part(name):
            counts.setdefault(row.label, Counter())[name] += 1
    for label in sorted(counts):
        table.add_row(label, *(f"{counts[label][name]:,}" for name in PARTS))
    table.add_section()
    table.add_row("all", *(_images_and_groups(split, index) for index in range(len(PARTS))))
    print_table(table)


def _table(title: str) -> Table:
    """Return a table that begins with a column of class names, long ones on several lines."""
    table = Table(title=title, title_justify="left")
    table.add_column("class", overflow="fold")
    return table


def _images_and_groups(split: Split, index: int) -> str:
    rows = split.part(PARTS[index])
    groups = _groups(rows)
    return f"{len(rows):,} ({groups:,})" if groups else f"{len(rows):,}"


def _groups(rows: Sequence[LabelledImage]) -> int:
    return len({row.group for row in rows} - {None})


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


def _by_class(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.label for finding in findings).most_common()
    return few((f"{short(label, _WIDEST_NAME)} {n:,}" for label, n in counts), separator=", ")


def _print_examples(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(f"{title}:")
    for line in lines[:_EXAMPLES]:
        _print_indented(console, line)
    if len(lines) > _EXAMPLES:
        console.print(f"  … and {len(lines) - _EXAMPLES:,} more")


def _print_indented(console: Console, line: str) -> None:
    console.print(Padding(line, (0, 0, 0, 2), expand=False))


def _count(found: Collection[object], noun: str, what: str) -> str:
    return f"{len(found):,} {noun}{'' if len(found) == 1 else 's'} {what}"

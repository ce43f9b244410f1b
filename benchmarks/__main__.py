"""The command line: `python -m benchmarks [serving|training|all]`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.groups import GROUPS, measured_rows
from benchmarks.machine import describe_machine
from benchmarks.results import (
    PAGE,
    Record,
    bound,
    medians,
    read_records,
    result,
    runs,
    verdict,
    write_records,
)
from benchmarks.rows import Options, Row

HERE = Path(__file__).resolve().parent

RUNS = 10
"""New processes for each side of a comparison, unless told otherwise."""


def main() -> int:
    """Measure what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("group", nargs="?", default="all", choices=[*GROUPS, "all"])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="modules, such as cold warm")
    parser.add_argument(
        "--runs", type=int, default=RUNS, help="of each side (default: %(default)s)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("BENCH_DATA") or None,
        help="a folder of photographs (default: BENCH_DATA, or drawings)",
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="run every row once on little, check the answers, keep nothing",
    )
    parser.add_argument(
        "--output", type=Path, default=HERE, help="where results are kept (default: benchmarks)"
    )
    args = parser.parse_args()
    known = [name for group in GROUPS.values() for name in group]
    chosen = [*GROUPS[args.group]] if args.group != "all" else known
    for name in args.only or []:
        if name not in chosen:
            parser.error(f"--only {name}: must be of {', '.join(chosen)}")
    if args.runs < 1:
        parser.error(f"--runs {args.runs}: must be 1 or more")
    if args.data and not args.data.is_dir():
        parser.error(f"--data {args.data}: there is no such folder")
    modules = [name for name in chosen if not args.only or name in args.only]
    measure(modules, args)
    return 0


def measure(modules: list[str], args: argparse.Namespace) -> None:
    """Measure the rows of some modules, print each as it comes, and keep them."""
    console = Console()
    records = {} if args.smoke else read_records(args.output)
    # A folder's place on this machine tells a reader nothing.
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = shlex.join(["python", "-m", "benchmarks", *words])
    machine = describe_machine()
    new: list[Row] = []
    with tempfile.TemporaryDirectory() as work, ExitStack() as closing:
        options = Options(
            runs=1 if args.smoke else args.runs,
            smoke=args.smoke,
            data=args.data and args.data.resolve(),
            work=Path(work),
            closing=closing,
            earlier={name: record.row for name, record in records.items()},
        )
        for module in modules:
            console.print(f"[dim]{module} …[/dim]")
            for row in measured_rows(module, options):
                console.print(f"{row.figure}: {result(row)}", highlight=False)
                new.append(row)
                options.earlier[row.name] = row
                now = datetime.now(UTC).strftime("%Y-%m-%d")
                records.pop(row.name, None)  # what is measured again stands where it was measured
                records[row.name] = Record(row, now, command, machine)
                if not args.smoke:
                    own = args.output.resolve() == HERE
                    page = PAGE if own else args.output / PAGE.name
                    write_records(args.output, records.values(), page)
    console.print(_table(new))


def _table(rows: list[Row]) -> Table:
    table = Table("figure", "result", "goal", "", "medians", "n", box=SIMPLE_HEAD)
    for row in rows:
        measured = medians(row, between="\n")
        table.add_row(row.figure, result(row), bound(row), verdict(row), measured, str(runs(row)))
    return table


if __name__ == "__main__":
    sys.exit(main())

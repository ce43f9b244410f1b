"""The command line: `python -m benchmarks [serving|training|all]`."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.results import goal, medians, read_rows, result, write_rows
from benchmarks.rows import Options
from tools.local_aws.install import RUNTIME

GROUPS = {
    "serving": ("cold", "warm", "agreement"),
    "training": ("fine_tuning", "looking"),
}
"""Modules with a function `rows(options) -> Iterator[Row]`; `warm` prices `cold`'s times."""


def main() -> None:
    """Measure the rows that the command line asks for, print each as it comes, and keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("group", nargs="?", default="all", choices=[*GROUPS, "all"])
    known = [name for group in GROUPS.values() for name in group]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=known, help="modules")
    parser.add_argument("--runs", type=int, default=10, help="of each side (default: %(default)s)")
    folder = os.environ.get("BENCH_DATA") or None
    help_ = "a folder of photographs (default: BENCH_DATA, or drawings)"
    parser.add_argument("--data", type=Path, default=folder, help=help_)
    help_ = "run every row once on little, check the answers, keep nothing"
    parser.add_argument("--smoke", action="store_true", help=help_)
    args = parser.parse_args()
    if args.runs < 1:
        parser.error(f"--runs {args.runs}: must be 1 or more")
    if args.data and not args.data.is_dir():
        parser.error(f"--data {args.data}: there is no such folder")
    chosen = args.only or GROUPS.get(args.group, known)
    earlier = {} if args.smoke else read_rows()
    # An absolute path is of no use to a reader.
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = shlex.join(["python", "-m", "benchmarks", *words])
    today, machine = datetime.now(UTC).strftime("%Y-%m-%d"), describe_machine()
    console = Console()
    table = Table("figure", "result", "goal", "medians", box=SIMPLE_HEAD)
    with tempfile.TemporaryDirectory() as work, ExitStack() as closing:
        data, runs = args.data and args.data.resolve(), 1 if args.smoke else args.runs
        options = Options(runs, args.smoke, data, Path(work), closing, earlier)
        for module in chosen:
            console.print(f"[dim]{module} …[/dim]")
            for row in import_module(f"benchmarks.{module}").rows(options):
                console.print(f"{row.figure}: {result(row)}", highlight=False)
                table.add_row(row.figure, result(row), goal(row), medians(row))
                earlier[row.name] = replace(row, date=today, command=command, machine=machine)
                if not args.smoke:
                    write_rows(earlier.values())
    console.print(table)


def describe_machine() -> dict[str, str]:
    """Return the processor, the system and the versions of what is measured."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ("torch", "torchvision", "onnxruntime", "numpy", "pillow", "boto3")
    return {
        "processor": model[1] if model else platform.machine(),
        "processors": str(len(os.sched_getaffinity(0))),
        "memory": f"{gigabytes:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()}, the zip's {RUNTIME.removeprefix('python')}",
        **{name: version(name) for name in libraries},
    }


if __name__ == "__main__":
    main()

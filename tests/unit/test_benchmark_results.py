from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.measure import ROOT, alternate, times_better
from benchmarks.results import (
    BEGIN,
    END,
    HEADLINES,
    PAGE,
    Record,
    markdown,
    read_records,
    write_records,
)
from benchmarks.rows import Goal, Row, Series

SLOW = Series("baseline", "ms", (300.0, 100.0, 200.0, 5000.0, 150.0))
FAST = Series("ours", "ms", (20.0, 10.0, 400.0, 15.0, 25.0))
MACHINE = {"processor": "a processor"}


def a_record(result: float = 10.0, name: str = "cold", date: str = "2026-11-21") -> Record:
    row = Row(name, f"Cold start {name}", result, "×", Goal(12), [SLOW, FAST], ["A note"])
    return Record(row, date, "python -m benchmarks", MACHINE)


def test_the_sides_of_a_comparison_take_turns() -> None:
    order: list[str] = []
    alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "a", "b"]


def test_a_ratio_is_of_medians_so_that_one_slow_run_changes_nothing() -> None:
    assert times_better(SLOW, FAST) == 200 / 20


def test_more_can_be_better() -> None:
    assert times_better(SLOW, FAST, more_is_better=True) == 20 / 200


def test_half_of_the_runs_lie_within_the_spread() -> None:
    assert SLOW.spread == (150, 300)
    assert Series("few", "ms", (3.0, 1.0, 2.0)).spread == (1, 3)


@pytest.mark.parametrize(("result", "met"), [(1.15, True), (1.16, False)])
def test_a_goal_can_be_an_upper_bound(result: float, met: bool) -> None:
    assert Goal(1.15, at_most=True).is_met(result) is met


def test_records_come_back_as_they_were_kept(tmp_path: Path) -> None:
    write_records(tmp_path, [a_record()], tmp_path / "page.md")
    assert read_records(tmp_path) == {"cold": a_record()}


def test_rows_of_several_days_each_say_when_and_how_they_were_measured() -> None:
    told = markdown([a_record(name="cold-onnx"), a_record(name="memory-onnx", date="2026-11-22")])
    assert "Measured on 2026-11-21 by `python -m benchmarks`: processor a processor." in told
    assert "Measured on 2026-11-22 by `python -m benchmarks`: processor a processor." in told


def test_the_page_has_the_kept_results() -> None:
    records = read_records(ROOT / "benchmarks").values()
    told = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert told.strip() == markdown(records)


def test_in_the_table_each_side_has_its_median_and_the_goal_is_named() -> None:
    records = [a_record(), a_record(name="cold-onnx")]
    assert markdown(records).splitlines()[2:-2] == [
        "| Cold start cold-onnx | 200 ms → 20 ms | **10 ×** | ≥ 12 ×, missed | 5 |"
    ]


def test_every_row_of_the_page_has_been_measured() -> None:
    assert read_records(ROOT / "benchmarks").keys() >= HEADLINES


def test_what_people_wrote_around_the_table_stays(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    path.write_text(f"What we learned.\n{BEGIN}\nyesterday's table\n{END}\nWhat brought nothing.\n")
    write_records(tmp_path, [a_record()], path)
    told = path.read_text()
    assert told.startswith("What we learned.\n")
    assert told.endswith("\nWhat brought nothing.\n")
    assert "yesterday" not in told

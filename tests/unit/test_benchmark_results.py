from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.measure import alternate
from benchmarks.results import BEGIN, END, PAGE, markdown, read_rows, write_rows
from benchmarks.rows import Goal, Row, Series, times_better

SLOW = Series("baseline", "ms", (300.0, 100.0, 200.0, 5000.0, 150.0))
FAST = Series("ours", "ms", (20.0, 10.0, 400.0, 15.0, 25.0))


def a_row(name: str = "cold", date: str = "2026-11-21") -> Row:
    how = (date, "python -m benchmarks", {"processor": "a processor"})
    return Row(name, f"Cold start {name}", 10.0, "×", Goal(12), [SLOW, FAST], *how)


def test_the_sides_of_a_comparison_take_turns() -> None:
    order: list[str] = []
    alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "a", "b"]


def test_a_ratio_is_of_medians_so_that_one_slow_run_changes_nothing() -> None:
    assert times_better(SLOW, FAST) == 200 / 20


def test_more_can_be_better() -> None:
    slow, fast = (Series(side.label, "images/s", side.values) for side in (SLOW, FAST))
    assert times_better(slow, fast) == 20 / 200


def test_half_of_the_runs_lie_within_the_spread() -> None:
    assert SLOW.spread == (150, 300)
    assert Series("few", "ms", (3.0, 1.0, 2.0)).spread == (1, 3)


@pytest.mark.parametrize(("result", "met"), [(1.15, True), (1.16, False)])
def test_a_goal_can_be_an_upper_bound(result: float, met: bool) -> None:
    assert Goal(1.15, at_most=True).is_met(result) is met


def test_rows_come_back_as_they_were_kept(tmp_path: Path) -> None:
    page, path = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text(f"{BEGIN}{END}")
    write_rows([a_row()], path, page)
    assert read_rows(path) == {"cold": a_row()}


def test_rows_of_several_days_each_say_when_and_how_they_were_measured() -> None:
    told = markdown([a_row(name="cold-onnx"), a_row(name="memory-onnx", date="2026-11-22")])
    assert "Measured on 2026-11-21 by `python -m benchmarks`: processor a processor." in told
    assert "Measured on 2026-11-22 by `python -m benchmarks`: processor a processor." in told


def test_the_page_has_the_kept_results() -> None:
    told = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert told.strip() == markdown([*read_rows().values()])


def test_in_the_table_each_side_has_its_median_and_the_goal_is_named() -> None:
    assert markdown([a_row()]).splitlines()[2:-2] == [
        "| Cold start cold | 200 ms → 20 ms | **10 ×** | ≥ 12 ×, missed | 5 |"
    ]


def test_what_people_wrote_around_the_table_stays(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    path.write_text(f"What we learned.\n{BEGIN}\nyesterday's table\n{END}\nWhat brought nothing.\n")
    write_rows([a_row()], tmp_path / "results.json", path)
    told = path.read_text()
    assert told.startswith("What we learned.\n")
    assert told.endswith("\nWhat brought nothing.\n")
    assert "yesterday" not in told

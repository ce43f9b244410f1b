"""A folder or file that only one process may write is taken, not looked at and then written."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.cleaning_material import put, scene
from training.commands.sample_data import sample_data
from training.commands.split import split
from training.errors import TrainingError
from training.run import Run, new_run, take
from training.video.screens import Recorder

AT_ONCE = 8


def together(act: Callable[[int], object]) -> list[object]:
    """Do the same in several threads at the same moment; return results and refusals."""
    barrier = Barrier(AT_ONCE)

    def one(number: int) -> object:
        barrier.wait()
        try:
            return act(number)
        except TrainingError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_trainings_that_begin_in_the_same_second_get_a_folder_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = new_run("recipe")
    taken = together(lambda _: take(named, is_given=False).folder)
    assert len(set(taken)) == AT_ONCE
    assert sorted(map(str, taken))[0] == str(named.folder)
    assert {path.parent for path in taken if isinstance(path, Path)} == {Path("runs/recipe")}
    assert all(Run(Path(str(path))).checkpoint.parent.is_dir() for path in taken)


@pytest.mark.parametrize("is_there", [True, False])
def test_of_trainings_with_the_same_folder_all_but_one_are_refused(
    tmp_path: Path, is_there: bool
) -> None:
    folder = tmp_path / "a" / "run"
    if is_there:
        folder.mkdir(parents=True)
    named = [new_run("recipe", folder) for _ in range(AT_ONCE)]
    results = together(lambda number: take(named[number], is_given=True))
    refused = [str(result) for result in results if isinstance(result, TrainingError)]
    assert len(refused) == AT_ONCE - 1
    assert set(refused) == {f"{folder} exists already. Give --save a new or empty folder."}


def test_a_run_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    take(new_run("recipe", tmp_path / "run"), is_given=True)
    with pytest.raises(TrainingError, match="run exists already. Give --save a new or empty"):
        new_run("recipe", tmp_path / "run")


@pytest.mark.parametrize(
    ("kept", "is_refused"),
    [
        ((), False),
        (("checkpoints/best.pt",), True),
        (("checkpoints/last.ckpt",), True),
        (("model/model.json",), True),
    ],
)
def test_only_a_run_that_was_killed_before_it_had_weights_gives_its_folder_away(
    tmp_path: Path, kept: tuple[str, ...], is_refused: bool
) -> None:
    for name in ("recipe.yaml", "data.json", "checkpoints/.best.pt.partial", *kept):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    before = sorted(tmp_path.rglob("*"))
    if is_refused:
        with pytest.raises(TrainingError, match="exists already"):
            new_run("recipe", tmp_path)
        assert sorted(tmp_path.rglob("*")) == before
    else:
        assert new_run("recipe", tmp_path) == Run(tmp_path)
        assert not any(path.is_file() for path in tmp_path.rglob("*"))


def photographs(root: Path) -> Path:
    for label in ("birds", "drones"):
        for i in range(12):
            put(root, f"{label}/{i}.png", scene(i))
    return root


def test_what_several_write_at_once_is_written_by_one(tmp_path: Path) -> None:
    root = photographs(tmp_path / "data")
    writers: dict[str, Callable[[int], object]] = {
        "sample": lambda number: sample_data(tmp_path / "sample", 1, number),
        "split.csv": lambda number: split(root, tmp_path / "split.csv", seed=number),
        "film.mp4": lambda _: Recorder(tmp_path / "film.mp4", rate=10).__enter__(),
    }
    for name, write in writers.items():
        results = together(write)
        refused = [str(result) for result in results if isinstance(result, TrainingError)]
        assert len(refused) == AT_ONCE - 1, (name, results)
        assert all(str(tmp_path / name) in said for said in refused), refused
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"data", *writers}

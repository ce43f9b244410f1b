"""A preview shows what the stages of a recipe see."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.support.command_line import mistake, run
from tests.support.images import noise
from training.augment.augmentations import Augmentation
from training.augment.contact_sheet import PER_CLASS, VERSIONS, Variant, write_preview
from training.augment.sizing import get_strategy
from training.data.split import read_split
from training.data.table import LabelledImage, read_folder
from training.errors import TrainingError
from training.recipe import load_recipe
from training.recipe_preview import recipe_variants

CELL = 176
AUGMENTED = "flying-objects"
STAGES = (
    "sizing.size=96",
    "augment=[{op: random_resized_crop}, {op: horizontal_flip}, {op: rotate}]",
    "stages=[{thaw: head, epochs: 1, learning_rate: 0.1, augment: false}, "
    "{thaw: 4, epochs: 1, learning_rate: 0.1}, {thaw: all, epochs: 1, learning_rate: 0.1}]",
)
PLAIN = "flying-objects-head"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes of eight images each."""
    for label in ("бpd", "drone"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            noise(50, 40, number).save(tmp_path / "data" / label / f"{number}.png")
    return tmp_path / "data"


def variant(augmentation: Augmentation | None) -> Variant:
    return Variant("", get_strategy("squash", 32), 32, augmentation)


def test_a_sheet_shows_images_of_each_class_and_passes_over_a_damaged_one(
    data: Path, tmp_path: Path
) -> None:
    rows = [row for row in read_folder(data).rows if Path(row.file).stem in "012"]
    (data / "drone" / "1.png").write_bytes(b"no image")
    variants = [
        variant(get_strategy("squash", 32).augmentation([{"op": "cutout"}, {"op": "rotate"}]))
    ]
    state = torch.get_rng_state()

    def write(name: str, seed: int) -> bytes:
        path = tmp_path / "new" / name
        assert write_preview(rows, data, variants, path, seed) == 2 * PER_CLASS
        return path.read_bytes()

    first = write("1.png", 0)
    assert write("2.png", 0) == first
    assert write("3.png", 1) != first
    assert torch.equal(torch.get_rng_state(), state)
    with Image.open(tmp_path / "new" / "1.png") as sheet:
        assert sheet.width > CELL * (2 + VERSIONS)
        assert sheet.height > CELL * 4


def test_a_sheet_without_augmentation_shows_what_the_network_sees(
    data: Path, tmp_path: Path
) -> None:
    write_preview(read_folder(data).rows, data, [variant(None)], tmp_path / "x.png", 0)
    with Image.open(tmp_path / "x.png") as sheet:
        assert CELL * 2 < sheet.width < CELL * 4


def test_a_sheet_of_nothing_is_an_error(tmp_path: Path) -> None:
    row = LabelledImage("a/1.png", "a")
    with pytest.raises(TrainingError, match="None of the 1 images"):
        write_preview([row], tmp_path, [variant(None)], tmp_path / "x.png", 0)


def test_a_recipes_look_is_that_of_its_stages_that_augment() -> None:
    recipe = load_recipe(AUGMENTED, STAGES)
    (only,) = recipe_variants(recipe)
    assert only.title == (
        "flying-objects, stages 2 and 3: squash, 96 px, then random_resized_crop, "
        "horizontal_flip, rotate"
    )
    assert only.strategy == recipe.strategy()
    assert only.augmentation is not None
    cropped, *others = only.augmentation.entries
    assert cropped == {"op": "random_resized_crop", "size": 96}
    assert [cropped["op"], *others] == ["random_resized_crop", *(recipe.augment or [])[1:]]


def test_a_strategys_own_crop_is_part_of_the_look() -> None:
    (only,) = recipe_variants(load_recipe("flying-objects-multiscale"))
    assert only.augmentation is not None
    assert only.augmentation.entries == [{"op": "random_crop", "size": 224}]


def test_stages_of_different_sizes_see_differently() -> None:
    first, second = recipe_variants(load_recipe(AUGMENTED, [*STAGES, "stages.1.size=64"]))
    assert first.title.startswith("flying-objects, stage 2: squash, 64 px, then")
    assert second.title.startswith("flying-objects, stage 3: squash, 96 px, then")
    assert first.strategy == get_strategy("squash", 64)
    plain, _ = recipe_variants(load_recipe(AUGMENTED, [*STAGES, "stages.0.size=64"]))
    assert plain.title == "flying-objects, stage 1: squash, 64 px, no augmentation"


def test_where_no_stage_augments_all_are_shown() -> None:
    (only,) = recipe_variants(load_recipe(PLAIN))
    assert only.title == "flying-objects-head, stage 1: squash, 224 px, no augmentation"
    assert only.augmentation is None


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet"])
def test_a_preview_is_a_png_by_its_name(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    line = mistake(capsys, "preview", "--data", data, "--to", tmp_path / name)
    assert f"{name} must end in .png" in line
    assert not (tmp_path / name).exists()


def test_the_command_writes_the_sheet_and_says_what_it_shows(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = ("--data", data, "--recipe", AUGMENTED, *(f"--set={change}" for change in STAGES))
    assert run("preview", *recipe) == 0
    said = capsys.readouterr().err
    assert "4 training images in preview.png. flying-objects, stages 2 and 3" in said
    assert {path.name for path in tmp_path.iterdir()} == {"data", "preview.png"}


def test_a_preview_without_a_recipe_is_of_the_one_that_train_takes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("preview", "--data", data, "--to", tmp_path / "x.png", "--set=sizing.size=64") == 0
    assert (
        "flying-objects, stage 2: squash, 64 px, then random_resized_crop, cutout"
        in capsys.readouterr().err
    )


def test_the_recipes_seed_chooses_the_images(data: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        options = ("--set", f"seed={seed}", "--set", "sizing.size=64")
        assert run("preview", "--data", data, "--to", tmp_path / f"{seed}.png", *options) == 0
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "1.png").read_bytes()


def test_a_change_of_the_recipe_is_seen(data: Path, tmp_path: Path) -> None:
    recipe = ("--data", data, "--recipe", AUGMENTED, "--set", "sizing.size=64")
    assert run("preview", *recipe, "--to", tmp_path / "1.png") == 0
    change = ("--set", "augment=[{op: rotate}]")
    assert run("preview", *recipe, *change, "--to", tmp_path / "2.png") == 0
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "2.png").read_bytes()


def test_only_training_images_are_shown_of_a_split_of_the_users_own(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "split.csv"
    assert run("split", data, "--to", path, "--seed", 5) == 0
    training = read_split(path, data).train
    for row in training:
        (data / row.file).write_bytes(b"no image")
    line = mistake(capsys, "preview", "--data", data, "--split", path)
    assert f"None of the {len(training)} images" in line


def test_a_class_name_is_written_in_letters_not_in_boxes(data: Path, tmp_path: Path) -> None:
    sheets = []
    for label in ("Möwe", "Måwe", "Mёwe", "שלום"):
        next(path for path in data.iterdir() if path.name != "drone").rename(data / label)
        write_preview(read_folder(data).rows[:8], data, [variant(None)], tmp_path / "p.png", 0)
        sheets.append((tmp_path / "p.png").read_bytes())
    assert len(set(sheets)) == 4

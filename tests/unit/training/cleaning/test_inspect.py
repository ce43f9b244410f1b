"""Looking at a folder tells what is in it, and survives what is wrong with single files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.support.images import GIF_BOMB, WEBP_BOMB, encode, noise, png_that_claims
from training.cleaning.inspection import Inspection, Spread, inspect_table
from training.cleaning.plots import draw_plots
from training.commands.inspect import inspect
from training.data.table import read_folder
from training.errors import TrainingError


def put(root: Path, file: str, content: bytes | Image.Image, **options: object) -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Image.Image):
        content = encode(content, "PNG", **options)
    path.write_bytes(content)
    return path


def look(root: Path) -> Inspection:
    return inspect_table(read_folder(root))


def on_its_side(width: int, height: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(noise(width, height), "JPEG", exif=exif)


def test_counts_and_sizes_are_those_of_each_class(tmp_path: Path) -> None:
    a = [put(tmp_path, f"a/{i}.png", noise(40 + 10 * i, 50, i)) for i in range(3)]
    put(tmp_path, "b/1.jpg", encode(noise(64, 32), "JPEG"))
    first, second = look(tmp_path).classes
    assert (first.label, first.images, second.images) == ("a", 3, 1)
    assert first.width == Spread(40, 50, 60)
    assert first.height == Spread(50, 50, 50)
    assert first.aspect == Spread(0.8, 1.0, 1.2)
    sizes = sorted(path.stat().st_size for path in a)
    assert first.bytes == Spread(*sizes)
    assert (second.formats, first.formats) == ({"JPEG": 1}, {"PNG": 3})


def test_the_content_decides_the_format_and_pixels_their_mode(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", encode(noise(20, 20), "JPEG"))
    put(tmp_path, "a/2.png", noise(20, 20).convert("L"))
    put(tmp_path, "b/1.png", noise(20, 20).convert("RGBA"))
    first, second = look(tmp_path).classes
    assert first.formats == {"JPEG": 1, "PNG": 1}
    assert first.modes == {"RGB": 1, "L": 1}
    assert second.modes == {"RGBA": 1}


def test_a_photograph_taken_on_its_side_is_measured_upright(tmp_path: Path) -> None:
    put(tmp_path, "a/1.jpg", on_its_side(60, 20))
    put(tmp_path, "b/1.png", noise(20, 20))
    upright = look(tmp_path).classes[0]
    assert (upright.width, upright.height) == (Spread(20, 20, 20), Spread(60, 60, 60))


def test_headers_are_read_and_not_pixels(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", png_that_claims(7000, 7000))
    put(tmp_path, "b/1.png", noise(20, 20))
    assert look(tmp_path).classes[0].width == Spread(7000, 7000, 7000)


def test_equal_bytes_are_duplicates_and_across_classes_conflicts(tmp_path: Path) -> None:
    for file in ("a/1.png", "a/2.png", "b/1.png"):
        put(tmp_path, file, noise(20, 20, 1))
    put(tmp_path, "b/2.png", noise(20, 20, 2))
    put(tmp_path, "b/3.png", noise(20, 20, 3))
    put(tmp_path, "b/4.png", noise(20, 20, 3))
    found = look(tmp_path)
    assert found.duplicates == (("a/1.png", "a/2.png", "b/1.png"), ("b/3.png", "b/4.png"))
    assert found.conflicts == (("a/1.png", "a/2.png", "b/1.png"),)
    assert [summary.duplicates for summary in found.classes] == [1, 2]


def test_files_of_one_size_but_other_bytes_are_no_duplicates(tmp_path: Path) -> None:
    put(tmp_path, "a/1.bmp", encode(noise(20, 20, 1), "BMP"))
    put(tmp_path, "b/1.bmp", encode(noise(20, 20, 2), "BMP"))
    assert look(tmp_path).duplicates == ()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty (0 bytes)"),
        (b"no image at all", "not an image that can be read"),
        (encode(noise(50, 50), "JPEG")[:30], "damaged header"),
        (png_that_claims(60_000, 60_000), "too many pixels (at most 50 million"),
        (GIF_BOMB, "too many pixels (at most 50 million"),
        (WEBP_BOMB, "too many pixels (at most 50 million"),
    ],
    ids=["empty", "text", "cut", "huge", "huge GIF", "huge WebP"],
)
def test_a_bad_file_is_counted_and_named(tmp_path: Path, content: bytes, problem: str) -> None:
    put(tmp_path, "a/1.jpg", content)
    put(tmp_path, "b/1.png", noise(20, 20))
    found = look(tmp_path)
    assert [header.file for header in found.problems] == ["a/1.jpg"]
    assert problem in str(found.problems[0].problem)
    assert found.classes[0].problems == 1
    assert found.classes[0].width is None


def test_a_file_that_disappears_during_the_run_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", noise(20, 20))
    put(tmp_path, "b/1.png", noise(20, 20))
    table = read_folder(tmp_path)
    (tmp_path / "a" / "1.png").unlink()
    found = inspect_table(table)
    assert [header.problem for header in found.problems] == ["disappeared while it was looked at"]
    assert found.total.images == 2


def test_linked_folders_are_looked_into_but_not_in_circles(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/deep/1.png", noise(20, 20))
    root = tmp_path / "data"
    put(root, "b/1.png", noise(20, 20, 1))
    (root / "a").symlink_to(tmp_path / "elsewhere")
    (root / "b" / "circle").symlink_to(root)
    (root / "b" / "deep").symlink_to(tmp_path / "elsewhere" / "deep")
    (root / "b" / "nothing.png").symlink_to(tmp_path / "nothing.png")
    files = [header.file for header in look(root).headers]
    assert "a/deep/1.png" in files
    assert "b/deep/1.png" in files
    assert "b/nothing.png" not in files
    assert len(files) < 10


@pytest.mark.parametrize(
    "labels",
    [["鳥 と 空", "дрон", "a $x^2$ {b}"], [f"n{i:08}" for i in range(60)]],
    ids=["scripts", "many"],
)
def test_plots_are_drawn_for_names_of_any_script_and_many_classes(
    tmp_path: Path, labels: list[str]
) -> None:
    for i, label in enumerate(labels):
        for j in range(1 + i % 3):
            put(tmp_path / "data", f"{label}/{j}.png", noise(20 + i, 30 + j, i))
    (tmp_path / "plots").mkdir()
    drawn = draw_plots(look(tmp_path / "data"), tmp_path / "plots")
    assert [path.name for path in drawn] == [
        "images_per_class.png",
        "file_sizes.png",
        "heights_and_widths.png",
    ]
    for path in drawn:
        with Image.open(path) as image:
            colours = image.convert("RGB").getcolors(1 << 24)
            assert colours is not None
            assert len(colours) > 10, path
            assert image.height > 12 * len(labels), path


def test_a_class_without_a_readable_image_is_drawn(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", b"")
    put(tmp_path, "b/1.png", noise(20, 20))
    assert len(draw_plots(look(tmp_path), tmp_path)) == 3


def test_the_command_prints_a_table_and_writes_a_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "data", "鳥 と 空/1.png", noise(20, 20))
    put(tmp_path / "data", "[bold]b/1.png", noise(30, 20))
    put(tmp_path / "data", "[bold]b/2.png", b"")
    inspect(tmp_path / "data", tmp_path / "out")
    printed = capsys.readouterr().out
    for text in (
        "鳥 と 空",
        "[bold]b",
        "20 · 25 · 30",
        "1 file that cannot be used as an image",
        "empty (0 bytes)",
    ):
        assert text in printed
    found = json.loads((tmp_path / "out" / "inspect.json").read_text(encoding="utf-8"))
    assert [summary["label"] for summary in found["classes"]] == ["[bold]b", "鳥 と 空"]
    assert found["problems"] == {"[bold]b/2.png": "empty (0 bytes)"}
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    put(tmp_path / "data", "a/1.png", noise(20, 20))
    put(tmp_path / "data", "b/1.png", noise(20, 20))
    (tmp_path / "out").write_text("a file")
    with pytest.raises(TrainingError, match="out cannot be written"):
        inspect(tmp_path / "data", tmp_path / "out")


def test_of_long_lists_a_few_are_printed_and_the_rest_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    equal, across = encode(noise(20, 20, 1), "PNG"), encode(noise(20, 20, 2), "PNG")
    for number in range(400):
        put(tmp_path, f"a/copy-{number:03}.png", equal)
        put(tmp_path, f"{'ab'[number % 2]}/both-{number:03}.png", across)
        put(tmp_path, f"b/bad-{number:03}.png", b"junk")
    inspect(tmp_path, output=tmp_path / "out")
    said = capsys.readouterr().out
    assert "a/copy-002.png = a/copy-003.png = a/copy-004.png and 395 more" in said
    assert "and 395 more" in said.partition("in different classes")[2]
    assert "400 files that cannot be used as an image" in said
    assert "and 397 more" in said
    assert len(said) < 6000
    written = json.loads((tmp_path / "out" / "inspect.json").read_text())
    assert sorted(map(len, written["duplicates"])) == [400, 400, 400]

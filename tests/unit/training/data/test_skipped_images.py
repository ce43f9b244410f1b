"""A bad image is named, skipped and counted; too many are an error."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tests.support.images import decode_image
from tests.support.pixel_material import SQUASH, load, make
from training.data.contents import Skips, read_contents
from training.data.table import ImageTable, read_folder
from training.errors import TrainingError
from training.pixels.dataset import check_images
from training.pixels.images import read_image


def test_a_bad_image_is_named_skipped_and_returned(tmp_path: Path, lines: io.StringIO) -> None:
    table, cache = make(tmp_path / "data", 40), tmp_path / "cache"
    cut, gone = table.rows[7], table.rows[30]
    whole = (table.root / cut.file).read_bytes()
    (table.root / cut.file).write_bytes(whole[: len(whole) // 2])
    (table.root / gone.file).unlink()
    for _ in range(2):  # the second time from the cache
        images = load(table, cache=cache)
        assert [image.file for image in images.skipped] == [gone.file, cut.file]
        assert images.rows == tuple(row for row in table.rows if row not in (cut, gone))
        assert images.labels.tolist() == [table.labels.index(row.label) for row in images.rows]
        row = images.rows[35]
        theirs = SQUASH(decode_image((table.root / row.file).read_bytes()))
        np.testing.assert_array_equal(images[35][0].numpy(), theirs)
    assert lines.getvalue().count(f"Skipped {cut.file}: The PNG image of") == 2
    assert f"Skipped {gone.file}: it has disappeared." in lines.getvalue()
    (table.root / cut.file).write_bytes(whole)
    assert len(load(table, cache=cache)) == 39


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_an_image_that_disappears_or_changes_meanwhile_is_skipped(
    tmp_path: Path, lines: io.StringIO, change: str
) -> None:
    table, cache = make(tmp_path / "data", 40), tmp_path / "cache"
    found = read_contents(table.root, table.rows, "Hashing", Skips(40))
    file = table.root / table.rows[4].file
    before = file.read_bytes()
    if change == "gone":
        file.unlink()
    else:
        file.write_bytes(before + b"more")
    images = load(table, cache=cache, contents=found)
    assert [image.file for image in images.skipped] == [table.rows[4].file]
    assert len(images) == 39
    assert change in lines.getvalue().replace("disappeared", "gone")
    file.write_bytes(before)
    # What was kept without it is not taken for the whole.
    assert len(load(table, cache=cache, contents=found)) == 40


def test_past_five_percent_it_is_an_error(tmp_path: Path, lines: io.StringIO) -> None:
    table = make(tmp_path / "data", 40)
    for number in (3, 20):
        (table.root / table.rows[number].file).write_bytes(b"")
    assert len(load(table)) == 38
    (table.root / table.rows[33].file).write_bytes(b"GIF89a")
    with pytest.raises(TrainingError) as caught:
        load(table, cache=tmp_path / "cache")
    message = str(caught.value)
    assert message.startswith("3 of 40 images cannot be used, more than 5%; the first is ")
    assert repr(table.rows[3].file) in message
    assert "empty (0 bytes)" in message


def test_the_share_is_that_of_the_whole_table(tmp_path: Path, lines: io.StringIO) -> None:
    table = make(tmp_path / "data", 40)
    (table.root / table.rows[1].file).write_bytes(b"")
    part = ImageTable(table.root, table.labels, (*table.rows[:3], table.rows[-1]))
    skips = Skips(len(table.rows))
    assert len(load(part, skips=skips)) == 3
    assert [image.file for image in skips.images] == [table.rows[1].file]
    with pytest.raises(TrainingError, match="1 of 4 images"):
        load(part)


def test_a_class_of_which_nothing_is_left_is_an_error(tmp_path: Path, lines: io.StringIO) -> None:
    table = make(tmp_path / "data", 24)
    (table.root / "c").mkdir()
    (table.root / "c" / "1.png").write_bytes(b"no image")
    with pytest.raises(TrainingError, match="None of the images of the class 'c'"):
        load(read_folder(table.root))


def test_many_bad_images_do_not_flood_the_terminal(lines: io.StringIO) -> None:
    skips = Skips(10_000)
    for number in range(100):
        skips.add(f"a/[{number}].jpg", "damaged.")
        skips.add(f"a/[{number}].jpg", "damaged.")
    said = lines.getvalue().splitlines()
    assert len(said) == 21
    assert said[3] == "Skipped a/[3].jpg: damaged."
    assert len(skips.images) == 100


def test_checking_keeps_nothing_and_returns_the_good_ones(
    tmp_path: Path, lines: io.StringIO
) -> None:
    table = make(tmp_path / "data", 40)
    (table.root / table.rows[9].file).write_bytes(b"\x89PNG\r\n\x1a\n")
    good = check_images(table.root, table.rows, "Checking")
    assert good == (*table.rows[:9], *table.rows[10:])
    with pytest.raises(TrainingError, match="1 of 10 images"):
        check_images(table.root, table.rows[:10], "Checking")


def test_an_image_alone_is_named_where_it_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"image .*x.png cannot be used. The file is empty"):
        read_image(tmp_path / "x.png")
    with pytest.raises(TrainingError, match=r"image .*y.png cannot be read"):
        read_image(tmp_path / "y.png")

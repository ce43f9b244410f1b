"""Cleaning finds what spoils training, says why, and never touches an original."""

from __future__ import annotations

from pathlib import Path

import pytest
from cleanvision import Imagelab
from cleanvision.issue_managers.image_property import BlurrinessProperty, BrightnessProperty
from PIL import Image

from tests.support.cleaning_material import BLURRED, found, put, run, scene, split_of
from tests.support.command_line import mistake
from tests.support.images import encode, png_that_claims
from training.cleaning.apply_rules import list_files
from training.cleaning.cleaned_folder import keep
from training.cleaning.examine import examine_files
from training.cleaning.image_quality import brightest, edges
from training.cleaning.rules import MEANING
from training.commands.clean import clean as clean_command
from training.data.split import write_split
from training.data.table import read_folder
from training.errors import TrainingError


def test_a_clean_folder_is_kept_whole(root: Path) -> None:
    cleaning = run(root)
    assert cleaning.findings == ()
    assert len(cleaning.kept) == len(cleaning.examined) == 24


TIFF = encode(scene(50), "TIFF", compression="tiff_lzw")


@pytest.mark.parametrize(
    ("name", "content", "rule", "reason"),
    [
        ("x.png", b"", "empty", "0 bytes"),
        ("x.jpg", b"<html>not found</html>", "undecodable", "not an image"),
        ("Thumbs.db", bytes(100), "no-image", "not an image"),
        ("x.jpg", encode(scene(50), "JPEG")[:-900], "truncated", "cut short"),
        ("x.jpg", encode(scene(50), "JPEG")[:60], "truncated", "Truncated"),
        ("x.png", encode(scene(50), "PNG")[:-900], "truncated", "cut short"),
        ("x.webp", encode(scene(50), "WEBP")[:-90], "truncated", "header is damaged"),
        ("x.tif", TIFF[: len(TIFF) // 2], "truncated", "cut short"),
        ("x.png", png_that_claims(30_000, 30_000), "too-many-pixels", "pixels"),
        ("x.png", encode(scene(50), "JPEG"), "wrong-extension", "a JPEG image named .png"),
        ("photo", encode(scene(50), "JPEG"), "wrong-extension", "named without extension"),
        ("x.txt", encode(scene(50), "PNG"), "wrong-extension", "a PNG image named .txt"),
        ("x.png", scene(50).resize((96, 31)), "too-small", "96 × 31 pixels, a side is below 32"),
        ("x.png", scene(50).point(lambda level: level // 6), "dark", "score 0."),
        ("x.png", BLURRED, "blurry", "score"),
        ("x.png", scene(50, 1500), "odd-size", "1500 × 1500 pixels; half of the images"),
    ],
)  # fmt: skip
def test_a_bad_file_is_dropped_and_the_reason_given(
    root: Path, name: str, content: bytes | Image.Image, rule: str, reason: str
) -> None:
    put(root, f"birds/{name}", content)
    cleaning = run(root)
    assert [(finding.file, finding.rule) for finding in cleaning.dropped] == [
        (f"birds/{name}", rule)
    ]
    assert reason in cleaning.findings[0].reason
    assert len(cleaning.kept) == 24


@pytest.mark.parametrize("rule", ["wrong-extension", "too-small", "dark", "blurry", "odd-size"])
def test_a_rule_can_be_left_out(root: Path, rule: str) -> None:
    put(root, "birds/x.png", encode(scene(50), "JPEG"))
    put(root, "birds/small.png", scene(51).resize((96, 31)))
    put(root, "birds/dark.png", scene(52).point(lambda level: level // 6))
    put(root, "birds/blurry.png", BLURRED)
    put(root, "birds/huge.png", scene(53, 1500))
    rules = {rule for _, rule, _ in found(root)}
    assert rules == {"wrong-extension", "too-small", "dark", "blurry", "odd-size"}
    clusters = {"file-size-cluster", "side-cluster"}
    assert {rule for _, rule, _ in found(root, skip=frozenset({rule} | clusters))} == rules - {rule}


def test_what_is_no_image_is_never_kept_whatever_is_left_out(root: Path) -> None:
    put(root, "birds/x.png", b"no image")
    assert found(root, skip=frozenset(MEANING)) == [("birds/x.png", "undecodable", "drop")]


def test_a_wrong_extension_can_be_put_right(root: Path, tmp_path: Path) -> None:
    put(root, "birds/0.jpeg.png", encode(scene(50), "JPEG"))
    put(root, "birds/5.txt", encode(scene(51), "PNG"))
    cleaning = run(root, fix_extensions=True)
    assert {finding.action for finding in cleaning.findings} == {"rename"}
    assert cleaning.kept["birds/0.jpeg.png"] == "birds/0.jpeg.jpg"
    assert cleaning.kept["birds/5.txt"] == "birds/5-2.png"
    keep(cleaning, tmp_path / "out")
    assert len(read_folder(tmp_path / "out").rows) == 26
    left = run(root, skip=frozenset({"wrong-extension"}))
    assert left.kept["birds/0.jpeg.png"] == "birds/0.jpeg.png"


def test_a_name_of_full_length_is_put_right_within_what_file_systems_take(
    root: Path, tmp_path: Path
) -> None:
    for letter, count in (("n", 251), ("ö", 125)):
        put(root, f"birds/{letter * count}.png", encode(scene(count), "WEBP"))
    cleaning = run(root, fix_extensions=True)
    keep(cleaning, tmp_path / "out")
    kept = {name for name in cleaning.kept.values() if name.endswith(".webp")}
    assert kept == {f"birds/{'n' * 250}.webp", f"birds/{'ö' * 125}.webp"}


def test_cleanvision_itself_gives_the_same_verdicts(root: Path) -> None:
    put(root, "birds/dark.png", scene(52).point(lambda level: level // 6))
    put(root, "birds/blurry.png", BLURRED)
    put(root, "birds/huge.png", scene(53, 250))
    images = [str(path) for path in sorted(root.rglob("*.png"))]
    lab = Imagelab(filepaths=images)
    lab.find_issues({"dark": {}, "blurry": {}, "odd_size": {}}, n_jobs=1, verbose=False)
    theirs = {
        (Path(file).name, rule.replace("_", "-"))
        for rule in ("dark", "blurry", "odd_size")
        for file in lab.issues.index[lab.issues[f"is_{rule}_issue"]]
    }
    assert len(theirs) == 3
    ours = {(Path(file).name, rule) for file, rule, _ in found(root)}
    assert ours == theirs


@pytest.mark.parametrize("picture", [scene(54), scene(55, 200), BLURRED, scene(56, 30)])
def test_edges_are_measured_as_cleanvision_does(picture: Image.Image) -> None:
    theirs = BlurrinessProperty().calculate(picture)
    assert edges(picture) == pytest.approx(tuple(theirs.values()), rel=1e-9)


@pytest.mark.parametrize("picture", [scene(54), scene(55, 200), BLURRED, scene(56, 900)])
def test_brightness_is_cleanvision_s_to_the_second_digit(picture: Image.Image) -> None:
    theirs = BrightnessProperty("dark").calculate(picture)["brightness_perc_99"]
    assert brightest(picture) == pytest.approx(theirs, abs=0.005)


def test_a_large_photograph_is_judged_by_a_smaller_one(root: Path) -> None:
    """Its size is its own; how it looks is measured on what its decoder shrinks it to."""
    large = scene(57, 192).resize((3000, 2400))
    put(root, "birds/large.jpg", encode(large, "JPEG"))
    put(root, "birds/small.jpg", encode(large.resize((750, 600)), "JPEG"))
    by_name = {Path(one.file).name: one for one in examine_files(root, list_files(root).rows)}
    big, small = by_name["large.jpg"], by_name["small.jpg"]
    assert (big.width, big.height) == (3000, 2400)
    assert (big.hash ^ small.hash).bit_count() <= 2
    assert big.edges == pytest.approx(small.edges, rel=0.05)
    assert big.brightness == pytest.approx(small.brightness, abs=0.01)


def test_where_most_images_are_of_one_size_another_size_is_not_odd(root: Path) -> None:
    """CleanVision itself would drop every image of another size there."""
    for i in range(100):
        put(root, f"birds/more{i}.png", scene(300 + i, 96))
    put(root, "birds/x.png", scene(50, 110))
    assert found(root, skip=frozenset({"file-size-cluster", "side-cluster"})) == []


def test_threads_find_what_one_thread_finds(root: Path) -> None:
    put(root, "birds/bad.png", b"no image")
    rows = list_files(root).rows
    one = examine_files(root, rows, threads=1)
    two = examine_files(root, rows, threads=2)
    assert [(e.file, e.rule, e.sha256, e.hash) for e in two] == [
        (e.file, e.rule, e.sha256, e.hash) for e in one
    ]


def test_the_command_writes_nothing_unless_told_where(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(root, "birds/copy.png", scene(3))
    clean_command(root)
    printed = capsys.readouterr()
    assert "exact-duplicate" in printed.out
    assert "the same bytes as" in printed.out
    assert "Nothing was written" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    write_split(split_of(root, **{"1": "validation", "2": "test"}), tmp_path / "s.csv")
    clean_command(root, tmp_path / "out", split=tmp_path / "s.csv")
    assert (tmp_path / "out" / "split.csv").is_file()


def test_an_unknown_rule_is_named(root: Path) -> None:
    with pytest.raises(TrainingError, match="no rule 'blury'. The rules are unreadable, empty"):
        clean_command(root, skip=["blury"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("drk=0.3", "--set: unknown key 'drk'; did you mean 'dark'?"),
        ("zzz=1", "--set: unknown key 'zzz'; valid keys are skip, fix_extensions, conflicts, "),
        ("dark=1.5", "--set: dark: Input should be less than or equal to 1 (it is 1.5)."),
        ("dark=true", "--set: dark: must not be true or false (it is True)."),
        ("min_side=0", "--set: min_side: Input should be greater than or equal to 1 (it is 0)."),
        ("distance=65", "--set: distance: Input should be less than or equal to 64 (it is 65)."),
        ("conflicts=drp", "--set: conflicts: Input should be 'keep' or 'drop' (it is 'drp')."),
        ("dark", "--set dark: write --set KEY=VALUE with a parameter of the rules, for example"),
    ],
)
def test_a_change_that_makes_no_sense_is_a_mistake(
    root: Path, capsys: pytest.CaptureFixture[str], change: str, complaint: str
) -> None:
    assert complaint in mistake(capsys, "clean", root, "--set", change)


def test_a_change_of_a_rule_decides(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean_command(root, skip=["blurry"])
    assert "too-small" not in capsys.readouterr().out
    with pytest.raises(TrainingError, match="would drop all images of the class .*: too-small"):
        clean_command(root, skip=["blurry"], overrides=["min_side=5000"])
    assert "too-small" in capsys.readouterr().out

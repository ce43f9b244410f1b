"""Cleaning finds what spoils training, says why, and never touches an original."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from cleanvision import Imagelab
from PIL import Image

from tests.images import encode, noise, png_that_claims
from training.data import keep as keep_module
from training.data.clean import Cleaning, clean, list_files
from training.data.clusters import find_clusters, outlying
from training.data.duplicates import NearIndex
from training.data.examine import examine_files
from training.data.keep import keep
from training.data.rules import MEANING, Rules
from training.data.split import Split, read_split, write_split
from training.data.table import LabelledImage, read_folder
from training.errors import TrainingError
from training.verbs import data as verbs


def scene(seed: int, side: int | None = None) -> Image.Image:
    """Return a picture with shapes, and a size about 96, that differ from seed to seed."""
    side = side or 92 + seed % 9
    coarse = noise(6, 6, seed).resize((side, side), Image.Resampling.BICUBIC)
    return Image.blend(coarse, noise(side, side, seed), 0.35)


def put(root: Path, file: str, content: bytes | Image.Image, **options: object) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Image.Image):
        content = encode(content, "PNG", **options)
    path.write_bytes(content)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of two classes, 12 clean images each."""
    for i in range(12):
        put(tmp_path / "data", f"birds/{i}.png", scene(i))
        put(tmp_path / "data", f"drones/{i}.png", scene(100 + i))
    return tmp_path / "data"


def run(root: Path, split: Split | None = None, **rules: object) -> Cleaning:
    return clean(root, list_files(root), Rules(**rules), split, workers=0)  # type: ignore[arg-type]


def found(root: Path, split: Split | None = None, **rules: object) -> list[tuple[str, str, str]]:
    findings = run(root, split, **rules).findings
    return [(finding.file, finding.rule, finding.action) for finding in findings]


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_clean_folder_is_kept_whole(root: Path) -> None:
    cleaning = run(root)
    assert cleaning.findings == ()
    assert len(cleaning.kept) == cleaning.examined == 24


BLURRED = noise(3, 3).resize((96, 96), Image.Resampling.BICUBIC)
SIZES = frozenset({"odd-size"})
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


def test_where_most_images_are_of_one_size_another_size_is_not_odd(root: Path) -> None:
    """CleanVision itself would drop every image of another size there."""
    for i in range(100):
        put(root, f"birds/more{i}.png", scene(300 + i, 96))
    put(root, "birds/x.png", scene(50, 110))
    assert found(root, skip=frozenset({"file-size-cluster", "side-cluster"})) == []


def test_of_equal_bytes_in_a_class_one_is_kept(root: Path) -> None:
    put(root, "birds/copy.png", scene(3))
    assert found(root) == [("birds/copy.png", "exact-duplicate", "drop")]


def test_of_near_duplicates_the_one_with_most_pixels_is_kept(root: Path) -> None:
    put(root, "birds/0-small.png", scene(3).resize((64, 64), Image.Resampling.LANCZOS))
    put(root, "birds/3.jpg", encode(scene(3), "JPEG", quality=60))
    assert found(root, skip=SIZES) == [
        ("birds/3.jpg", "near-duplicate", "drop"),
        ("birds/0-small.png", "near-duplicate", "drop"),
    ]
    reasons = {finding.reason for finding in run(root, skip=SIZES).findings}
    assert reasons == {"nearly the same picture as birds/3.png"}


def test_plain_skies_with_a_speck_at_different_places_are_no_duplicates(root: Path) -> None:
    sky = Image.linear_gradient("L").resize((96, 96)).convert("RGB").point(lambda v: 150 + v // 4)
    for i, place in enumerate([(10, 70), (60, 20), (75, 75)]):
        picture = Image.blend(sky, noise(96, 96, i), 0.02)
        picture.paste((10, 10, 10), (*place, place[0] + 14, place[1] + 10))
        put(root, f"birds/sky{i}.png", picture)
    assert found(root) == []


def test_near_is_what_shares_its_hash_and_its_thumbnail() -> None:
    index = NearIndex(1, distance=10, difference=0.25)
    picture, other = (np.asarray(scene(seed, 16)) for seed in (1, 2))
    index.add(0, picture)
    assert index.near(0, picture) == [0]
    assert index.near(2**10 - 1, picture) == [0]
    assert index.near(2**11 - 1, picture) == []
    assert index.near(0, other) == []
    assert index.near(0, (picture * 0.8).astype(np.uint8)) == [0]


def test_frames_do_not_fall_like_dominoes(root: Path) -> None:
    """A is near B and B near C, but A is not near C: dropping B must not drop C."""
    first, last = scene(200, 96), scene(201, 96)
    frames = [Image.blend(first, last, share) for share in np.linspace(0, 1, 40)]
    for i, frame in enumerate(frames):
        put(root, f"birds/frame{i:02}.png", frame)
    kept = [file for file in run(root).kept if "frame" in file]
    assert 2 < len(kept) < 20
    assert "birds/frame39.png" in kept or "birds/frame00.png" in kept


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_a_picture_in_two_classes_is_reported_on_both_sides(root: Path, action: str) -> None:
    put(root, "drones/bird.png", scene(3))
    put(root, "drones/small.png", scene(4).resize((64, 64), Image.Resampling.LANCZOS))
    cleaning = run(root, conflicts=action, skip=SIZES)
    assert {(f.file, f.rule, f.action) for f in cleaning.findings} == {
        (file, "label-conflict", action)
        for file in ("birds/3.png", "drones/bird.png", "birds/4.png", "drones/small.png")
    }
    assert len(cleaning.kept) == (26 if action == "keep" else 22)
    reasons = {finding.file: finding.reason for finding in cleaning.findings}
    assert reasons["drones/bird.png"] == "the same bytes as birds/3.png of class birds"
    assert reasons["birds/4.png"] == "nearly the same picture as drones/small.png of class drones"


def split_of(root: Path, **parts: str) -> Split:
    rows = read_folder(root).rows
    return Split(
        *(
            tuple(row for row in rows if parts.get(Path(row.file).stem, "train") == part)
            for part in ("train", "validation", "test")
        )
    )


def test_training_loses_the_copy_of_what_is_tested(root: Path) -> None:
    put(root, "birds/copy.png", scene(3))
    put(root, "birds/large.png", scene(4).resize((128, 128), Image.Resampling.LANCZOS))
    put(root, "birds/again.png", scene(5))
    split = split_of(root, copy="test", **{"4": "validation"})
    assert sorted(found(root, split, skip=SIZES)) == [
        ("birds/3.png", "leak", "drop"),
        ("birds/again.png", "exact-duplicate", "drop"),
        ("birds/large.png", "leak", "drop"),
    ]
    reasons = {finding.file: finding.reason for finding in run(root, split, skip=SIZES).findings}
    assert reasons["birds/3.png"] == "in train, the same bytes as birds/copy.png in test"


def test_a_small_cluster_far_from_the_rest_is_pruned(root: Path) -> None:
    for i in range(60):
        put(root, f"birds/more{i}.png", scene(300 + i, 96 + i % 9))
    put(root, "drones/wide.png", scene(50, 400).resize((400, 40)))
    off = frozenset({"file-size-cluster", "odd-size"})
    assert found(root, skip=off) == [("drones/wide.png", "side-cluster", "drop")]
    reason = run(root, skip=off).findings[0].reason
    assert reason.startswith("400 × 40 pixels, in a cluster of 1 (1.18%) around 400 × 40 pixels")
    assert found(root, skip=off, max_share=0.01) == []
    assert found(root, skip=off, min_mads=1000) == []


def test_a_file_size_far_from_the_rest_is_pruned(root: Path) -> None:
    for i in range(60):
        put(root, f"birds/more{i}.png", scene(300 + i))
    put(root, "drones/x.png", encode(scene(50), "PNG") + bytes(3_000_000))
    assert found(root) == [("drones/x.png", "file-size-cluster", "drop")]


def test_clusters_hold_every_image_once_and_equal_images_are_one_cluster() -> None:
    measures = np.random.default_rng(0).lognormal(3, 1, (200, 2))
    clusters = find_clusters(measures, 5, seed=0)
    assert sorted(i for cluster in clusters for i in cluster.members) == list(range(200))
    assert sum(cluster.share for cluster in clusters) == pytest.approx(1)
    (only,) = find_clusters(np.full((50, 2), 64.0), 5, seed=0)
    assert (only.centre, only.mads) == (pytest.approx((64, 64)), 0)
    assert outlying([only], 1.0, 0.1) == []


def test_one_odd_size_among_equal_ones_is_found_where_the_median_deviation_is_zero() -> None:
    sides = np.full((1000, 2), 64.0)
    sides[7] = 512
    (odd,) = outlying(find_clusters(sides, 8, seed=0), 0.02, 4)
    assert odd.members == (7,)


def test_processes_find_what_one_process_finds(root: Path) -> None:
    put(root, "birds/bad.png", b"no image")
    rows = list_files(root)
    one = examine_files(root, rows, workers=0)
    two = examine_files(root, rows, workers=2)
    assert [(e.file, e.rule, e.sha256, e.hash) for e in two] == [
        (e.file, e.rule, e.sha256, e.hash) for e in one
    ]


def test_a_file_that_disappears_during_the_run_is_reported(root: Path, tmp_path: Path) -> None:
    rows = [*list_files(root), LabelledImage("birds/gone.png", "birds")]
    cleaning = clean(root, rows, Rules(), workers=0)
    assert [(f.file, f.rule) for f in cleaning.findings] == [("birds/gone.png", "unreadable")]
    (root / "birds" / "7.png").unlink()
    late = keep(cleaning, tmp_path / "out")[-1]
    assert (late.file, late.label, late.rule) == ("birds/7.png", "birds", "unreadable")
    assert len(read_folder(tmp_path / "out").rows) == 23


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
def test_what_is_kept_is_linked_or_copied_and_the_rest_reported(
    root: Path, tmp_path: Path, copy: bool
) -> None:
    put(root, "鳥 と 空/ä b.png", scene(60))
    put(root, "birds/copy.png", scene(3))
    put(root, "birds/bad.png", b"")
    before = contents(root)
    cleaning = run(root)
    keep(cleaning, tmp_path / "a b" / "out", copy=copy)
    out = tmp_path / "a b" / "out"
    assert contents(root) == before
    kept = contents(out)
    kept.pop("report.csv")
    assert kept == {
        file: digest
        for file, digest in before.items()
        if file not in ("birds/copy.png", "birds/bad.png")
    }
    linked = (root / "birds/0.png").samefile(out / "birds/0.png")
    assert linked is not copy
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        report = list(csv.DictReader(file))
    assert [(row["file"], row["label"], row["rule"], row["action"]) for row in report] == [
        ("birds/bad.png", "birds", "empty", "drop"),
        ("birds/copy.png", "birds", "exact-duplicate", "drop"),
    ]


def test_where_links_are_impossible_files_are_copied(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    keep(run(root), tmp_path / "out")
    assert len(read_folder(tmp_path / "out").rows) == 24


def test_a_split_is_carried_over(root: Path, tmp_path: Path) -> None:
    put(root, "birds/copy.png", scene(3))
    split = split_of(root, copy="test", **{str(i): "validation" for i in range(3, 6)}, **{
        str(i): "test" for i in range(6, 9)
    })  # fmt: skip
    keep(run(root, split), tmp_path / "out", split)
    carried = read_split(tmp_path / "out" / "split.csv", tmp_path / "out")
    assert len(carried.validation) == len(split.validation) - 1
    assert carried.test == split.test


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_an_interrupted_run_leaves_nothing_that_looks_finished(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    cleaning = run(root)
    before = contents(root)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(keep_module, "_write_report", fail)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else TrainingError
    with pytest.raises(expected):
        keep(cleaning, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert contents(root) == before


def test_until_it_is_complete_it_has_another_name(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    link = os.link

    def watch(source: str, target: str) -> None:
        seen.append((tmp_path / "out").exists())
        link(source, target)

    monkeypatch.setattr(os, "link", watch)
    keep(run(root), tmp_path / "out")
    assert len(seen) == 24
    assert not any(seen)


def test_a_target_that_holds_something_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="out exists already"):
        verbs.clean(root, tmp_path / "out")
    assert contents(tmp_path / "out").keys() == {"mine.txt"}


@pytest.mark.parametrize("target", ["data", "data/clean", "."])
def test_a_target_in_the_data_is_refused(root: Path, tmp_path: Path, target: str) -> None:
    with pytest.raises(TrainingError, match=r"exists already|lie one in the other"):
        keep(run(root), tmp_path / target)
    assert len(contents(root)) == 24


def test_a_class_that_would_be_empty_is_named_with_the_rules(root: Path, tmp_path: Path) -> None:
    put(root, "lonely/1.png", scene(50).resize((20, 20)))
    with pytest.raises(TrainingError, match="all images of the class 'lonely': too-small 1"):
        keep(run(root), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_verb_writes_nothing_unless_told_where(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(root, "birds/copy.png", scene(3))
    verbs.clean(root)
    printed = capsys.readouterr()
    assert "exact-duplicate" in printed.out
    assert "the same bytes as" in printed.out
    assert "Nothing was written" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    write_split(split_of(root, **{"1": "validation", "2": "test"}), tmp_path / "s.csv")
    verbs.clean(root, tmp_path / "out", split=tmp_path / "s.csv")
    assert (tmp_path / "out" / "split.csv").is_file()


def test_an_unknown_rule_is_named(root: Path) -> None:
    with pytest.raises(TrainingError, match="no rule 'blury'. The rules are unreadable, empty"):
        verbs.clean(root, skip=["blury"])

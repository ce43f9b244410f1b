"""``prune`` removes old versions, and never one that is served."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model_loader import Metadata
from model_loader.store import info_of, sha256
from tests.support.command_line import mistake, run
from tests.unit.conftest import BUCKET
from training.errors import TrainingError
from training.published import pruning
from training.published.destination import LocalDestination, S3Destination, open_destination
from training.published.pruning import decide, remove_versions
from training.published.stored_versions import list_versions, roll_back

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NAMES = [f"2026010{day}-120000-abcdef0{day}" for day in range(1, 8)]
"""Seven versions, the oldest first; the last one is the current one."""


@pytest.fixture(params=["local", "s3"])
def address(request: pytest.FixtureRequest, version: Path, tmp_path: Path) -> str:
    """A model with seven small versions."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        store = f"s3://{BUCKET}/models/flying-objects"
    else:
        store = str(tmp_path / "a store" / "flying-objects")
    return fill(store, version)


@pytest.fixture
def local(version: Path, tmp_path: Path) -> str:
    """The same in a local store."""
    return fill(str(tmp_path / "a store" / "flying-objects"), version)


def fill(address: str, version: Path) -> str:
    destination = open_destination(address)
    metadata = Metadata.from_json((version / "model.json").read_bytes())
    for day, name in enumerate(NAMES, 1):
        path = version.parent / name
        path.write_bytes(name.encode() * 10)
        with path.open("rb") as file:
            files = {"model.pt": info_of(file)}
        created = f"2026-01-0{day}T12:00:00+00:00"
        document = replace(metadata, version=name, files=files, created=created).to_json()
        destination.put(f"versions/{name}/model.pt", path.read_bytes(), None)
        destination.put(f"versions/{name}/model.json", document, None)
    destination.put("current.json", f'{{"version": "{NAMES[-1]}"}}'.encode(), None)
    return address


def names(address: str) -> list[str]:
    return sorted(one.version for one in list_versions(address))


def keys(address: str) -> set[str]:
    return set(open_destination(address).list_files(""))


@pytest.mark.parametrize("keep", [1, 3, 6])
def test_the_newest_stay_and_nothing_is_left_of_the_others(address: str, keep: int) -> None:
    assert run("prune", address, "--keep", keep) == 0
    kept = NAMES[-keep:]
    assert names(address) == kept
    files = {f"versions/{name}/{file}" for name in kept for file in ("model.pt", "model.json")}
    assert keys(address) == {"current.json", *files}


def test_five_stay_unless_it_is_said_otherwise(address: str) -> None:
    assert run("prune", address) == 0
    assert names(address) == NAMES[-5:]


def test_the_current_version_stays_however_old_it_is(address: str) -> None:
    roll_back(address, NAMES[1])
    assert run("prune", address, "--keep", 2) == 0
    assert names(address) == [NAMES[1], *NAMES[-2:]]
    assert [one.version for one in list_versions(address) if one.is_current] == [NAMES[1]]


def test_what_a_stage_pins_stays_by_name_or_by_hash(address: str) -> None:
    document = open_destination(address).read(f"versions/{NAMES[2]}/model.json")
    assert document is not None
    pins = ("--pin", NAMES[0], "--pin", sha256(document.data))
    assert run("prune", address, "--keep", 1, *pins) == 0
    assert names(address) == [NAMES[0], NAMES[2], NAMES[-1]]


@pytest.mark.parametrize("pin", ["ghost", "0" * 64, ""])
def test_a_pin_that_is_no_version_is_refused_before_anything_is_removed(
    address: str, pin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_destination(address).put("versions/half/model.pt", b"half", None)
    before = keys(address)
    assert f"has no version {pin!r} to pin" in mistake(capsys, "prune", address, "--pin", pin)
    assert keys(address) == before


def test_a_dry_run_removes_nothing_and_ends_with_the_command_that_does(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keys(address)
    assert run("prune", address, "--keep", 2, "--pin", NAMES[0], "--dry-run") == 0
    assert keys(address) == before
    printed = capsys.readouterr()
    rows = {
        cells[0].strip(): cells[-1].strip()
        for line in printed.out.splitlines()
        if len(cells := line.strip("│").split("│")) == 4
    }
    assert rows == {
        **dict.fromkeys(NAMES[1:-2], "remove"),
        NAMES[0]: "keep: pinned",
        NAMES[-2]: "keep: newest 2",
        NAMES[-1]: "keep: current",
    }
    *_, said, last = printed.err.splitlines()
    size = sum(one.size for one in list_versions(address) if one.version in NAMES[1:-2])
    assert said == f"It would remove 4 of 7 versions, {size / 1e6:.1f} MB."
    words = shlex.split(last.removeprefix("Next: "))
    assert words[:3] == ["python", "-m", "training"]
    assert run(*words[3:]) == 0
    assert names(address) == [NAMES[0], *NAMES[-2:]]


def test_the_last_line_after_removing_lists_what_is_left(
    local: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # there is something to remove, then there is not
        assert run("prune", local) == 0
        last = capsys.readouterr().err.splitlines()[-1]
        assert last == f"Next: python -m training versions '{local}'"


def test_nothing_is_removed_while_no_version_is_current(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_destination(address).remove("current.json")
    before = keys(address)
    said = mistake(capsys, "prune", address, "--keep", 1)
    assert "has no current.json. Nothing is removed before one is the current one" in said
    assert keys(address) == before


def test_a_damaged_version_does_not_count_as_one_that_is_kept(address: str) -> None:
    open_destination(address).remove(f"versions/{NAMES[-2]}/model.pt")
    assert run("prune", address, "--keep", 2) == 0
    assert names(address) == NAMES[-3:]


def test_what_was_written_to_today_and_has_no_model_json_may_become_a_version(
    address: str,
) -> None:
    open_destination(address).put("versions/half/model.pt", b"half", None)
    assert run("prune", address, "--keep", 2) == 0
    assert names(address) == [*NAMES[-2:], "half"]


def test_what_an_interrupted_publication_left_goes_after_a_day(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_UNDER_WAY", 0)
    open_destination(address).put("versions/half/model.pt", b"half", None)
    assert run("prune", address, "--keep", 7) == 0
    assert names(address) == NAMES


@pytest.mark.parametrize("removed", [1, 2, 3])
def test_an_interrupted_removal_leaves_nothing_to_serve_by_halves_and_is_taken_up(
    address: str, removed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pruning, "_UNDER_WAY", 0)
    with pytest.MonkeyPatch.context() as patch:
        for kind in (LocalDestination, S3Destination):
            patch.setattr(kind, "remove", interrupting(kind.remove, removed))
        assert run("prune", address, "--keep", 5) == 130
    assert "Run the same command" in capsys.readouterr().err
    for one in list_versions(address):
        if one.problem:
            with pytest.raises(TrainingError, match="cannot be served"):
                roll_back(address, one.version)
    assert run("prune", address, "--keep", 5) == 0
    assert names(address) == NAMES[-5:]


def interrupting(remove: Any, times: int) -> Any:
    """Return a removal that is interrupted after some files."""
    calls: list[str] = []

    def interrupted(self: Any, key: str) -> Any:
        if len(calls) == times:
            raise KeyboardInterrupt
        calls.append(key)
        return remove(self, key)

    return interrupted


def test_versions_that_somebody_else_removes_meanwhile_are_no_error(address: str) -> None:
    old = [one.version for one in decide(address, 2) if not one.kept]
    assert remove_versions(address, old)
    assert remove_versions(address, old)
    assert names(address) == NAMES[-2:]


def test_a_version_that_goes_while_it_is_listed_is_no_error(
    local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LocalDestination.read

    def racing(self: LocalDestination, key: str) -> Any:
        shutil.rmtree(Path(local, "versions", NAMES[0]), ignore_errors=True)
        return read(self, key)

    monkeypatch.setattr(LocalDestination, "read", racing)
    assert run("prune", local, "--keep", 2) == 0
    assert names(local) == NAMES[-2:]


def test_a_version_that_is_rolled_back_to_meanwhile_stays(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = [one.version for one in decide(address, 2) if not one.kept]
    roll_back(address, NAMES[0])
    remove_versions(address, old)
    assert names(address) == [NAMES[0], *NAMES[-2:]]
    assert f"{NAMES[0]} has become the current one meanwhile" in capsys.readouterr().err


def test_a_bucket_that_keeps_old_versions_of_its_objects_frees_nothing_yet(
    s3: S3Client, version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    address = fill(f"s3://{BUCKET}/models/flying-objects", version)
    assert run("prune", address) == 0
    assert "The bucket keeps old versions of its objects" in capsys.readouterr().err
    assert names(address) == NAMES[-5:]

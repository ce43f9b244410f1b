"""Downloads are kept in a folder of this user's own, which processes share without harm."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from model_loader import ModelUnavailableError, load_model
from model_loader.s3 import S3Store
from model_loader.store import file_info
from tests.unit.conftest import BUCKET, cache_of
from training.published.publication import publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FETCH_AND_DELETE = """
import sys
from types import SimpleNamespace
import model_loader.cache
from model_loader.s3 import S3Store
from model_loader.store import FileInfo, file_info

full = SimpleNamespace(free=0)
model_loader.cache.shutil = SimpleNamespace(disk_usage=lambda _: full)
store = S3Store("s3://a-bucket/models/m")
infos = [(f"{i}.bin", FileInfo(sha256, int(size))) for i, (sha256, size) in
         enumerate(zip(sys.argv[2::2], sys.argv[3::2]))]
print("ready", flush=True)
sys.stdin.readline()
for turn in range(60):
    key, info = infos[(turn * int(sys.argv[1])) % len(infos)]
    with store.fetch(key, info) as path:
        assert file_info(path) == info
"""


def put(s3: S3Client, folder: Path, name: str, size: int) -> list[str]:
    """Store an object of the model; return its sha256 and size."""
    (folder / name).write_bytes(os.urandom(size))
    info = file_info(folder / name)
    s3.put_object(Bucket=BUCKET, Key=f"models/m/{name}", Body=(folder / name).read_bytes())
    return [info.sha256, str(info.size)]


def test_processes_that_fetch_and_make_room_at_once_take_nothing_from_each_other(
    s3: S3Client, tmp_path: Path
) -> None:
    infos = [text for i in range(3) for text in put(s3, tmp_path, f"{i}.bin", 100_000)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH_AND_DELETE, str(step), *infos],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for step in (1, 2, 4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    assert not list(cache_of(tmp_path).glob(".partial-*"))


def test_what_is_used_or_downloaded_stays_and_what_a_killed_process_left_goes(
    s3: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(2):
        put(s3, tmp_path, f"{i}.bin", 1000)
    first, second = (file_info(tmp_path / f"{i}.bin") for i in range(2))
    full = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=0))
    monkeypatch.setattr("model_loader.cache.shutil", full)
    one, other = (S3Store(f"s3://{BUCKET}/models/m") for _ in range(2))
    with one.fetch("0.bin", first) as used:
        (used.parent / ".partial-left").write_bytes(b"half")
        with (used.parent / ".partial-now").open("wb") as downloaded:
            fcntl.flock(downloaded, fcntl.LOCK_SH)
            with other.fetch("1.bin", second) as path:
                assert {found.name for found in path.parent.iterdir()} == {
                    used.name,
                    path.name,
                    ".partial-now",
                }
    with one.fetch("1.bin", second) as path:
        assert file_info(path) == second


def test_the_folder_is_this_users_alone(s3: S3Client, version: Path, tmp_path: Path) -> None:
    load_model(publish(version, f"s3://{BUCKET}/models"))
    assert cache_of(tmp_path).stat().st_mode & 0o777 == 0o700


def test_users_of_one_machine_have_a_folder_each(
    s3: S3Client, version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = publish(version, f"s3://{BUCKET}/models")
    load_model(uri)
    before = cache_of(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: before.stat().st_uid + 1)
    with pytest.raises(ModelUnavailableError, match="not this user's own"):
        load_model(uri)  # its own folder is asked for; what this process makes has its real owner
    assert cache_of(tmp_path) != before
    assert cache_of(tmp_path).is_dir()


@pytest.mark.parametrize("trap", ["link", "dangling link", "group", "world", "file"])
def test_a_folder_that_others_could_have_filled_is_not_used(
    s3: S3Client, version: Path, tmp_path: Path, trap: str
) -> None:
    uri = publish(version, f"s3://{BUCKET}/models")
    folder, elsewhere = cache_of(tmp_path), tmp_path / "elsewhere"
    if trap == "file":
        folder.write_bytes(b"")
    elif "link" in trap:
        folder.symlink_to(elsewhere)
        if trap == "link":
            elsewhere.mkdir()
    else:
        folder.mkdir()
        folder.chmod(0o770 if trap == "group" else 0o707)
    with pytest.raises(ModelUnavailableError, match=f"{folder}.*TMPDIR"):
        load_model(uri)
    assert not elsewhere.exists() or not list(elsewhere.iterdir())


def test_a_folder_that_cannot_be_made_is_named(
    s3: S3Client, version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = publish(version, f"s3://{BUCKET}/models")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(ModelUnavailableError, match=r"cannot be kept in .*gone.*TMPDIR"):
        load_model(uri)

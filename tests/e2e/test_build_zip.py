"""The builder of the Lambda zip."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy import build_zip
from tests.e2e.install_tools import ROOT

pytestmark = pytest.mark.e2e


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The files of a small package."""
    (tmp_path / "package" / "b").mkdir(parents=True)
    paths = [tmp_path / "package" / "a.py", tmp_path / "package" / "b" / "c.so"]
    for path in paths:
        path.write_text(path.name)
    return paths


def test_equal_files_make_equal_zips_whatever_their_times_and_modes(
    files: list[Path], tmp_path: Path
) -> None:
    package, archive = tmp_path / "package", tmp_path / "package.zip"
    build_zip.write_zip(package, files, archive)
    first = archive.read_bytes()
    for file in files:
        file.chmod(0o600)
        file.touch()
    build_zip.write_zip(package, files, archive)
    assert archive.read_bytes() == first
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.namelist() == ["a.py", "b/c.so"]
        assert {entry.external_attr >> 16 for entry in zipped.infolist()} == {0o100644}


def test_a_package_that_lambda_would_not_unpack_is_refused_with_a_way_out(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_zip, "UNZIPPED_LIMIT_BYTES", 7)
    with pytest.raises(build_zip.BuildError, match=r"Lambda takes 250 MB.*engine=torchscript"):
        build_zip.check_size(files)


def test_a_target_without_wheels_is_an_error_of_one_line_and_leaves_nothing() -> None:
    command = [sys.executable, "deploy/build_zip.py", "--runtime", "python3.5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith("No wheel of ")
    assert "for python3.5 on x86_64" in done.stderr
    assert not (ROOT / ".build" / "python3.5-x86_64").exists()


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_wheels_are_asked_for_the_target_never_for_this_machine(
    architecture: str, tmp_path: Path
) -> None:
    command = build_zip.pip_command("python3.13", architecture, tmp_path)
    platforms = [
        after for flag, after in zip(command, command[1:], strict=False) if flag == "--platform"
    ]
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    assert f"manylinux_2_28_{machine}" in platforms
    assert all(platform.endswith(machine) for platform in platforms)
    assert "--only-binary=:all:" in command
    assert command[command.index("--python-version") + 1] == "3.13"

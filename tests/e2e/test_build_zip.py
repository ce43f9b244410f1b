"""The builder of the Lambda zip."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from deploy import build_zip
from deploy.ballast import Ballast, drop_ballast
from deploy.bytecode import compile_sources, find_interpreter
from deploy.errors import BuildError
from tools.local_aws.install import ROOT, RUNTIME, lambda_architecture

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


def test_a_package_that_has_not_changed_is_not_zipped_again(package: Path) -> None:
    archive = package.parent / "package.zip"
    before = archive.stat().st_mtime_ns
    assert build_zip.build_zip(RUNTIME, str(lambda_architecture())) == archive
    assert archive.stat().st_mtime_ns == before


def test_a_package_that_lambda_would_not_unpack_is_refused_with_a_way_out(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_zip, "UNZIPPED_LIMIT_BYTES", 7)
    with pytest.raises(BuildError, match=r"Lambda takes 250 MB.*engine=torchscript"):
        build_zip.check_size(files)


def test_a_target_without_wheels_is_an_error_of_one_line_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["build_zip", "--runtime", "python3.5"])
    monkeypatch.setattr(build_zip, "find_interpreter", lambda runtime: sys.executable)
    assert build_zip.main() == 1
    error = capsys.readouterr().err
    assert error.splitlines()[0].startswith("No wheel of ")
    assert "for python3.5 on x86_64" in error
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


def test_a_runtime_whose_interpreter_is_not_here_is_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python3.99"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(
        BuildError, match=r"no python3\.99 .*uv python install 3\.99.*or set provider"
    ):
        find_interpreter("python3.99")


def test_bytecode_does_not_hang_on_the_folder_or_the_time_of_the_build(tmp_path: Path) -> None:
    compiled = []
    for name, modified in (("first", 1), ("the-second", 2_000_000_000)):
        package = tmp_path / name
        shutil.copytree(ROOT / "model_loader", package / "model_loader")
        for source in package.rglob("*.py"):
            os.utime(source, (modified, modified))
        compile_sources(sys.executable, package, [package])
        compiled.append({file.name: file.read_bytes() for file in package.rglob("*.pyc")})
    assert compiled[0] == compiled[1]
    assert all(b"/var/task/model_loader" in code for code in compiled[0].values())


def test_a_source_that_is_no_python_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("def\n")
    with pytest.raises(BuildError, match=r"cannot be compiled[\s\S]*wrong\.py"):
        compile_sources(sys.executable, tmp_path, [tmp_path])


def test_ballast_goes_and_what_is_kept_stays(tmp_path: Path) -> None:
    for name in ("data/s3/model.json", "data/ec2/model.json", "data/endpoints.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    drop_ballast(tmp_path, (Ballast("not called", ("data/*/",), keep=("s3",)),))
    assert sorted(path.name for path in tmp_path.glob("data/*")) == ["endpoints.json", "s3"]


def test_ballast_that_is_not_there_any_more_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"deploy/ballast\.py: 'gone\*' matches nothing"):
        drop_ballast(tmp_path, (Ballast("no longer shipped", ("gone*",)),))

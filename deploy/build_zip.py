"""Build the Lambda zip of the ONNX flavour, without Docker.

    python -m deploy.build_zip --runtime python3.13 --architecture x86_64

pip resolves wheels for the *target* (never for this machine) into
`.build/<runtime>-<architecture>/package/`, what the function never opens is taken out, the
project's own files join, all is compiled, and `package.zip` beside that folder holds the same
files: equal input gives equal bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from deploy.ballast import drop_ballast
from deploy.bytecode import compile_sources, find_interpreter
from deploy.errors import BuildError

DEFAULT_RUNTIME = "python3.13"
"""``provider.runtime`` of serverless.yml."""

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("constraints.txt", "requirements.txt", "requirements-onnx.txt")
TREATMENT = ("deploy/ballast.py", "deploy/bytecode.py")
"""The code that treats the installed dependencies; the package depends on it as on requirements."""
SOURCES = ("handler.py", "service", "model_loader")
UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024
"""Lambda's limit on the unzipped size of a function and its layers."""

WHEEL_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
GLIBC_MINORS = (28, 27, 24, 17)
"""N of the manylinux_2_N tags of the wheels; all load on Amazon Linux 2023 (glibc 2.34)."""

MISSING_WHEEL = re.compile(r"(?:No matching distribution found for|Cannot install) (\S+)")
"""Messages of pip about a requirement, pinned or not, that has no wheel for the target."""

EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def pip_command(runtime: str, architecture: str, target: Path) -> list[str]:
    """Return the pip command that installs the wheels of a target into a folder."""
    machine = WHEEL_MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-compile", "--target", str(target), "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", runtime.removeprefix("python")]
    for platform in [*platforms, f"manylinux2014_{machine}"]:
        command += ["--platform", platform]
    return [*command, "-r", str(ROOT / "requirements-onnx.txt")]


def install_dependencies(runtime: str, architecture: str, build: Path, python: str) -> None:
    """Fill `build/package` with what the function needs of its dependencies, and its bytecode.

    What the last build left is taken where it still fits.

    Raises:
        BuildError: pip found no wheel of a requirement for this target or failed otherwise, or
            what it installed is not what deploy/ballast.py says.
    """
    package, stamp = build / "package", build / "dependencies.sha256"
    command = pip_command(runtime, architecture, package)
    fingerprint = hashlib.sha256(repr(command).encode())
    for name in (*REQUIREMENTS, *TREATMENT):
        fingerprint.update((ROOT / name).read_bytes())
    if stamp.exists() and stamp.read_text() == fingerprint.hexdigest():
        return
    shutil.rmtree(build, ignore_errors=True)
    package.mkdir(parents=True)
    print(f"Installing the dependencies for {runtime} on {architecture} …", flush=True)
    pip = subprocess.run(command, capture_output=True, text=True)
    if pip.returncode:
        shutil.rmtree(build)
        missing = MISSING_WHEEL.search(pip.stderr)
        if missing:
            target = f"{runtime} on {architecture}"
            raise BuildError(f"No wheel of {missing[1]} for {target}: choose another version.")
        raise BuildError(f"pip failed: {(pip.stderr.strip() or 'without a word').splitlines()[-1]}")
    drop_ballast(package)
    compile_sources(python, package, [package])
    stamp.write_text(fingerprint.hexdigest())


def copy_sources(package: Path, python: str) -> None:
    """Put the project's own files into the package, compiled, in place of the last build's."""
    for name in SOURCES:
        source, destination = ROOT / name, package / name
        if source.is_dir():
            shutil.rmtree(destination, ignore_errors=True)
            shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, destination)
    compile_sources(python, package, [package / name for name in SOURCES])


def check_size(files: list[Path]) -> None:
    """Raise a BuildError where the files exceed Lambda's limit."""
    size = sum(file.stat().st_size for file in files)
    if size > UNZIPPED_LIMIT_BYTES:
        raise BuildError(
            f"The package unpacks to {size / 2**20:.0f} MB; Lambda takes 250 MB. "
            "Remove a requirement, or deploy the image: --param engine=torchscript."
        )


def write_zip(package: Path, files: list[Path], archive: Path) -> None:
    """Write the files, world-readable and without their times, under a temporary name first."""
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as out:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(package).as_posix(), EARLIEST_ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            out.writestr(entry, file.read_bytes())
    partial.replace(archive)


def build_zip(runtime: str, architecture: str) -> Path:
    """Build the package of a target and return the path of its zip.

    The zip of the last build is kept where nothing has changed: compressing takes the longest.

    Raises:
        BuildError: a wheel or the runtime's interpreter is missing, or the package is too large
            for Lambda.
    """
    build = ROOT / ".build" / f"{runtime}-{architecture}"
    package, archive = build / "package", build / "package.zip"
    python = find_interpreter(runtime)
    install_dependencies(runtime, architecture, build, python)
    copy_sources(package, python)
    files = sorted(file for file in package.rglob("*") if file.is_file())
    check_size(files)
    content, stamp = fingerprint_of(package, files), build / "package.sha256"
    if not (archive.exists() and stamp.exists() and stamp.read_text() == stamped(content, archive)):
        write_zip(package, files, archive)
        stamp.write_text(stamped(content, archive))
    return archive


def stamped(content: str, archive: Path) -> str:
    """Return what tells that a zip is that of a content, and no other build's."""
    return f"{content} {archive.stat().st_mtime_ns}"


def fingerprint_of(package: Path, files: list[Path]) -> str:
    """Return a hash of the names and the contents of files."""
    digest = hashlib.sha256()
    for file in files:
        name, content = file.relative_to(package).as_posix(), file.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def main() -> int:
    """Build the zip that the command line asks for; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for a terminal without UTF-8
    parser = argparse.ArgumentParser(description="Build the Lambda zip of the ONNX flavour.")
    parser.add_argument(
        "--runtime", default=DEFAULT_RUNTIME, help="python3.X (default: %(default)s)"
    )
    parser.add_argument("--architecture", default="x86_64", choices=WHEEL_MACHINES)
    args = parser.parse_args()
    if not re.fullmatch(r"python3\.\d+", args.runtime):
        parser.error(f"--runtime {args.runtime}: must be python3.X, for example python3.13")
    try:
        archive = build_zip(args.runtime, args.architecture)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{archive.relative_to(ROOT)}: {archive.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What is in the zip of the onnx flavour, and what is not, on either architecture."""

from __future__ import annotations

import email
import io
import json
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from tools.local_aws.install import PYTHON

pytestmark = pytest.mark.e2e

LIMIT_ZIPPED_BYTES = 60_000_000
LIMIT_UNZIPPED_BYTES = 180_000_000

ELF_MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
SYSTEM_LIBRARIES = {
    *("libc", "libm", "libdl", "librt", "libpthread", "libstdc++", "libgcc_s", "libz"),
    *("ld-linux-x86-64", "ld-linux-aarch64"),
}
"""What every manylinux wheel finds on the system it is installed on."""

CHECK_BYTECODE = """
import json, sys, zipfile
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash

UNCHECKED = (1).to_bytes(4, "little")  # PEP 552: by the source's hash, which nobody compares

with zipfile.ZipFile(sys.argv[1]) as archive:
    names = set(archive.namelist())
    sources = {cache_from_source(name): name for name in names if name.endswith(".py")}
    missing = sources.keys() - names
    strangers = {name for name in names if name.endswith(".pyc")} - sources.keys()
    wrong = {
        compiled
        for compiled in sources.keys() - missing
        if archive.read(compiled)[:16]
        != MAGIC_NUMBER + UNCHECKED + source_hash(archive.read(sources[compiled]))
    }
print(json.dumps({"missing": [*missing], "without source": [*strangers], "wrong": [*wrong]}))
"""


def paths(archive: zipfile.ZipFile) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in archive.namelist()]


def libraries(archive: zipfile.ZipFile) -> dict[str, ELFFile]:
    """Return every shared object of the package, by its path."""
    return {
        str(path): ELFFile(io.BytesIO(archive.read(str(path))))
        for path in paths(archive)
        if ".so" in path.suffixes
    }


def test_it_is_small_with_its_bytecode(archive: zipfile.ZipFile) -> None:
    assert Path(str(archive.filename)).stat().st_size <= LIMIT_ZIPPED_BYTES
    assert sum(entry.file_size for entry in archive.infolist()) <= LIMIT_UNZIPPED_BYTES


def test_every_source_has_the_bytecode_that_the_runtime_takes_without_looking_at_it(
    archive: zipfile.ZipFile,
) -> None:
    # Asked of the runtime's own Python: the head of bytecode is particular to its version.
    command = [PYTHON, "-I", "-c", CHECK_BYTECODE, str(archive.filename)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"missing": [], "without source": [], "wrong": []}


def test_it_holds_the_handler_and_what_the_handler_imports_of_the_project(
    archive: zipfile.ZipFile,
) -> None:
    names = {"handler.py", "service/page.html", "model_loader/__init__.py", "werkzeug/__init__.py"}
    assert names <= set(archive.namelist())


def test_it_holds_no_tests_and_nothing_of_training(archive: zipfile.ZipFile) -> None:
    folders = {"tests", "test", "testing", "testdata", "examples"}
    folders |= {"training", "samples", "benchmarks"}
    unwanted = [
        str(path)
        for path in paths(archive)
        if folders & set(path.parts[:-1]) or path.name.startswith(("test_", "conftest"))
    ]
    assert unwanted == []


def test_every_library_is_for_the_architecture(archive: zipfile.ZipFile, architecture: str) -> None:
    machines = {name: elf["e_machine"] for name, elf in libraries(archive).items()}
    assert machines
    assert set(machines.values()) == {ELF_MACHINES[architecture]}, machines


def test_every_library_finds_the_libraries_that_it_was_linked_with(
    archive: zipfile.ZipFile,
) -> None:
    elves = libraries(archive)
    present = {PurePosixPath(name).name for name in elves}
    lacking = {
        (name, needed)
        for name, elf in elves.items()
        for section in elf.iter_sections()
        if isinstance(section, DynamicSection)
        for tag in section.iter_tags("DT_NEEDED")
        if (needed := tag.needed) not in present  # type: ignore[attr-defined]
        and needed.partition(".so")[0] not in SYSTEM_LIBRARIES
    }
    assert lacking == set()


def test_every_distribution_keeps_its_licences(archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())
    metadata = [name for name in names if name.endswith(".dist-info/METADATA")]
    assert metadata
    for name in metadata:
        folder = name.removesuffix("/METADATA")
        for licence in email.message_from_bytes(archive.read(name)).get_all("License-File", []):
            assert {f"{folder}/{licence}", f"{folder}/licenses/{licence}"} & names, licence
    assert {"onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"} <= names

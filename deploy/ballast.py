"""Files of the dependencies that the deployed function never opens, and why they may go.

Every pattern must match something, on each architecture: where a new version of a dependency no
longer brings a file, the build says which line to fix. Licences are never ballast. A file that is
taken out and yet needed fails the tests that run the package (tests/e2e/test_package.py).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import BuildError


@dataclass(frozen=True)
class Ballast:
    """Files and folders that can go, for one reason.

    Attributes:
        reason: Why the function does not need them.
        patterns: Globs from the package's root; one that ends in '/' matches folders only.
        sometimes: The same for what only the wheels of some Python versions bring.
        keep: Names that stay although a pattern matches them.
    """

    reason: str
    patterns: tuple[str, ...]
    sometimes: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    def find(self, package: Path) -> list[Path]:
        """Return the files and folders that can go.

        Raises:
            BuildError: A pattern matches nothing.
        """
        found = []
        for pattern in (*self.patterns, *self.sometimes):
            matches = [path for path in package.glob(pattern) if path.name not in self.keep]
            if not matches and pattern in self.patterns:
                raise BuildError(
                    f"deploy/ballast.py: {pattern!r} matches nothing. A dependency has changed: "
                    "correct this line, or take it out."
                )
            found += matches
        return found


BALLAST = (
    Ballast(
        "a second copy of ONNX Runtime, for programs in C: the Python module has its own inside",
        ("onnxruntime/capi/libonnxruntime.so.*",),
    ),
    Ballast(
        "they prepare models; running one needs none of them",
        (
            "onnxruntime/backend",
            "onnxruntime/datasets",
            "onnxruntime/quantization",
            "onnxruntime/tools",
            "onnxruntime/transformers",
        ),
    ),
    Ballast(
        "only what prepares models imports them",
        (
            "flatbuffers",
            "flatbuffers-*.dist-info",
            "google/_upb",
            "google/protobuf",
            "packaging",
            "packaging-*.dist-info",
            "protobuf-*.dist-info",
        ),
    ),
    Ballast(
        "descriptions of services that the function does not call; sts is for web identities",
        ("botocore/data/*/",),
        keep=("s3", "sts"),
    ),
    Ballast("for boto3.resource(); the function has clients", ("boto3/data/*/", "boto3/examples")),
    Ballast(
        "NumPy's tests, and what only they import",
        (
            "numpy/**/tests",
            "numpy/_core/_*_tests.*.so",
            "numpy/_core/_simd.*.so",
            "numpy/_pyinstaller",
            "numpy/conftest.py",
            "numpy/ma/testutils.py",
            "numpy/testing",
        ),
    ),
    Ballast(
        "for building extensions against NumPy",
        (
            "numpy/**/*.a",
            "numpy/**/*.pxd",
            "numpy/_core/include",
            "numpy/f2py",
            "numpy/random/_examples",
        ),
        sometimes=("numpy/distutils",),
    ),
    Ballast("type stubs", ("**/*.pyi",)),
    Ballast(
        "AVIF is none of the formats that model_loader takes",
        ("PIL/_avif.*.so", "pillow.libs/libavif-*"),
    ),
    Ballast(
        "nothing is written onto images, nor shown in a window",
        (
            "PIL/_imagingft.*.so",
            "PIL/_imagingtk.*.so",
            "pillow.libs/libbrotlicommon-*",
            "pillow.libs/libbrotlidec-*",
            "pillow.libs/libfreetype-*",
            "pillow.libs/libharfbuzz-*",
            "pillow.libs/libpng16-*",
        ),
    ),
    Ballast("command-line programs", ("bin",)),
    Ballast(
        "pip's notes for uninstalling, untrue once the above is gone",
        ("*.dist-info/INSTALLER", "*.dist-info/RECORD", "*.dist-info/REQUESTED"),
    ),
)


def drop_ballast(package: Path, ballast: tuple[Ballast, ...] = BALLAST) -> None:
    """Delete what the function never opens.

    Raises:
        BuildError: A pattern matches nothing.
    """
    for entry in ballast:
        for path in entry.find(package):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

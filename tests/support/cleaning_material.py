"""Pictures that are clean, and folders of them, for the tests of cleaning."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image

from tests.support.images import encode, noise
from training.cleaning.apply_rules import Cleaning, clean, list_files, parts_of
from training.cleaning.rules import Rules
from training.data.split import Split
from training.data.table import read_folder

BLURRED = noise(3, 3).resize((96, 96), Image.Resampling.BICUBIC)
SIZES = frozenset({"odd-size"})


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


def run(root: Path, split: Split | None = None, **rules: object) -> Cleaning:
    parts = None if split is None else parts_of(split)
    made = Rules(**rules)  # type: ignore[arg-type]
    return clean(root, list_files(root).rows, made, parts, threads=1)


def found(root: Path, split: Split | None = None, **rules: object) -> list[tuple[str, str, str]]:
    findings = run(root, split, **rules).findings
    return [(finding.file, finding.rule, finding.action) for finding in findings]


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def split_of(root: Path, **parts: str) -> Split:
    rows = read_folder(root).rows
    return Split(
        *(
            tuple(row for row in rows if parts.get(Path(row.file).stem, "train") == part)
            for part in ("train", "validation", "test")
        )
    )

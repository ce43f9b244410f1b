"""Names that people give to files and classes, each of which broke something once."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.images import encode, noise

NOT_UTF8 = os.fsdecode(b"caf\xe9.png")
FILES = (
    NOT_UTF8,
    "\x1b[31mred\x1b]0;title\x07.png",
    "line\nbreak\r\t.png",
    "[raw][bold].png",
    "n" * 246 + ".png",
    "=2+3.png",
    "-x.png",
    "@a.png",
    "+b.png",
    "\N{BIRD} \N{CJK UNIFIED IDEOGRAPH-9CE5} \N{LATIN SMALL LETTER O WITH DIAERESIS}.png",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe.png",
    " space ,\"q\"; 'a' $x$ :cat:.png",
)
CLASSES = (
    "[bold]x[y]",
    "=1+1|cmd",
    "Möwe \N{BIRD} שלום",
    'a,"b";c\'d $e$ :cat:',
    "_" + "c" * 249,
)
DAMAGED = f"{CLASSES[0]}/{os.fsdecode(b'damaged' + bytes([0xFF]))}.png"
"""One image that cannot be used."""


def put_odd_images(root: Path) -> None:
    """Write one small image for each class and name, and the damaged one."""
    for number, (label, file) in enumerate((c, f) for c in CLASSES for f in FILES):
        path = root / label / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(noise(40, 36, number), "PNG"))
    (root / DAMAGED).write_bytes(b"junk")

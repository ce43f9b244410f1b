"""Images that tests draw themselves."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from model_loader import EncodedImage

GIF_BOMB = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0" + struct.pack("<HH", 60_000, 60_000) + b"\0\2\0;"
WEBP_BOMB = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + 2 * b"\xff\x3f\0"
"""A few bytes whose headers promise 3,600 and 268 million pixels."""


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    """Return an image as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decode_image(data: bytes) -> Image.Image:
    """Decode every pixel of an image file."""
    return EncodedImage.read(data).decode()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return an RGB picture in which every pixel differs from its neighbours."""
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def halves() -> Image.Image:
    """Return a 40 × 20 RGB picture: its left half red, its right half blue."""
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 0, 255), (20, 0, 40, 20))
    return image


def png_that_claims(width: int, height: int) -> bytes:
    """Return a tiny PNG file whose header promises that many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)

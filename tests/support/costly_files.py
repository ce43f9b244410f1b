"""Small files that are made to be slow or large to decode, as an attacker would make them.

Each format has parts of its own that a file may repeat: segments, chunks, blocks, strips, tiles,
scans, directories. A maker takes the number of bytes that it may use.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

from PIL import Image

from tests.support.images import encode, halves, noise

REQUEST = 4_400_000
"""Bytes of a file that fills a request."""

SIDE = 7071
"""Pixels of a side of a square of just less than 50 megapixels."""

Maker = Callable[[int], bytes]


def repeated(part: bytes, size: int) -> bytes:
    """Return a part again and again, up to a size in bytes."""
    return part * (size // len(part))


# JPEG


def jpeg_with(segments: Callable[[int], bytes]) -> Maker:
    """Return a maker of JPEGs with segments in front of their pixels."""

    def make(size: int) -> bytes:
        whole = encode(noise(64, 48), "JPEG")
        return whole[:2] + segments(size - len(whole)) + whole[2:]

    return make


def segment(kind: int, body: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return bytes((0xFF, kind)) + (len(body) + 2).to_bytes(2) + body


def jpeg_of_scans(mode: str, scans: int, **options: object) -> bytes:
    """Return a JPEG of 50 megapixels that is coded in so many passes."""
    data = encode(Image.new(mode, (SIDE, SIDE)), "JPEG", progressive=True, **options)
    last = data.rindex(b"\xff\xda")
    more = scans - data.count(b"\xff\xda")
    return data[:-2] + data[last:-2] * more + data[-2:]


# PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, depth: int, colour: int, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """Return a black PNG of any kind, every row coded by the slowest filter."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    packer = zlib.compressobj(6)
    packed = []
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        row = bytes((4, *bytes((columns * samples * depth + 7) // 8))) if columns > 0 else b""
        packed += [packer.compress(row) for _ in range(rows)]
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", b"".join(packed))
        + chunk(b"IEND", b"")
    )


def png_with(chunks: Callable[[int], bytes]) -> Maker:
    """Return a maker of PNGs with chunks in front of their pixels."""

    def make(size: int) -> bytes:
        whole = encode(halves(), "PNG")
        at = whole.index(b"IDAT") - 4
        return whole[:at] + chunks(size - len(whole)) + whole[at:]

    return make


def png_of_tiny_pixels(size: int) -> bytes:
    """Return a PNG whose pixels come in chunks of one byte."""
    side = 512
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = bytes((side + 1) * side)
    packed = zlib.compress(rows, 0)[: size // 13]
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header),
            *(chunk(b"IDAT", packed[at : at + 1]) for at in range(len(packed))),
            chunk(b"IEND", b""),
        ]
    )


PALETTE = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256))


# GIF, WebP, BMP


def gif_with(blocks: Callable[[int], bytes]) -> Maker:
    """Return a maker of GIFs with blocks in front of their frame."""

    def make(size: int) -> bytes:
        whole = encode(halves(), "GIF")
        at = 13 + 3 * 2 ** ((whole[10] & 7) + 1)
        return whole[:at] + blocks(size - len(whole)) + whole[at:]

    return make


def webp_with(chunks: Callable[[int], bytes]) -> Maker:
    """Return a maker of WebPs with chunks behind their pixels."""

    def make(size: int) -> bytes:
        whole = encode(halves(), "WEBP", exif=b"Exif\0\0MM\0*")
        body = whole[12:] + chunks(size - len(whole))
        return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body

    return make


def bmp(
    width: int, height: int, bits: int, compression: int, body: bytes, colors: int = 0
) -> bytes:
    """Return a BMP with a black palette of 256 colours."""
    palette = bytes(1024) if bits <= 8 else b""
    offset = 54 + len(palette)
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, colors or 256, 0
    )
    return struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset) + header + palette + body


# TIFF

LONG, SHORT = 4, 3
XZ, DEFLATE = 34925, 8


def tiff(tags: Mapping[int, tuple[int, Sequence[int]]], pixels: bytes) -> bytes:
    """Return a little-endian TIFF: pixels from position 8 on, then values, then the directory."""
    body = bytearray(pixels)
    entries = []
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'L'}", *values)
        if len(packed) > 4:
            field = struct.pack("<L", 8 + len(body))
            body += packed
        else:
            field = packed.ljust(4, b"\0")
        entries.append(struct.pack("<HHL", tag, kind, len(values)) + field)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<L", 8 + len(body)) + bytes(body) + directory


Tags = Mapping[int, tuple[int, Sequence[int]]]


def tiff_of(
    width: int,
    height: int,
    pixels: bytes,
    tags: Tags,
    *,
    compression: int = 1,
    bits: Sequence[int] = (8,),
    photometric: int = 1,
) -> bytes:
    """Return a TIFF with the usual tags and others, such as those of its strips."""
    usual: Tags = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, bits),
        259: (SHORT, [compression]),
        262: (SHORT, [photometric]),
        277: (SHORT, [len(bits)]),
    }
    return tiff({**usual, **tags}, pixels)


def strips(count: int, rows: int, length: int) -> Tags:
    """Return the tags of so many strips that all lie in one place."""
    return {273: (LONG, [8] * count), 278: (LONG, [rows]), 279: (LONG, [length] * count)}


def tiled(side: int, length: int) -> Tags:
    """Return the tags of one tile."""
    return {322: (LONG, [side]), 323: (LONG, [side]), 324: (LONG, [8]), 325: (LONG, [length])}


def xz(size: int) -> bytes:
    """Return zeros, packed with the slowest checksum."""
    packer = lzma.LZMACompressor(check=lzma.CHECK_SHA256, preset=0)
    zeros = bytes(1 << 20)
    packed = [packer.compress(zeros) for _ in range(size >> 20)]
    return b"".join([*packed, packer.compress(bytes(size & 0xFFFFF)), packer.flush()])


def tiff_of_one_tile(side: int, compression: int = XZ, bits: Sequence[int] = (8,)) -> bytes:
    """Return a TIFF of 64 × 64 pixels in one tile that is far larger."""
    packed = pack(side * side * sum(bits) // 8, compression)
    tags = tiled(side, len(packed))
    return tiff_of(64, 64, packed, tags, compression=compression, bits=bits)


def tiff_of_rows(width: int, compression: int, row: bytes) -> Maker:
    """Return a maker of TIFFs with a strip for each row; all have the same bytes."""

    def make(size: int) -> bytes:
        rows = (size - 1000) // 8
        return tiff_of(width, rows, row, strips(rows, 1, len(row)), compression=compression)

    return make


def tiff_of_too_many_strips(size: int) -> bytes:
    """Return a TIFF of 1-bit pixels whose strips go over the same rows again and again."""
    side = 5000
    pixels = bytes(side // 8 * side)
    count = (size - len(pixels)) // 8
    return tiff_of(side, side, pixels, strips(count, side - 1, len(pixels)), bits=(1,))


def tiff_of_zeros(compression: int, width: int, height: int, bits: Sequence[int]) -> bytes:
    """Return a TIFF of four samples in one strip."""
    packed = pack(width * height * sum(bits) // 8, compression)
    tags = {**strips(1, height, len(packed)), 338: (SHORT, [2])}
    return tiff_of(width, height, packed, tags, compression=compression, bits=bits, photometric=2)


def pack(size: int, compression: int) -> bytes:
    """Return zeros, packed as a TIFF's compression has it."""
    return xz(size) if compression == XZ else zlib.compress(bytes(size))


def tiff_of_tags(size: int) -> bytes:
    """Return a TIFF whose directory has 65,535 tags, each with the whole file as its value."""
    first = encode(halves(), "TIFF")
    count = 65_535
    entries = b"".join(struct.pack("<HHLL", tag, 1, size - 1, 0) for tag in range(1, count + 1))
    body = first[8:] + bytes(size - len(first) - len(entries) - 6)
    start = 8 + len(body)
    return (
        b"II*\0" + struct.pack("<L", start) + body + struct.pack("<H", count) + entries + bytes(4)
    )

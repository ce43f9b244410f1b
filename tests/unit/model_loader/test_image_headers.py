"""Whatever bytes come as an image, they become one, or an error of ours."""

from __future__ import annotations

import struct
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_loader import EncodedImage, InputError
from model_loader.image.essentials import Essentials, open_pieces
from model_loader.image.formats import FORMATS
from tests.support.costly_files import chunk, segment
from tests.support.images import encode, noise

pytestmark = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore::UserWarning:PIL")]

_OPTIONS: dict[str, list[dict[str, object]]] = {
    "JPEG": [{}, {"progressive": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}],
    "PNG": [{}, {"icc_profile": bytes(50)}],
    "WEBP": [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}],
    "GIF": [{}, {"comment": b"a comment", "transparency": 0}],
    "BMP": [{}],
    "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"big_tiff": True}],
}
WHOLE = [encode(noise(24, 20), name, **how) for name in FORMATS for how in _OPTIONS[name]]

numbers = st.sampled_from([0, 1, 2, 7, 255, 256, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
pieces = st.one_of(
    st.binary(max_size=40),
    st.builds(segment, st.integers(0, 255), st.binary(max_size=20)),
    st.builds(chunk, st.sampled_from([b"IDAT", b"eXIf", b"zTXt", b"IHDR"]), st.binary(max_size=20)),
    st.builds(lambda number: struct.pack("<L", number), numbers),
    st.builds(lambda number: struct.pack(">L", number), numbers),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a file of which some bytes are others, missing or more."""
    data = draw(st.sampled_from(WHOLE))
    for _ in range(draw(st.integers(1, 4))):
        # Most of what a reader looks at stands at one of the ends.
        reach = draw(st.sampled_from([40, 200, len(data)]))
        start = draw(st.integers(0, min(reach, len(data))))
        start = draw(st.sampled_from([start, len(data) - start]))
        data = data[:start] + draw(pieces) + data[start + draw(st.integers(0, 20)) :]
    return data


@given(files())
def test_damaged_files_become_an_image_or_an_error_of_ours(data: bytes) -> None:
    begin = time.process_time()
    with suppress(InputError):
        encoded = EncodedImage.read(data)
        image = encoded.decode()
        assert (image.mode, image.size) == ("RGB", encoded.size)
    assert time.process_time() - begin < 3


@given(st.sampled_from(WHOLE), st.sampled_from([4, 12, 30]), st.binary(max_size=300))
def test_so_do_bytes_that_only_begin_like_a_file(whole: bytes, length: int, rest: bytes) -> None:
    with suppress(InputError):
        assert EncodedImage.read(whole[:length] + rest).decode().mode == "RGB"


@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))))
def test_pieces_of_a_file_are_read_as_if_they_were_one(
    data: bytes, ranges: list[tuple[int, int]]
) -> None:
    parts = [range(min(pair), min(max(pair), len(data))) for pair in ranges]
    wanted = b"".join(data[part.start : part.stop] for part in parts)
    file = open_pieces(data, Essentials([*parts, b"new", b""]).pieces)
    assert file.read() == wanted + b"new"
    middle = len(wanted) // 2
    file.seek(middle)
    assert file.read(2) == (wanted + b"new")[middle : middle + 2]
    assert file.seek(0, 2) == len(wanted) + 3

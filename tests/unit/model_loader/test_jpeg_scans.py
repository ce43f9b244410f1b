"""A JPEG that goes over its picture again and again is refused before it keeps a decoder busy."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from model_loader import UndecodableImageError
from model_loader.image.jpeg import MAX_SCANS, has_too_many_scans
from tests.support.images import decode_image, noise

pytestmark = pytest.mark.usefixtures("untraced")


def jpeg(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **how)
    return buffer.getvalue()


def repeated(data: bytes, times: int) -> bytes:
    """Return a JPEG with its last scan so many times more."""
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + data[-2:]


@pytest.mark.parametrize(("progressive", "times"), [(False, 100), (True, 10_000)])
def test_a_file_made_to_be_slow_is_refused_at_once(progressive: bool, times: int) -> None:
    slow = repeated(jpeg(Image.new("RGB", (5000, 5000)), progressive=progressive), times)
    begin = time.process_time()
    with pytest.raises(UndecodableImageError, match=f"more than {MAX_SCANS} scans"):
        decode_image(slow)
    assert time.process_time() - begin < 1


def test_nor_does_a_second_picture_in_the_file_hide_the_scans() -> None:
    buffer = io.BytesIO()
    noise(64, 48).save(buffer, "MPO", save_all=True, append_images=[noise(64, 48, 1)])
    first = buffer.getvalue().index(b"\xff\xd9")
    last = buffer.getvalue().rindex(b"\xff\xda", 0, first)
    scan = buffer.getvalue()[last:first]
    slow = buffer.getvalue()[:first] + scan * MAX_SCANS + buffer.getvalue()[first:]
    with pytest.raises(UndecodableImageError, match=f"more than {MAX_SCANS} scans"):
        decode_image(slow)


def test_as_many_scans_as_are_allowed_are_decoded() -> None:
    image = jpeg(noise(64, 48), progressive=True)
    allowed = MAX_SCANS - image.count(b"\xff\xda")
    assert decode_image(repeated(image, allowed)).size == (64, 48)
    with pytest.raises(UndecodableImageError):
        decode_image(repeated(image, allowed + 1))


@pytest.mark.parametrize("progressive", [False, True])
def test_what_stands_in_segments_and_behind_the_end_is_no_scan(progressive: bool) -> None:
    scans = b"\xff\xda\x00\x02" * (2 * MAX_SCANS)
    image = jpeg(noise(400, 300), quality=95, progressive=progressive, comment=scans)
    assert scans in image
    assert not has_too_many_scans(image + scans)


@pytest.mark.parametrize("end", [0, 1, 2, 3, 20, 600])
def test_a_file_that_is_cut_short_has_no_more_scans_than_it_has(end: int) -> None:
    assert not has_too_many_scans(jpeg(noise(64, 48), progressive=True)[:end])

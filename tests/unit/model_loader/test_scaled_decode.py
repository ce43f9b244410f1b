"""A picture much larger than the network takes is shrunk while it is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from model_loader import EncodedImage, UndecodableImageError
from model_loader.image.jpeg import without_detail
from model_loader.operations import CenterCrop, Fit, ImageOp, Pad, Resize, needed_size
from tests.support.images import encode

RESIZE = Resize(100, 100)


def decode_for(data: bytes, *ops: ImageOp) -> Image.Image:
    """Decode a file no larger than operations need it."""
    encoded = EncodedImage.read(data)
    return encoded.decode(needed_size(ops, *encoded.size))


def scale_for(data: bytes, *ops: ImageOp) -> int:
    """Return by how much a file's sides are divided for operations."""
    return round(EncodedImage.read(data).size[0] / decode_for(data, *ops).size[0])


def photograph(width: int, height: int) -> Image.Image:
    """Draw soft shapes, as photographs have them, with some grain."""
    x, y = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 7, height))
    planes = [np.sin(x + y / 2), np.cos(x * y / 9), np.sin(x) * np.cos(y)]
    grain = np.random.default_rng(0).normal(0, 4, (height, width, 3))
    return Image.fromarray((127 + 90 * np.stack(planes, 2) + grain).clip(0, 255).astype(np.uint8))


def difference(some: Image.Image, others: Image.Image) -> float:
    return float(np.abs(np.asarray(some, float) - np.asarray(others, float)).mean())


class TestTheScale:
    @pytest.mark.parametrize(
        ("size", "scale"),
        [
            ((1200, 1200), 8),
            ((1199, 1200), 4),
            ((1200, 600), 4),
            ((300, 5000), 2),
            ((299, 299), 1),
            ((20, 20), 1),
        ],
    )
    def test_leaves_half_as_many_pixels_again_as_are_needed(
        self, size: tuple[int, int], scale: int
    ) -> None:
        assert scale_for(encode(Image.new("RGB", size), "PNG"), RESIZE) == scale

    @pytest.mark.parametrize("op", [CenterCrop(100, 100), Pad(100, 100)])
    def test_is_one_where_every_pixel_counts(self, op: ImageOp) -> None:
        data = encode(Image.new("RGB", (2000, 2000)), "PNG")
        assert scale_for(data, op) == scale_for(data) == 1

    def test_of_a_fitted_picture_comes_from_the_size_that_it_gets(self) -> None:
        data = encode(Image.new("RGB", (2400, 600)), "PNG")
        assert Fit(32, 200 * 50).output_size(2400, 600) == (200, 50)
        assert scale_for(data, Fit(32, 200 * 50)) == 8


class TestTheShrunkPicture:
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
    @pytest.mark.parametrize("scale", [2, 4, 8])
    def test_has_sides_that_are_rounded_up(self, format: str, scale: int) -> None:
        data = encode(photograph(805, 609), format)
        assert EncodedImage.read(data).decode((805 // scale, 609 // scale)).size == (
            -(-805 // scale),
            -(-609 // scale),
        )

    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
    def test_of_a_jpeg_looks_as_if_it_had_been_shrunk_afterwards(
        self, options: dict[str, object]
    ) -> None:
        data = encode(photograph(1600, 1240), "JPEG", quality=90, **options)
        whole = RESIZE(EncodedImage.read(data).decode())
        assert difference(RESIZE(decode_for(data, RESIZE)), whole) < 1.5

    @pytest.mark.parametrize("format", ["JPEG", "PNG"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_stands_upright(self, format: str, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        encoded = EncodedImage.read(encode(photograph(800, 640), format, exif=exif.tobytes()))
        whole = encoded.decode()
        assert encoded.size == whole.size
        shrunk = encoded.decode((whole.width // 4, whole.height // 4))
        assert shrunk.size == (whole.width // 4, whole.height // 4)
        assert difference(shrunk, whole.reduce(4)) < 3

    @pytest.mark.parametrize("mode", ["L", "CMYK"])
    def test_of_another_mode_becomes_rgb(self, mode: str) -> None:
        data = encode(photograph(1200, 1200).convert(mode), "JPEG")
        shrunk = decode_for(data, RESIZE)
        assert (shrunk.mode, shrunk.size) == ("RGB", (150, 150))


class TestAProgressiveJpeg:
    def test_of_an_eighth_is_read_without_the_scans_of_its_detail(self) -> None:
        data = encode(photograph(1600, 1240), "JPEG", progressive=True, quality=90)
        few = without_detail(data)
        assert len(few) < len(data) / 2
        with Image.open(io.BytesIO(few)) as image:
            assert image.size == (1600, 1240)

    @pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
    def test_that_is_cut_short_is_refused_as_ever(self, kept: float) -> None:
        data = encode(photograph(1600, 1240), "JPEG", progressive=True)
        with pytest.raises(UndecodableImageError, match=r"1600 × 1240 pixels is damaged or cut"):
            decode_for(data[: int(len(data) * kept)], RESIZE)

    def test_with_restart_markers_is_read_to_its_end(self) -> None:
        data = encode(photograph(1600, 1240), "JPEG", progressive=True, restart_marker_rows=2)
        whole = RESIZE(EncodedImage.read(data).decode())
        assert difference(RESIZE(decode_for(data, RESIZE)), whole) < 1.5

    def test_that_is_none_is_left_as_it_is(self) -> None:
        assert without_detail(b"\xff\xd8\xff") == b"\xff\xd8\xff"
        assert without_detail(b"\xff\xd8no marker") == b"\xff\xd8no marker"

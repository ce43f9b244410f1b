"""From the bytes of a file to an upright RGB image, in bounded time and memory."""

from __future__ import annotations

from model_loader.image.encoded import EncodedImage

__all__ = ["EncodedImage"]

"""The errors that can occur between bytes and an answer, as one tree.

``service.errors`` adds those of uploads and batches.

::

    ClassifierError                       500
    ├── InputError                        400   what the client sent
    │   ├── MalformedRequestError         400
    │   ├── TooLargeError                 413   bytes or pixels
    │   ├── UnsupportedImageError         415   not an image format that is taken
    │   └── UndecodableImageError         422   such a format, but damaged
    └── UnavailableError                  503   what the operator published or configured
        └── ModelUnavailableError         503
            ├── ModelNotFoundError        503   nothing there, or not allowed to read it
            ├── ModelCorruptError         503   not the bytes that were published
            ├── ModelIncompatibleError    503   whole, but not runnable by this code
            └── ModelMismatchError        503   not the version that is pinned

Each message is one or two sentences: what happened, where, and how to fix it.
"""

from __future__ import annotations

from typing import ClassVar

RESTORE = "Publish the model again, which restores it; in a run, export it again."
"""The remedy for a version that is incomplete or damaged."""


class ClassifierError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes:
        status: The HTTP status that a service answers with.
        title: The kind of problem in a few words, the same for each instance.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"


class InputError(ClassifierError):
    """The client sent something that cannot be classified."""

    status = 400
    title = "Bad request"


class MalformedRequestError(InputError):
    """The request's body is not what its headers say, or holds no file."""

    title = "Malformed request"


class TooLargeError(InputError):
    """The upload has more bytes, or the image more pixels, than is taken."""

    status = 413
    title = "Too large"


class UnsupportedImageError(InputError):
    """The bytes are not of an image format that is taken."""

    status = 415
    title = "Unsupported image format"


class UndecodableImageError(InputError):
    """The bytes begin like an image that is taken, but cannot be decoded."""

    status = 422
    title = "Image cannot be decoded"


class UnavailableError(ClassifierError):
    """Something that is needed to answer is unavailable.

    Attributes:
        retry_after: Seconds after which asking again makes sense.
    """

    status = 503
    title = "Not available"
    retry_after: ClassVar[int] = 30


class ModelUnavailableError(UnavailableError):
    """No model can answer at present."""

    title = "Model not available"


class ModelNotFoundError(ModelUnavailableError):
    """Nothing is published at the model's address, or reading it is not allowed."""


class ModelCorruptError(ModelUnavailableError):
    """A file of the version is not the one that was published, or fails its self-test."""


class ModelIncompatibleError(ModelUnavailableError):
    """The version is whole, but asks for something that this code does not have."""


class ModelMismatchError(ModelUnavailableError):
    """The version is not the one that ``MODEL_SHA256`` pins."""

"""Errors of uploads, buckets and batches; the tree continues in ``model_loader.errors``.

::

    ClassifierError                       500
    ├── InputError                        400
    │   ├── UnsupportedTypeError          415   a content type that is not taken
    │   └── UploadNotFoundError           404   never sent, deleted, or no uploads are accepted
    ├── UnavailableError                  503
    │   ├── StorageError                  503   S3 refuses, fails or cannot be reached
    │   │   ├── GoneError                 503   the object does not exist
    │   │   └── RefusedError              503   the object does not exist or may not be read
    │   └── UploadsUnavailableError       503   the upload bucket cannot be reached
    └── BatchError                        500   an object of a batch could not be answered
"""

from __future__ import annotations

from model_loader import ClassifierError, InputError, UnavailableError


class UnsupportedTypeError(InputError):
    """The content type is not one that the service takes."""

    status = 415
    title = "Unsupported content type"


class UploadNotFoundError(InputError):
    """There is no upload with this key, or the service accepts no uploads."""

    status = 404
    title = "No such upload"


class StorageError(UnavailableError):
    """S3 refuses, fails or cannot be reached."""

    title = "Storage not available"


class GoneError(StorageError):
    """The object does not exist."""


class RefusedError(StorageError):
    """The object does not exist or the function's role may not read it: S3 does not say which."""


class UploadsUnavailableError(UnavailableError):
    """The upload bucket cannot be reached."""

    title = "Uploads not available"


class BatchError(ClassifierError):
    """An object could not be answered; the message names the object and the reason."""

"""Everything that inference needs: fetch → verify → load → decode → transform → label.

    >>> model = load_model("s3://my-bucket/models/flying-objects")       # doctest: +SKIP
    >>> model.classify(Path("gull.jpg").read_bytes()).label              # doctest: +SKIP
    'Flying Birds'

Importing this package imports NumPy and Pillow; torch, onnxruntime and obstore follow only when a
model that needs them is loaded, boto3 only for credentials that the environment does not hold.
"""

from __future__ import annotations

from model_loader.errors import (
    ClassifierError,
    InputError,
    MalformedRequestError,
    ModelCorruptError,
    ModelIncompatibleError,
    ModelMismatchError,
    ModelNotFoundError,
    ModelUnavailableError,
    TooLargeError,
    UnavailableError,
    UndecodableImageError,
    UnsupportedImageError,
)
from model_loader.image import EncodedImage
from model_loader.limits import MAX_PIXELS, MAX_REQUEST_BYTES, MAX_UPLOAD_BYTES
from model_loader.loading import load_model
from model_loader.metadata import FileInfo, Metadata, SelfTest
from model_loader.model import UNKNOWN, Model, Prediction, Timings
from model_loader.operations import Normalize, Resize
from model_loader.shared import SharedModel
from model_loader.transform import Transform

__all__ = [
    "MAX_PIXELS",
    "MAX_REQUEST_BYTES",
    "MAX_UPLOAD_BYTES",
    "UNKNOWN",
    "ClassifierError",
    "EncodedImage",
    "FileInfo",
    "InputError",
    "MalformedRequestError",
    "Metadata",
    "Model",
    "ModelCorruptError",
    "ModelIncompatibleError",
    "ModelMismatchError",
    "ModelNotFoundError",
    "ModelUnavailableError",
    "Normalize",
    "Prediction",
    "Resize",
    "SelfTest",
    "SharedModel",
    "Timings",
    "TooLargeError",
    "Transform",
    "UnavailableError",
    "UndecodableImageError",
    "UnsupportedImageError",
    "load_model",
]

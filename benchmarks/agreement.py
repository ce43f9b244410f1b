"""Whether decoding less of an image, for another engine, changes the answer."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.functions import MODEL
from benchmarks.images import photographs
from benchmarks.rows import Goal, Options, Row, Series, WrongAnswerError
from benchmarks.usual_transform import usual_transform
from model_loader import EncodedImage, Metadata, load_model

_LEAST = 80.0  # percent of equal labels below which something is broken


def rows(options: Options) -> Iterator[Row]:
    """Compare ONNX's answer to every image with PyTorch's to the image decoded whole."""
    files = photographs(options)
    files = files[:: len(files) // 8] if options.smoke else files
    model = load_model(str(MODEL), "onnx", threads=1)
    reference = _Reference(model.metadata)
    same: list[bool] = []
    smaller: list[float] = []  # the largest difference of a probability of each such image
    for file in files:
        data = file.read_bytes()
        encoded = EncodedImage.read(data)
        ours, wanted = [*model.classify(encoded).scores.values()], reference.probabilities(data)
        same.append(bool(np.argmax(ours) == wanted.argmax()))
        needed = model.metadata.transform.needed_size(*encoded.size)
        if encoded.decode(needed).size != encoded.size:
            smaller.append(float(np.abs(ours - wanted).max()))
    percent = 100 * float(np.mean(same))
    if percent < _LEAST:
        raise WrongAnswerError(f"ONNX agrees with PyTorch on {percent:.1f} % of the images.")
    kind = "photographs" if options.data else "drawings"
    goals = [Goal(99.5), Goal(0.005, at_most=True)] if options.data else [None, None]
    series = [
        Series("of", kind, (len(files),)),
        Series("decoded smaller", "of them", (len(smaller),)),
    ]
    figure = "Same label as PyTorch on the image decoded whole, ONNX"
    yield Row("agreement-label-onnx", figure, percent, "%", goals[0], series)
    if smaller:
        figure = "Difference of probabilities, mean of the images decoded smaller, ONNX"
        mean, series = float(np.mean(smaller)), [Series("of", kind, (len(smaller),))]
        yield Row("agreement-smaller-onnx", figure, mean, "", goals[1], series)


class _Reference:
    """The usual transform and the TorchScript file, as a notebook runs them."""

    def __init__(self, metadata: Metadata) -> None:
        self._transform = usual_transform(metadata.transform.image_ops[0].output_size(1, 1)[0])
        self._temperature = metadata.temperature
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            file = MODEL / "versions" / metadata.version / "model.pt"
            self._network = torch.jit.load(file).eval()  # type: ignore[no-untyped-call]

    def probabilities(self, data: bytes) -> NDArray[np.float64]:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        with torch.inference_mode():
            logits = self._network(self._transform(image)[None])[0].double()
        result: NDArray[np.float64] = (logits / self._temperature).softmax(0).numpy()
        return result

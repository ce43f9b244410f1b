"""From a trained network to a model version: TorchScript, ONNX and ``model.json``."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from model_loader import (
    FileInfo,
    Metadata,
    Model,
    ModelUnavailableError,
    SelfTest,
    Transform,
    load_model,
)
from model_loader.engine import ENGINES, load_onnx
from model_loader.store import file_info
from training.errors import TrainingError
from training.export.int8_graph import Images, write_int8
from training.export.onnx_graph import SMALLEST, write_onnx
from training.files.atomic import hidden_folder, replace_folder, replacing

_LIBRARIES = ("torch", "torchvision", "lightning", "onnx", "onnxruntime", "numpy", "pillow")
_INT8 = "model.onnx"  # the file that may be int8
_PARITY = 1e-4  # largest difference of a probability between exported files and network
_EXAMPLES = ((40, 50), (500, 300), (900, 1600))
# Widths and heights that a transform brings to one size, or to several.


def export_version(
    network: nn.Module,
    folder: Path,
    *,
    name: str,
    labels: tuple[str, ...],
    transform: Transform,
    recipe: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Metadata:
    """Write a version's folder, after both exported files gave the network's own answers.

    Args:
        network: From images, float32 [B, 3, H, W], normalised, to logits, float32 [B, classes].
            If its attribute ``any_size`` is true, or the transform makes images of more than one
            size, the files take every size; otherwise the ONNX file takes the transform's size.
        folder: The folder; an earlier export there is replaced, at the very end.
        name: The model's name.
        labels: The class names in index order.
        transform: The test transform.
        recipe: The recipe, for ``model.json``.
        data: The figures of the data, for ``model.json``.

    Raises:
        TrainingError: An exported file answers differently.
        OSError: The folder cannot be written.
    """
    network.eval()
    image = _self_test_image()
    images = torch.from_numpy(transform.prepare(image))[None]
    with torch.inference_mode():
        probabilities = network(images).softmax(1)[0].tolist()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with hidden_folder(folder.parent, ".export-") as temporary:
        staged = temporary / "model"
        staged.mkdir()
        _write_torchscript(network, staged / "model.pt")
        any_size = _any_size(network, transform)
        write_onnx(network, images, staged / "model.onnx", any_size)
        created = datetime.now(UTC)
        files = {file: file_info(staged / file) for file in ("model.pt", "model.onnx")}
        metadata = Metadata(
            name=name,
            version=_version(created, files),
            labels=labels,
            transform=transform,
            files=files,
            self_test=SelfTest(image, tuple(probabilities)),
            created=created.isoformat(timespec="seconds"),
            recipe=recipe or {},
            data=data or {},
            revision=_revision(),
            libraries={library: installed_version(library) for library in _LIBRARIES},
        )
        _write_metadata(metadata, staged)
        _check_parity(network, staged, images, any_size)
        replace_folder(staged, folder)
    return metadata


def calibrate_version(
    folder: Path, temperature: float, threshold: float, metrics: Mapping[str, Any]
) -> Metadata:
    """Give an exported version its temperature, threshold and figures.

    Files and name stay; the self-test's probabilities, which depend on the temperature, change.
    """
    model = load_model(str(folder))
    metadata = replace(
        model.metadata, temperature=temperature, threshold=threshold, metrics=metrics
    )
    self_test = replace(
        metadata.self_test, probabilities=_answer(replace(model, metadata=metadata))
    )
    if self_test.int8:
        answer = _answer(replace(load_model(str(folder), "onnx"), metadata=metadata))
        self_test = replace(self_test, int8={_INT8: answer})
    metadata = replace(metadata, self_test=self_test)
    _write_metadata(metadata, folder)
    return metadata


def int8_version(folder: Path, target: Path, images: Images) -> Metadata:
    """Write the version of ``folder`` into the new folder ``target``, with an int8 ONNX file.

    It is calibrated on training images, float32 [3, H, W], normalised.

    Raises:
        TrainingError: The network cannot be quantised.
        OSError: The folder cannot be written.
    """
    target.mkdir()
    shutil.copyfile(folder / "model.pt", target / "model.pt")
    try:
        write_int8(folder / "model.onnx", target / _INT8, images)
    except OSError:
        raise
    except Exception as error:
        # ONNX Runtime's tools raise anything.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise TrainingError(f"This network cannot be made int8: {reason}.") from error
    metadata = Metadata.from_json((folder / "model.json").read_bytes())
    created = datetime.now(UTC)
    files = {**metadata.files, _INT8: file_info(target / _INT8)}
    metadata = replace(
        metadata,
        version=_version(created, files),
        created=created.isoformat(timespec="seconds"),
        files=files,
    )
    answer = _answer(Model(metadata, "onnx", load_onnx(target / _INT8)))
    metadata = replace(metadata, self_test=replace(metadata.self_test, int8={_INT8: answer}))
    _write_metadata(metadata, target)
    return metadata


def _answer(model: Model) -> tuple[float, ...]:
    """Return the probabilities of a model's self-test image."""
    image = model.prepare(model.metadata.self_test.image)
    return tuple(model.probabilities(image[None])[0].tolist())


def _write_metadata(metadata: Metadata, folder: Path) -> None:
    """Write ``model.json``, whole or not at all."""
    with replacing(folder / "model.json") as temporary:
        temporary.write_bytes(metadata.to_json())


def _write_torchscript(network: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        # TorchScript is deprecated in favour of torch.export, whose files take 2 s to load.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        buffer = io.BytesIO()  # torch's own writer ends the process where the disk is full
        torch.jit.save(torch.jit.freeze(torch.jit.script(network)), buffer)
    path.write_bytes(buffer.getbuffer())


def _check_parity(network: nn.Module, folder: Path, images: Tensor, any_size: bool) -> None:
    """Compare the files with the network on noise of the transform's size, or of several."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, *images.shape[1:])]
    if any_size:
        shapes += [(1, 3, SMALLEST, SMALLEST), (3, 3, 33, 150), (2, 3, 197, SMALLEST)]
    noises = [torch.randn(shape, generator=generator) for shape in shapes]
    with torch.inference_mode():
        wanted = [network(noise).softmax(1).numpy() for noise in noises]
    for engine in ENGINES:
        try:
            model = load_model(str(folder), engine)
            for noise, answer in zip(noises, wanted, strict=True):
                _compare(engine, model.probabilities(noise.numpy()), answer, noise.shape)
        except ModelUnavailableError as error:
            raise TrainingError(f"The exported {engine} file does not run: {error}") from error


def _compare(
    engine: str, found: NDArray[np.float64], wanted: NDArray[np.float32], shape: torch.Size
) -> None:
    difference = float(np.abs(found - wanted).max())
    if not difference <= _PARITY:
        raise TrainingError(
            f"The exported {engine} file answers differently from the network: a probability "
            f"is off by {difference:.2g} for images of {shape[2]} × {shape[3]}, at most "
            f"{_PARITY:g} is taken."
        )


def _any_size(network: nn.Module, transform: Transform) -> bool:
    """Whether the files have to take images of every size."""
    made = set()
    for size in _EXAMPLES:
        for op in transform.image_ops:
            size = op.output_size(*size)
        made.add(size)
    return bool(getattr(network, "any_size", False)) or len(made) > 1


def _version(created: datetime, files: Mapping[str, FileInfo]) -> str:
    """Return a name that sorts by time and tells two exports of one second apart."""
    digest = hashlib.sha256("".join(files[file].sha256 for file in sorted(files)).encode())
    return f"{created:%Y%m%d-%H%M%S}-{digest.hexdigest()[:8]}"


def _self_test_image() -> bytes:
    """Draw a small image with edges, colours and smooth parts; PNG, the same each time."""
    y, x = np.mgrid[0:48, 0:64].astype(np.float64)
    waves = [np.sin(x / (3 + i) + y / (7 - 2 * i)) for i in range(3)]
    levels = np.stack(waves, axis=2) * 90 + 128
    levels[12:30, 20:44] = (30, 200, 90)
    buffer = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _revision() -> str | None:
    """Return the commit of the code, with '+' where it was changed since; None outside git."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return result.stdout.strip() or None

"""The engines that run a network: TorchScript and ONNX Runtime, imported only when needed."""

from __future__ import annotations

import importlib
import platform
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from model_loader.errors import ModelCorruptError, ModelIncompatibleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Network: TypeAlias = "Callable[[NDArray[np.float32]], NDArray[np.float32]]"
"""From images, float32 [B, 3, H, W], to logits, float32 [B, classes]."""

DEFAULT_ENGINE = "torchscript"


def load_torchscript(path: Path, threads: int | None = None) -> Network:
    """Load a TorchScript file for the CPU.

    Args:
        path: The file.
        threads: Number of threads that compute; None to leave it to torch.

    Raises:
        ModelCorruptError: The file is not a TorchScript archive.
        ModelIncompatibleError: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ModelIncompatibleError(_missing("torchscript", "torch", "onnx")) from error
    try:
        module = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ModelCorruptError(
            f"{path.name} is not a TorchScript file: {_first(error)}."
        ) from error

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        others = torch.get_num_threads()  # of whatever else this process computes
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            # The graph is frozen: the executor's own optimisation makes the first calls slow and
            # the later ones no faster. Channels last, which convolutions take half the time for,
            # spreads from the input to every layer.
            as_it_is = torch.jit.optimized_execution(False)  # type: ignore[attr-defined]
            with torch.inference_mode(), as_it_is:
                inputs = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
                logits: NDArray[np.float32] = module(inputs).float().numpy()
        finally:
            if threads is not None:
                torch.set_num_threads(others)
        return logits

    return run


def load_onnx(path: Path, threads: int | None = None) -> Network:
    """Load an ONNX file into ONNX Runtime on the CPU.

    Args:
        path: The file.
        threads: Number of threads that compute; None to leave it to ONNX Runtime.

    Raises:
        ModelCorruptError: The file is not an ONNX graph with one input and one output.
        ModelIncompatibleError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelIncompatibleError(_missing("onnx", "onnxruntime", "torchscript")) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # A thread that waits would spin, and take the processor from whoever decodes meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if sums_overflow():
        # Exact, and slower; ONNX Runtime 1.31 would slow some processors with VNNI down, too.
        options.add_session_config_entry("session.x64quantprecision", "1")
    providers = ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # ONNX Runtime's exceptions share no base class but Exception.
        raise ModelCorruptError(f"{path.name} is not an ONNX file: {_first(error)}.") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelCorruptError(f"{path.name} must have one input and one output.")
    feed, fetch = inputs[0].name, outputs[0].name

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run([fetch], {feed: images})[0]
        return logits

    return run


def import_ahead(engine: str | None) -> None:
    """Import an engine's package in a thread, while the model is read.

    It is no daemon, so that Python waits for it before it ends: a process that ends while one of
    these packages is being imported is aborted.
    """
    package = {"torchscript": "torch", "onnx": "onnxruntime"}.get(engine or DEFAULT_ENGINE)
    if package is not None and package not in sys.modules:
        threading.Thread(target=_import, args=(package,)).start()


def _import(package: str) -> None:
    with suppress(ImportError):  # whoever needs it says so
        importlib.import_module(package)


ENGINES: dict[str, tuple[str, Callable[[Path, int | None], Network]]] = {
    "torchscript": ("model.pt", load_torchscript),
    "onnx": ("model.onnx", load_onnx),
}
"""By engine: the name of the file that it runs, and the function that loads one."""


def sums_overflow(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether sums of products of int8 weights may overflow on this processor.

    They may on x86 without VNNI, which keeps the sum of two products in 16 bits.
    """
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # not Linux
        return platform.machine().lower() in ("x86_64", "amd64")
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return bool(flags) and not {"avx512_vnni", "avx_vnni"} & set(flags)


def _missing(engine: str, package: str, other: str) -> str:
    return (
        f"The engine is {engine}, but {package} is not installed. Install "
        f"requirements-{engine}.txt, or choose the engine {other} (MODEL_ENGINE)."
    )


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

"""An engine is imported in a thread, which a process that ends waits for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SLOW = "import time; time.sleep(0.5); print('imported')"
"""Native code that is being imported while Python ends aborts the process, now and then."""


@pytest.mark.parametrize(("engine", "package"), [("onnx", "onnxruntime"), ("torchscript", "torch")])
def test_a_process_ends_when_its_engine_is_imported(
    engine: str, package: str, tmp_path: Path
) -> None:
    (tmp_path / f"{package}.py").write_text(SLOW)
    code = f"from model_loader.engine import import_ahead; import_ahead({engine!r})"
    path = os.pathsep.join(map(str, (tmp_path, ROOT)))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"imported\n"

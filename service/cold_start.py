"""Work that a cold start can leave out, and memory that it can give back.

- Python's garbage collector looks through what imports make, again and again, and finds nothing
  to free: 5 % of a start with ONNX Runtime, 14 % with torch.
- ``import werkzeug`` imports its development server, and with it ``http.server`` and
  ``socketserver``: 7 % of a start with ONNX Runtime. Nothing on Lambda serves by it.
- Reading a model takes two and a half times its memory for a moment; the C library keeps what is
  free again, in pieces that images seldom fit into.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from types import ModuleType

_SERVER = "werkzeug.serving"
_placeholder = ModuleType(_SERVER)
_placeholder.__dict__["run_simple"] = None


def begin() -> None:
    """Collect no garbage from here on, and keep Werkzeug's server from being imported."""
    gc.disable()
    sys.modules.setdefault(_SERVER, _placeholder)


def end() -> None:
    """Collect garbage again, give free memory back; ``import werkzeug.serving`` gets the server."""
    if sys.modules.get(_SERVER) is _placeholder:
        del sys.modules[_SERVER]
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc has it
        trim(0)
    gc.enable()  # no gc.freeze(): a TorchScript module's cycle would outlive its replacement

"""Where something was measured."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from tools.local_aws.install import RUNTIME

LIBRARIES = ("torch", "torchvision", "onnxruntime", "numpy", "pillow", "boto3")


def describe_machine() -> dict[str, str]:
    """Return the processor, the system and the versions of what was measured."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kilobytes = re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "processors": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(kilobytes[1]) / 2**20:.0f} GiB" if kilobytes else "",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()}, the zip's {RUNTIME.removeprefix('python')}",
        **{name: version(name) for name in LIBRARIES},
    }

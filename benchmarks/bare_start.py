"""Runs in a function's own Python and process: only what no answer by ONNX Runtime can do without.

    python -P bare_start.py MODEL.onnx PICTURE.jpg

The last line of output is JSON: milliseconds of the processor by step.
"""

import time

begun = time.process_time()

import gc  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

gc.disable()  # as our own start does

took = {"Python": 1000 * begun}


def end(step: str) -> None:
    """Note what a step took."""
    took[step] = 1000 * time.process_time() - sum(took.values())


import awslambdaric.bootstrap  # noqa: E402, F401

end("Lambda's client")
import numpy as np  # noqa: E402

end("NumPy")
import onnxruntime  # noqa: E402

end("ONNX Runtime")
from PIL import Image, JpegImagePlugin  # noqa: E402, F401

end("Pillow")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
end("session")
(feed,) = session.get_inputs()
picture = JpegImagePlugin.JpegImageFile(sys.argv[2]).resize((225, 225), Image.Resampling.BILINEAR)
pixels = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255
end("picture")
session.run(None, {feed.name: np.ascontiguousarray(pixels)})
end("network")
print(json.dumps(took))

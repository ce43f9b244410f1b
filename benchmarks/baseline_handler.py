"""A handler as it is usually written, with care: the baseline of the serving rows.

It imports torch, torchvision, boto3 and requests-toolbelt, reads the model from S3 at import, and
sends an image that is decoded whole through torchvision's transforms. The network is frozen and in
eval mode, no gradient is kept, as many threads compute as there are processors.

MODEL_BUCKET and MODEL_KEY are bucket and key of the TorchScript file.
"""

from __future__ import annotations

import base64
import io
import json
import os
import warnings
from typing import Any

import boto3
import torch
from PIL import Image
from requests_toolbelt.multipart import decoder

from benchmarks.usual_transform import usual_transform

LABELS = ("Flying Birds", "Large QuadCopters", "Small QuadCopters", "Winged Drones")

torch.set_num_threads(len(os.sched_getaffinity(0)))
warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated")

transform = usual_transform(225)
_stored = boto3.client("s3").get_object(
    Bucket=os.environ["MODEL_BUCKET"], Key=os.environ["MODEL_KEY"]
)
model = torch.jit.load(io.BytesIO(_stored["Body"].read()), map_location="cpu").eval()  # type: ignore[no-untyped-call]


def classify(data: bytes) -> str:
    """Return the class of one image file."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    with torch.inference_mode():
        probabilities = torch.softmax(model(transform(image).unsqueeze(0)), dim=1)[0]
    return LABELS[int(probabilities.argmax())]


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer a multipart upload that came through a REST API."""
    body = base64.b64decode(event["body"])
    headers = {name.lower(): value for name, value in event["headers"].items()}
    part = decoder.MultipartDecoder(body, headers["content-type"]).parts[0]
    field = part.headers[b"Content-Disposition"].decode().split('name="')[1].split('"')[0]
    answer = {"file": field, "predicted": f"That seems to be {classify(part.content)}"}
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(answer),
    }

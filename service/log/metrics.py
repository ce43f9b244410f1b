"""CloudWatch metrics in the log line itself, in the embedded metric format (EMF).

CloudWatch reads the ``_aws`` object, and takes the values from the other fields of the line. Each
metric costs $0.30 for a month in which it is written to, so they have one dimension and are few:
six and one for each class. The ten that are free suffice for four classes.

``total_ms`` and ``confidence`` come with answers alone: the page and ``/ping`` say nothing about
how long people wait. The number of samples of ``confidence`` is the number of images answered, the
average of ``unknown`` the share of them that were not recognised.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from model_loader import Model, Prediction

MOST_LABELS = 20
"""Maximum number of classes with a metric each; ``label`` of log lines can always be counted."""

LABELS = "/labels"
"""End of the namespace of the metrics of labels, by which a dashboard finds all of them."""

ALWAYS = (("cold_starts", "Count"), ("errors_4xx", "Count"), ("errors_5xx", "Count"))
ANSWERED = (("total_ms", "Milliseconds"), ("confidence", "None"), ("unknown", "Count"))
"""The metrics of every request, and those of answers alone: name and unit."""


def metrics(
    status: int, is_cold: bool, model: Model | None, predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """Return the fields that a request's line needs for its metrics.

    They are none where ``METRICS_NAMESPACE`` is not set.

    Args:
        status: HTTP status of the answer.
        is_cold: Whether it is the first answer of this process.
        model: The model that answered, or None.
        predictions: The answers of the model.
    """
    namespace = os.environ.get("METRICS_NAMESPACE")
    if not namespace:
        return {}
    values: dict[str, Any] = {
        "FunctionName": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "cold_starts": int(is_cold),
        "errors_4xx": int(400 <= status < 500),
        "errors_5xx": int(status >= 500),
    }
    directives = [_directive(namespace, ALWAYS)]
    if model is not None and predictions:
        threshold = model.metadata.threshold
        unknown = [int(prediction.confidence < threshold) for prediction in predictions]
        values["unknown"] = unknown[0] if len(unknown) == 1 else unknown
        directives = [_directive(namespace, ALWAYS + ANSWERED)]
        labels = _count_labels(model, predictions)
        if labels:
            values |= labels
            names = [(name, "Count") for name in labels]
            directives.append(_directive(namespace + LABELS, names))
    values["_aws"] = {"Timestamp": int(1000 * time.time()), "CloudWatchMetrics": directives}
    return values


def _count_labels(model: Model, predictions: Sequence[Prediction]) -> dict[str, int]:
    """Return the number of images of each label, by names that no other field of the line has."""
    if len(model.metadata.labels) > MOST_LABELS:
        return {}
    counts = Counter(
        prediction.label
        for prediction in predictions
        if prediction.confidence >= model.metadata.threshold
    )
    return {f"label {_ascii(label)}": count for label, count in counts.items()}


def _ascii(label: str) -> str:
    return label.encode("ascii", "backslashreplace").decode()


def _directive(namespace: str, names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "Namespace": namespace,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in names],
    }

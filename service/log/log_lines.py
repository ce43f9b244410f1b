"""The log on Lambda: one JSON object a line on standard output, without a prefix.

Elsewhere Python's logging is left as it is.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

OURS = ("handler", "service", "model_loader")
"""The loggers whose level is INFO; libraries log warnings and errors alone."""


def on_lambda() -> bool:
    """Return whether this process is a Lambda function."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def write_line(fields: Mapping[str, Any]) -> None:
    """Write one line in one call, so that lines of several threads do not mix."""
    # Escaped: a label may hold what the output's encoding does not.
    sys.stdout.write(json.dumps(fields, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def configure_logging(request_id: Callable[[], str | None]) -> None:
    """Make Python's logging write JSON lines (on Lambda).

    Args:
        request_id: Returns the id of the request that this thread answers.
    """
    if not on_lambda():
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter(request_id))
    logging.getLogger().handlers = [handler]  # Lambda's own writes a prefix
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)


class _JsonFormatter(logging.Formatter):
    def __init__(self, request_id: Callable[[], str | None]) -> None:
        super().__init__()
        self._request_id = request_id

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := self._request_id():  # background threads have no request
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, separators=(",", ":"))

"""The model that this process serves; on Lambda, importing this begins to load it.

Lambda starts an environment with full processor speed, whatever the function's memory buys later,
and waits at least ten seconds for it. So the model is loaded then, in a thread, while the rest of
the service is imported. There are two other ways to start:

- *Provisioned concurrency* starts environments ahead of requests and keeps them.
- *SnapStart* starts one environment when a version of the function is published, takes a snapshot
  of it, and restores every later one from there: the model is part of the snapshot. State that
  environments must not share is renewed after each restore: random state, connections, and the time
  at which ``current.json`` was last read.

A start without a model, as in a deployment before the first publication, is no failure: the first
request tries again. Outside of Lambda the first request loads the model.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time

from model_loader import ModelUnavailableError, SharedModel
from service import cold_start
from service.log.log_lines import configure_logging
from service.log.request_log import current_request_id

log = logging.getLogger(__name__)

# Of the ten seconds after which Lambda ends a start for a request and begins another.
_SECONDS = 8.0

_began = time.monotonic()


def _load() -> None:
    try:
        model.get()
    except Exception as error:
        # Whatever it is, a start that fails would undo the deployment.
        known = isinstance(error, ModelUnavailableError)
        text = "No model is loaded ahead, the first request will try again: %s"
        log.error(text, error, exc_info=None if known else error)


def _renew() -> None:
    random.seed()
    if "numpy.random" in sys.modules:  # importing it costs more than all the rest here
        sys.modules["numpy.random"].seed()
    try:
        model.renew()
    except ModelUnavailableError as error:  # an exception would end the environment
        log.error("The model's store cannot be asked again: %s", error)


def _is_ahead() -> bool:
    """Return whether no request waits for this start, which then may take minutes."""
    kind = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE")
    return kind in ("provisioned-concurrency", "snap-start")


def finish() -> None:
    """Wait for the model that is being loaded: a thread that Lambda freezes may not resume."""
    if _loading is not None:
        _loading.join(None if _is_ahead() else max(0.0, _began + _SECONDS - time.monotonic()))
        cold_start.end()


def _begin() -> threading.Thread | None:
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return None
    cold_start.begin()
    loading = threading.Thread(target=_load, name="startup", daemon=True)
    loading.start()
    try:
        from snapshot_restore_py import register_after_restore
    except ImportError:
        return loading  # Lambda's own runtimes bring it, from Python 3.12 on; no other restores
    register_after_restore(_renew)
    return loading


configure_logging(current_request_id)
model = SharedModel.from_environment()
_loading = _begin()

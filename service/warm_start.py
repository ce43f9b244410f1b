"""What is done before the first request, where Lambda starts the function ahead of it.

- *Provisioned concurrency* starts environments and keeps them: the model is loaded at import.
- *SnapStart* starts one environment when a version of the function is published, takes a snapshot
  of it, and begins every later one from there: the model is part of the snapshot. What twins may
  not share is made anew after each restore: random state, connections, and when ``current.json``
  was last read.

On any other start the first request loads the model. So it does where there was none to load
ahead, as at a deployment that comes before the first publication: that fails no start.
"""

from __future__ import annotations

import logging
import os
import random
import sys

from model_loader import ModelUnavailableError, SharedModel

log = logging.getLogger(__name__)


def load_ahead(model: SharedModel) -> None:
    """Load the model now or before the snapshot, whichever this start is for; neither otherwise."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency":
        _load(model)
    try:
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ImportError:
        return  # Lambda's own runtimes bring it, from Python 3.12 on; nothing else restores
    register_before_snapshot(_load, model)
    register_after_restore(_renew, model)


def _load(model: SharedModel) -> None:
    try:
        model.get()
    except Exception as error:
        # Whatever it is, a start that fails would undo the deployment.
        known = isinstance(error, ModelUnavailableError)
        text = "No model is loaded ahead, the first request will try again: %s"
        log.error(text, error, exc_info=None if known else error)


def _renew(model: SharedModel) -> None:
    random.seed()
    if "numpy.random" in sys.modules:  # importing it costs more than all the rest here
        sys.modules["numpy.random"].seed()
    model.renew()

"""One model for all threads of a process, loaded at the first request and then kept up to date."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from model_loader.errors import ModelIncompatibleError
from model_loader.model import Model
from model_loader.refresh import LatestModel

_MB_OF_A_PROCESSOR = 1769

REFRESH_SECONDS = "60"
"""Default of ``MODEL_REFRESH_SECONDS``."""


class SharedModel:
    """Loads a model once, however many threads ask for it, and follows its current version.

    Threads that ask while it is being loaded wait for that one load and share its outcome. After a
    load that failed, the next request tries again.
    """

    def __init__(
        self,
        uri: str,
        engine: str | None = None,
        refresh_seconds: str = "0",
        pinned: str | None = None,
        threads: int | None = None,
    ) -> None:
        """Remember what to load.

        Args:
            uri: As for ``load_model``.
            engine: As for ``load_model``.
            refresh_seconds: ``MODEL_REFRESH_SECONDS``, seconds between checks for another version;
                "0" for none.
            pinned: ``MODEL_SHA256``; None to follow the current version.
            threads: As for ``load_model``.
        """
        self._begin: Callable[[], LatestModel] = lambda: LatestModel(
            uri, engine, _seconds(refresh_seconds), pinned, threads
        )
        self._lock = threading.Lock()
        self._load: Future[LatestModel] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> SharedModel:
        """Return the model that the environment names; ``get`` raises where it is wrong."""
        return cls(
            environment.get("MODEL_URI", ""),
            environment.get("MODEL_ENGINE"),
            environment.get("MODEL_REFRESH_SECONDS", REFRESH_SECONDS),
            environment.get("MODEL_SHA256") or None,
            _threads(environment),
        )

    def get(self) -> Model:
        """Return the loaded model.

        Raises:
            ModelUnavailableError: It cannot be loaded; see ``load_model``.
        """
        with self._lock:
            is_mine = self._load is None
            load = self._load = self._load or Future()
        if is_mine:
            try:
                load.set_result(self._begin())
            except BaseException as error:
                with self._lock:
                    self._load = None
                load.set_exception(error)
        return load.result().get()

    def renew(self) -> None:
        """Share nothing with other processes of the same snapshot; see ``LatestModel.renew``.

        Raises:
            ModelUnavailableError: The AWS settings of the environment do not fit.
        """
        load = self._load
        if load is not None and load.done() and load.exception() is None:
            load.result().renew()


def _threads(environment: Mapping[str, str]) -> int | None:
    """Return how many threads Lambda's memory pays for; None elsewhere, for the engine's choice.

    A function sees two processors or more, but gets one's time for each 1,769 MB: a second thread
    would only take turns with the first.
    """
    memory = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    return max(1, round(int(memory) / _MB_OF_A_PROCESSOR)) if memory else None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ModelIncompatibleError(
            f"MODEL_REFRESH_SECONDS is {text!r}; it must be a number of seconds, 0 or more."
        )
    return seconds

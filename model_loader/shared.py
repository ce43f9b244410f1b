"""One model for all threads of a process, loaded at the first request."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from model_loader.model import Model, load_model


class SharedModel:
    """Loads a model once, however many threads ask for it.

    Threads that arrive while it is being loaded wait for that one load and share its outcome;
    a load that failed is tried again by the next request after it.
    """

    def __init__(self, uri: str, engine: str | None = None) -> None:
        """Remember what to load; see ``load_model`` for the arguments."""
        self._uri = uri
        self._engine = engine
        self._lock = threading.Lock()
        self._load: Future[Model] | None = None

    def get(self) -> Model:
        """Return the loaded model.

        Raises:
            ModelUnavailableError: It cannot be loaded; see ``load_model``.
        """
        with self._lock:
            is_mine = self._load is None
            if self._load is None:
                self._load = Future()
            load = self._load
        if is_mine:
            self._run(load)
        return load.result()

    def _run(self, load: Future[Model]) -> None:
        try:
            load.set_result(load_model(self._uri, self._engine))
        except BaseException as error:
            with self._lock:
                self._load = None
            load.set_exception(error)

"""The current version of a model, and how a warm process switches to a newer one.

Lambda runs nothing reliably between requests, so a request makes the check: the first one after
``refresh_seconds`` asks the store whether ``current.json`` or the version's ``model.json`` has
changed. Where one has, it loads what a new process would load before it answers. The cost is two
HEAD requests, and after a change that of a cold start. It waits no longer than ``LONGEST_WAIT``,
then answers with the old version; the load goes on in its thread, on Lambda while later requests
run. All other requests compare two numbers, and are answered by the old version until the new one
is ready. Memory holds both for that time.
"""

from __future__ import annotations

import logging
import threading
import time

from model_loader.engine import import_ahead
from model_loader.errors import ModelCorruptError, ModelIncompatibleError, ModelUnavailableError
from model_loader.loading import find_current, load_version, open_store
from model_loader.model import Model
from model_loader.store import CURRENT

log = logging.getLogger(__name__)

LONGEST_WAIT = 5.0
"""Seconds that a request gives to a check, of the 29 that the gateway gives to the request."""


class LatestModel:
    """A loaded version that is replaced once another one is the current one.

    Where a version is broken, or the store does not answer, the old version stays, and the log
    says why, once for each change. A broken version is tried again once one of its files has
    changed, an unreachable one at the next check.
    """

    def __init__(
        self,
        uri: str,
        engine: str | None,
        refresh_seconds: float,
        pinned: str | None,
        threads: int | None = None,
    ) -> None:
        """Load the current version.

        Args:
            uri: As for ``load_model``; the address of a single version never changes.
            engine: As for ``load_model``.
            refresh_seconds: Seconds between checks; 0 for none.
            pinned: The sha256 of the only ``model.json`` to serve; None to follow
                ``current.json``.
            threads: As for ``load_model``.

        Raises:
            ModelUnavailableError: It cannot be loaded; see ``load_version``.
        """
        import_ahead(engine)
        self._uri = uri
        self._store = open_store(uri)
        self._engine = engine
        self._threads = threads
        folder = find_current(self._store)
        self._model = load_version(self._store, folder, engine, threads, pinned)
        self._served = self._watched = self._documents()
        self._seconds = 0.0 if pinned or not folder else refresh_seconds
        self._checked = time.time()
        self._checking = threading.Lock()
        self._logged: object = None

    def get(self) -> Model:
        """Return the version to answer with; the module's docstring says who waits for what."""
        if self._is_due() and self._checking.acquire(blocking=False):
            thread = threading.Thread(target=self._check, name="model-refresh", daemon=True)
            thread.start()
            thread.join(LONGEST_WAIT)
        return self._model

    def renew(self) -> None:
        """Open new connections, and have the next request check for the current version.

        For a process restored from a snapshot of another one, whose connections these are and
        which may have read the version long ago.
        """
        self._store = open_store(self._uri)
        self._checked = 0.0

    def _is_due(self) -> bool:
        # By the wall clock: another may stand still while Lambda freezes the process.
        return self._seconds > 0 and not 0 <= time.time() - self._checked < self._seconds

    def _check(self) -> None:
        try:
            if self._is_due():  # another thread may have been faster
                changed = self._store.is_changed
                if any(changed(key, tag) for key, tag in self._watched.items()):
                    self._follow()
                self._logged = None
        except Exception as error:
            # Whatever it is, there is a version that answers.
            self._log(error)
        finally:
            self._checked = time.time()
            self._checking.release()

    def _follow(self) -> None:
        """Come to the version that a new process would load; watch all that this depends on."""
        served = {key: tag for key, tag in self._served.items() if key != CURRENT}
        self._store.tags.clear()
        try:
            folder = find_current(self._store)
            document = f"{folder}model.json"
            tag = served.get(document)
            if tag is not None and not self._store.is_changed(document, tag):
                self._store.tags[document] = tag
            else:
                model = load_version(self._store, folder, self._engine, self._threads)
                self._model = model
                log.info("Version %s is served from now on", model.metadata.version)
        except (ModelCorruptError, ModelIncompatibleError):
            self._watched = dict(self._store.tags)
            raise
        self._watched = self._served = self._documents()

    def _documents(self) -> dict[str, str]:
        """Return the tags of the JSON files that were read: they hold the hashes of all others."""
        return {key: tag for key, tag in self._store.tags.items() if key.endswith(".json")}

    def _log(self, error: Exception) -> None:
        logged = (type(error), self._store.tags.get(CURRENT))
        if logged != self._logged:
            known = isinstance(error, ModelUnavailableError)
            version = self._model.metadata.version
            log.error(
                "Version %s stays in service: %s", version, error, exc_info=None if known else error
            )
        self._logged = logged

"""Retries where a service is busy, restarting or unreachable for a moment."""

from __future__ import annotations

import threading
from typing import Any, Self

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from training.output.progress import console

_AGAIN = (429, 502, 503, 504)
"""Statuses worth another attempt: too many requests, and no backend."""

_LONGEST = 60
"""Seconds to wait at most, whatever the service asks for."""

_WORTH_SAYING = 5.0
"""Seconds from which on a wait is announced."""


class Retries(Retry):
    """urllib3's retries: as long as ``Retry-After`` says, or twice as long each time.

    Asking for a classification changes nothing, so that a POST may be repeated too.

    Attributes:
        stopped: Once it is set, nothing is waited for any more.
    """

    stopped: threading.Event

    @classmethod
    def times(cls, times: int) -> Self:
        """Return a policy of up to ``times`` retries."""
        policy = cls(
            total=times,
            status_forcelist=_AGAIN,
            allowed_methods={"GET", "POST"},
            backoff_factor=0.5,
            backoff_jitter=0.5,
            backoff_max=_LONGEST,
            retry_after_max=_LONGEST,
            raise_on_status=False,  # the last answer says what is wrong
        )
        policy.stopped = threading.Event()
        return policy

    def new(self, **changes: Any) -> Self:
        """Return the retries that are left."""
        policy = super().new(**changes)
        policy.stopped = self.stopped
        return policy

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds that a service asks for; None also where they cannot be read."""
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None

    def sleep_for_retry(self, response: BaseHTTPResponse) -> bool:
        """Wait as long as the service asks for; return False where it does not ask."""
        seconds = self.get_retry_after(response)
        if not seconds:
            return False
        if seconds >= _WORTH_SAYING:
            console.print(
                f"The service answers {response.status} and asks to come back in {seconds:.0f} s."
            )
        self._wait(seconds)
        return True

    def _sleep_backoff(self) -> None:
        self._wait(self.get_backoff_time())

    def _wait(self, seconds: float) -> None:
        self.stopped.wait(seconds)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether to ask again: only for our statuses, and not once it was stopped."""
        return not self.stopped.is_set() and super().is_retry(method, status_code, has_retry_after)

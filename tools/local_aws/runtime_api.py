"""Lambda's runtime API around the unzipped package, with the part that the emulator lacks.

Where a start is for SnapStart, the runtime client asks `restore/next` when the snapshot may be
taken, and gets its answer in each environment that begins from there.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tools.local_aws.install import PYTHON, RUNTIME, runtime_client
from tools.local_aws.process import running

_SECONDS = 30
_ANOTHER_DAY = "2035000000000"


class Start:
    """A function that has started and waits: to be restored where it is a snapshot, or for events.

    Attributes:
        is_waiting: Whether it has come so far.
        log: What it has written.
    """

    def __init__(self, log: Path) -> None:
        """Write what the function says to a log."""
        self.is_waiting = threading.Event()
        self.log = log
        self._restored = threading.Event()
        self._events: SimpleQueue[bytes | None] = SimpleQueue()
        self._answers: SimpleQueue[bytes] = SimpleQueue()

    def restore(self) -> None:
        """Go on from the snapshot."""
        self._restored.set()

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return what the handler answers to an event."""
        self._events.put(json.dumps(event).encode())
        answer: dict[str, Any] = json.loads(self._answers.get(timeout=_SECONDS))
        return answer

    def next_event(self) -> bytes | None:
        """Return the event that the function is to answer, once there is one; None at the end."""
        self.is_waiting.set()
        return self._events.get()

    def wait_for_restore(self) -> None:
        """Return once the snapshot is restored."""
        self.is_waiting.set()
        self._restored.wait()

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._restored.set()
        self._events.put(None)

    def take_answer(self, answer: bytes) -> None:
        """Take what the handler answered."""
        self._answers.put(answer)


@contextmanager
def start_package(
    package: Path, folder: Path, initialization: str, handler: str, settings: dict[str, str]
) -> Iterator[Start]:
    """Start an unzipped package with Lambda's runtime client, and nothing else on its path.

    Args:
        package: The unzipped package.
        folder: For what it writes; modules of the test's own can lie there.
        initialization: As `AWS_LAMBDA_INITIALIZATION_TYPE` has it.
        handler: `module.function`.
        settings: More of its environment.
    """
    start = Start(folder / "function.log")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _requests(start))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    env = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join(map(str, (package, runtime_client(RUNTIME), folder))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": "classifier",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
        **settings,
    }
    command = [PYTHON, "-S", "-m", "awslambdaric", handler]
    try:
        ready = start.is_waiting.is_set
        with running(command, env=env, cwd=package, log=start.log, is_ready=ready):
            yield start
    finally:
        start.end()
        server.shutdown()
        thread.join()
        server.server_close()


def _requests(start: Start) -> type[BaseHTTPRequestHandler]:
    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            if self.path.endswith("/restore/next"):
                start.wait_for_restore()
                self._reply(200, b"")
            else:
                event = start.next_event()
                if event is not None:
                    self._reply(200, event)

        def do_POST(self) -> None:  # noqa: N802
            start.take_answer(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(202, b"")

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "1")
            self.send_header("Lambda-Runtime-Deadline-Ms", _ANOTHER_DAY)
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::function:f")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Requests

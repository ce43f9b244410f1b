"""Starting and ending the programs that the tests run beside themselves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05
_END_SECONDS = 1.0
"""ministack waits for ever for a client that keeps its connection; nothing it holds is needed."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Return different ports of 127.0.0.1 that nothing listens on."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    is_ready: Callable[[], bool],
) -> Iterator[None]:
    """Run a program, with all that it starts, for as long as the block lasts.

    Raises:
        RuntimeError: it ended or stayed silent instead of getting ready; the log is quoted.
    """
    with log.open("wb") as out:
        program = subprocess.Popen(
            command, env=env, cwd=cwd, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _await_ready(program, log, is_ready)
        yield
    finally:
        _end(program)


def _await_ready(program: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not is_ready():
        if program.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{program.args!r} did not start:\n{log.read_text()[-4000:]}")
        time.sleep(_POLL_SECONDS)


def _end(program: subprocess.Popen[bytes]) -> None:
    """Ask the program's whole process group to end, and make it after a while."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(program.pid, request)
            program.wait(_END_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue

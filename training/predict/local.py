"""Answers of an exported version on this machine, by the code that serves."""

from __future__ import annotations

import functools
import multiprocessing
import signal
from collections.abc import Generator, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from model_loader import Model, load_model
from training.errors import TrainingError
from training.parallel import in_order
from training.predict.questions import Answer, Question, answer
from training.process import keep_freed_memory

_AHEAD = 4  # questions that wait for each process
_THREADS = 1  # one image is too little for several threads to share


class Answerer(Protocol):
    """Something that answers.

    Attributes:
        title: Name and version of the model.
        labels: The model's class names, in index order.
    """

    title: str
    labels: tuple[str, ...]

    def answers(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """Answer questions in order, few of them at a time."""
        ...


class OneProcess:
    """Answers in this process, one question after the other, on one core."""

    def __init__(self, address: str, engine: str | None) -> None:
        """Load the model; see ``model_loader.load_model`` for the arguments and errors."""
        keep_freed_memory()
        self._model = load_model(address, engine, _THREADS)
        self.title, self.labels = _describe(self._model)

    def answers(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """Answer questions in order."""
        for question in questions:
            yield answer(self._model, question)


class SeveralProcesses:
    """Answers in processes of their own, each of which loads the model and takes one core.

    Files are read where they are answered; only names and answers go between processes.
    """

    def __init__(self, address: str, engine: str | None, processes: int) -> None:
        """Start the processes.

        Raises:
            ModelUnavailableError: The model cannot be loaded.
        """
        self._processes = processes
        # Not forked: a fork takes along locks that threads of this process hold.
        self._pool = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=_begin
        )
        self._answer = functools.partial(_answer, address, engine)
        try:
            self.title, self.labels = self._pool.submit(
                _load_and_describe, address, engine
            ).result()
        except BaseException:
            self._pool.shutdown(cancel_futures=True)
            raise

    def answers(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """Answer questions in order; the processes end with the last.

        Raises:
            TrainingError: A process was killed.
        """
        try:
            with self._pool:
                yield from in_order(self._pool, self._answer, questions, _AHEAD * self._processes)
        except BrokenProcessPool as error:
            raise TrainingError(
                "One of the processes was killed, perhaps because memory ran out. Try "
                f"again with fewer than --processes {self._processes}."
            ) from error


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    keep_freed_memory()


@functools.cache
def _load(address: str, engine: str | None) -> Model:
    return load_model(address, engine, _THREADS)


def _load_and_describe(address: str, engine: str | None) -> tuple[str, tuple[str, ...]]:
    return _describe(_load(address, engine))


def _answer(address: str, engine: str | None, question: Question) -> Answer:
    return answer(_load(address, engine), question)


def _describe(model: Model) -> tuple[str, tuple[str, ...]]:
    metadata = model.metadata
    return f"{metadata.name} {metadata.version} ({model.engine})", metadata.labels

"""Who does the work: this process, others on this machine, or any Executor you bring.

Whoever works, results are the same bytes and come back here, where the ledger is kept. An item that fails, or whose
worker dies (out of memory, killed), becomes a failure with its reason; the others are still done.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import wait as wait_for_end
from typing import Any, TypeVar

from maskwright.errors import InputError, MaskwrightError, MissingPartError

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """Why an item came to nothing, in one line."""

    reason: str


@dataclass(frozen=True)
class Crew:
    """Something that does tasks: `workers` processes of this machine, or an executor somebody brought."""

    workers: int = 1
    executor: Executor | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"--workers {self.workers}: at least 1 worker is needed; leave it out for one")

    @property
    def is_elsewhere(self) -> bool:
        """Whether tasks leave this process."""
        return self.executor is not None or self.workers > 1

    def for_tasks(self, tasks: int) -> Crew:
        """The crew without the workers that would have nothing to do; a single task is done here."""
        return replace(self, workers=max(1, min(self.workers, tasks)))

    def threads(self, tasks: int) -> int:
        """How many threads each of `tasks` may use, so that no core is idle and none is asked for twice.

        One where somebody else's executor does the work: it knows its machines.
        """
        return 1 if self.executor else max(1, _cores() // max(1, min(self.workers, tasks)))

    def do(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[Task, Result | Failure]]:
        """Each task with its result or failure, in the order they are finished."""
        if self.executor is not None:
            waiting = iter(tasks)
            yield from _spread(self.executor, work, waiting, at_once=4 * (os.cpu_count() or 1))
            yield from ((task, Failure("the executor broke before this one was begun; run again")) for task in waiting)
        elif self.workers > 1:
            yield from _in_processes(self.workers, work, tasks)
        else:
            for task in tasks:
                yield task, _tried(work, task)


def _cores() -> int:
    """Cores this process may use: OMP_NUM_THREADS where it is set, else those the system lets it have."""
    if (told := os.environ.get("OMP_NUM_THREADS", "")).isdigit() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def cluster_executor(address: str) -> Iterator[Executor]:
    """The executor of a dask cluster that is already running, "tcp://host:8786" for example."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingPartError(
            "--cluster needs dask.distributed, which is not installed: pip install 'maskwright[scale]'"
        ) from error
    try:
        client = Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"--cluster {address}: no dask scheduler answers there ({error}); check the address"
        ) from error
    with client:
        yield client.get_executor(pure=False)


def _tried(work: Callable[[Task], Result], task: Task) -> Result | Failure:
    try:
        return work(task)
    except Exception as error:  # noqa: BLE001  # one picture's failure, whatever it is, stops no other picture
        return Failure(reason_of(error))


def reason_of(error: BaseException) -> str:
    """An error as one line: its text if it was written for users, else with the name of its kind."""
    text = " ".join(str(error).split())
    if isinstance(error, MaskwrightError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _in_processes(
    workers: int, work: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[tuple[Task, Result | Failure]]:
    """Like `_spread`, with a new pool whenever a worker dies; tasks it took along are tried once more, one by one."""
    waiting = iter(tasks)
    while True:
        suspects: list[Task] = []
        with _pool(workers) as pool:
            for task, result in _spread(pool, work, waiting, at_once=2 * workers):
                if isinstance(result, _Lost):
                    suspects.append(task)
                else:
                    yield task, result
        for task in suspects:
            yield task, _alone(work, task)
        if not suspects:
            return


def _alone(work: Callable[[Task], Result], task: Task) -> Result | Failure:
    with _pool(1) as pool:
        for _, result in _spread(pool, work, [task], at_once=1):
            if not isinstance(result, _Lost):
                return result
    return Failure("the worker process died while it made this one (killed, or out of memory); try fewer --workers")


class _Lost(Failure):
    """A task whose worker, or whose neighbour's worker, died; nobody knows yet which of them is to blame."""


def _spread(
    executor: Executor, work: Callable[[Task], Result], tasks: Iterable[Task], *, at_once: int
) -> Iterator[tuple[Task, Result | Failure]]:
    """Keep `at_once` tasks under way, so that a million of them take no more memory than a few."""
    waiting = iter(tasks)
    under_way: dict[Future[Result], Task] = {}
    is_broken = False
    while True:
        for task in islice(waiting, 0 if is_broken else at_once - len(under_way)):
            try:
                with _quiet_birth():
                    under_way[executor.submit(work, task)] = task
            except BrokenExecutor as error:
                is_broken = True
                yield task, _Lost(reason_of(error))
                break
        if not under_way:
            return
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            task = under_way.pop(future)
            result = _result(future)
            is_broken = is_broken or isinstance(result, _Lost)
            yield task, result


def _result(future: Future[Result]) -> Result | Failure:
    try:
        return future.result()
    except BrokenExecutor as error:
        return _Lost(f"the worker died: {reason_of(error)}")
    except Exception as error:  # noqa: BLE001  # as in `_tried`: one item's failure stops no other
        return Failure(reason_of(error))


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin_work)


@contextmanager
def _quiet_birth() -> Iterator[None]:
    """Ctrl-C waits while a worker is started: it would interrupt its imports, and they would print a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_work() -> None:
    """A worker dies of Ctrl-C at once and without a word: what it had begun is no file yet, and the parent speaks."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _end_with_parent()


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, so that it can never write beside the run that continues."""
    parent = multiprocessing.parent_process()

    def watch(sentinel: Any) -> None:
        wait_for_end([sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()

"""Measure many things, several at a time, each on one core of the host, and tell how long it will take."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge import _stop
from bridge.errors import SpartanError
from bridge.worth.store import Record, Store

__all__ = ["Progress", "Task", "missing", "run_tasks"]

_LOOK_S = 0.5


@dataclass(frozen=True)
class Task:
    """One thing to measure.

    Attributes:
        what: all that its record depends on, beside the versions of model, kernels and units.
        make: measures it.
        label: for progress and errors.
        work: about the seconds that it takes one core.
    """

    what: Mapping[str, Any]
    make: Callable[[], Record]
    label: str
    work: float


@dataclass(frozen=True)
class Progress:
    """A task has ended.

    Attributes:
        task: which one.
        record: what it found; None where it failed.
        error: why it failed.
        seconds: that it took.
        done, total: numbers of tasks, those that were stored before left out.
        left_s: estimate of the time to the end, from the speed so far.
    """

    task: Task
    record: Record | None
    error: SpartanError | None
    seconds: float
    done: int
    total: int
    left_s: float


def missing(store: Store, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks that have no record, each once, in their order."""
    by_record = {store.path(task.what): task for task in reversed(tasks)}
    return [task for path, task in reversed(by_record.items()) if not path.exists()]


def run_tasks(store: Store, tasks: Sequence[Task], cores: int, on_done: Callable[[Progress], None]) -> list[Progress]:
    """Measure what has no record, `cores` tasks at a time; return those that failed.

    A task that fails does not keep the others from being measured.
    """
    todo = missing(store, tasks)
    total_work = sum(task.work for task in todo)
    begin, done_work = time.perf_counter(), 0.0
    failed = []
    with concurrent.futures.ThreadPoolExecutor(cores, thread_name_prefix="measure") as pool:
        futures = {pool.submit(_timed, store, task): task for task in todo}
        try:
            waiting = set(futures)
            done = 0
            while waiting:
                _stop.check()
                ended, waiting = concurrent.futures.wait(
                    waiting, timeout=_LOOK_S, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in ended:
                    task = futures[future]
                    record, error, seconds = future.result()
                    done, done_work = done + 1, done_work + task.work
                    left = (time.perf_counter() - begin) / done_work * (total_work - done_work)
                    progress = Progress(task, record, error, seconds, done, len(todo), left)
                    if error is not None:
                        failed.append(progress)
                    on_done(progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


def _timed(store: Store, task: Task) -> tuple[Record | None, SpartanError | None, float]:
    begin = time.perf_counter()
    try:
        return store.get(task.what, task.make), None, time.perf_counter() - begin
    except SpartanError as error:
        return None, error, time.perf_counter() - begin

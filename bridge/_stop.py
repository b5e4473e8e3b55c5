"""Ending on SIGINT and SIGTERM without raising at an arbitrary point of somebody else's code.

The handler only writes a byte to a pipe. A thread reads it and interrupts the sessions: their calls under way end, and
the next one raises `StoppedError` in the main thread. Where that has not ended the process after some seconds, the
thread ends it, children and files included.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn, Protocol

__all__ = ["StoppedError", "check", "ignore", "install", "register", "uninterrupted"]

_PATIENCE_S = 5.0
"""From the signal to the forced end."""


class Stoppable(Protocol):
    """What can be interrupted, and abandoned with all that it holds outside this process."""

    def interrupt(self) -> None:
        """End the calls under way."""

    def abandon(self) -> None:
        """Kill processes and remove files."""


class StoppedError(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        """Remember the signal's number."""
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        word = "interrupted" if self.number == signal.SIGINT else "terminated"
        return f"{word}; results of what was under way are not kept"

    @property
    def exit_code(self) -> int:
        """As shells tell it."""
        return 128 + self.number


_requested: int | None = None
_sessions: weakref.WeakSet[Stoppable] = weakref.WeakSet()


def install() -> None:
    """Take over SIGINT and SIGTERM; called once, in the main thread."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def handler(number: int, _: object) -> None:
        global _requested
        if _requested is None:
            _requested = number
            os.write(writer, b"!")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    threading.Thread(target=_watch, args=(reader,), name="stop", daemon=True).start()


def ignore() -> None:
    """Let no further signal end the process: it is ending, and says with which status.

    Python puts the default action back in place of its own handlers before it ends, but leaves ignored signals ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def register(session: Stoppable) -> None:
    """Interrupt this one too."""
    _sessions.add(session)


def check() -> None:
    """Raise StoppedError where a signal has asked for the end."""
    if _requested is not None:
        raise StoppedError(_requested)


def _watch(reader: int) -> NoReturn:
    os.read(reader, 1)
    for session in list(_sessions):
        session.interrupt()
    time.sleep(_PATIENCE_S)  # the process ends meanwhile, and this thread with it
    for session in list(_sessions):
        session.abandon()
    assert _requested is not None
    stopped = StoppedError(_requested)
    print(f"spartan: {stopped}", file=sys.stderr, flush=True)  # noqa: T201 - the one sentence
    os._exit(stopped.exit_code)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C: what is inside takes a few seconds at most and must not be left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)

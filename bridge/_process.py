"""Child processes of a session: started by exec, told to end by the end of their standard input, never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path

from bridge import _stop

__all__ = ["Child", "ChildError"]


class ChildError(Exception):
    """A child did not start; the message is what it said."""


class Child:
    """A program that prints one line `{"listening": ADDRESS}` when it is ready.

    Its standard input is a pipe of ours: when this process ends, for whatever reason, the pipe closes and the child
    ends too. It runs in a session of its own, so that a Ctrl-C at the terminal reaches this process alone.

    Attributes:
        address: what it listens on.
        pid: its process id.
    """

    def __init__(self, command: list[str], *, log: Path, env: dict[str, str] | None = None) -> None:
        """Start `command`, with standard error appended to `log`; `wait_ready` comes next."""
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env=env,
            )
        self.pid = self._process.pid
        self.address = ""

    def __repr__(self) -> str:
        return f"<Child {self.pid} {self.address}>"

    def wait_ready(self, timeout_s: float) -> None:
        """Wait for the ready line.

        Raises:
            ChildError: where the child ends, or is silent for `timeout_s`, before it is ready.
        """
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        line = b""
        while not line.endswith(b"\n"):
            _stop.check()
            readable, _, _ = select.select([descriptor], [], [], 0.1)
            if not readable:
                if time.monotonic() < deadline:
                    continue
                raise ChildError(f"it was not ready within {timeout_s:g} s")
            part = os.read(descriptor, 4096)
            if not part:
                self._process.wait()
                raise ChildError(self.last_words() or f"it ended with {self.status()}")
            line += part
        self.address = str(json.loads(line)["listening"])

    def last_words(self) -> str:
        """Return the last line that the child wrote to standard error, "" where there is none."""
        with contextlib.suppress(OSError):
            lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
            if lines:
                return lines[-1].strip()
        return ""

    def running(self) -> bool:
        """Tell whether the child still runs."""
        return self._process.poll() is None

    def status(self) -> str:
        """Return how the child ended, as a phrase."""
        code = self._process.poll()
        if code is None:
            return "no status (it still runs)"
        if code < 0:
            return f"signal {signal.Signals(-code).name}"
        return f"status {code}"

    def wait(self, timeout_s: float) -> bool:
        """Wait until the child has ended; tell whether it has."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ask_to_end(self) -> None:
        """Close the child's input, which tells it to end."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def stop(self, patience_s: float = 2.0) -> None:
        """End the child: close its input, and after `patience_s` kill it."""
        assert self._process.stdout is not None
        self.ask_to_end()
        if patience_s <= 0 or not self.wait(patience_s):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()

"""The server of a unit that the session starts itself: a process of its own, or a thread of this one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Protocol

from bridge._process import Child, ChildError
from bridge.errors import ConfigurationError, UnitFailedError
from bridge.units import UnitChoice
from spartan_units.errors import UnitError
from spartan_units.registry import load_unit
from spartan_units.serve import make_server

__all__ = ["UnitServer", "start_unit_server"]


class UnitServer(Protocol):
    """A server that is on its way up."""

    address: str
    pid: int

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until it listens; raises ChildError."""

    def ask_to_end(self) -> None:
        """Tell it to end, without waiting."""

    def stop(self, patience_s: float = 2.0) -> None:
        """End it."""

    def wait(self, timeout_s: float) -> bool:
        """Tell whether it has ended, waiting at most so long."""

    def status(self) -> str:
        """Return how it ended, as a phrase."""


class _ThreadServer:
    """A unit in this process: threads of a gRPC server on a socket in the session's directory."""

    def __init__(self, choice: UnitChoice, address: str) -> None:
        self.pid = os.getpid()
        self._server, self.address = make_server(load_unit(choice.spec.removeprefix("thread:"), choice.kind), address)
        self._server.start()
        self._running = True

    def wait_ready(self, timeout_s: float) -> None:
        """Do nothing: it listens already."""

    def ask_to_end(self) -> None:
        """Do nothing: `stop` is quick."""

    def stop(self, patience_s: float = 2.0) -> None:
        """End its streams."""
        self._running = False
        self._server.stop(grace=max(min(patience_s, 0.2), 0)).wait(max(patience_s, 0.2))

    def wait(self, timeout_s: float) -> bool:
        """Tell whether it was stopped."""
        return not self._running

    def status(self) -> str:
        """Return a phrase."""
        return "the driver"


def start_unit_server(choice: UnitChoice, socket: Path, log: Path) -> UnitServer:
    """Start the server of a unit.

    Raises:
        ConfigurationError: for a unit that is to run in this process and can't be found.
        UnitFailedError: where the process does not start.
    """
    address = f"unix:{socket}"
    if choice.in_thread:
        try:
            load_unit(choice.spec.removeprefix("thread:"), choice.kind).validate(dict(choice.parameters))
            return _ThreadServer(choice, address)
        except UnitError as error:
            raise ConfigurationError(str(error)) from None
    command = [sys.executable, "-m", "spartan_units.serve", "--unit", choice.spec, "--kind", choice.kind.value]
    command += ["--check-parameters", json.dumps(dict(choice.parameters))]
    try:
        return Child([*command, "--listen", address], log=log, env=_environment())
    except (OSError, ChildError) as error:
        raise UnitFailedError(f"the server of unit {choice.spec} did not start: {error}") from None


def _environment() -> dict[str, str]:
    """Return the environment of unit servers: one thread of numpy each, since the model uses the other cores."""
    return {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}}

"""The units of a session: their servers, their seats at the GPU model, and what takes their place for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bridge._connection import START_TIMEOUT_S
from bridge._process import ChildError
from bridge._unit_server import UnitServer, start_unit_server
from bridge.errors import ConfigurationError
from bridge.units import WIRE_KINDS, AttachedUnit, UnitChoice, UnitKey
from spartan_units.types import UnitKind
from spartan_units.wire import gpu_model_pb2

__all__ = ["Attachments"]


class Attachments:
    """The units of one session.

    Attributes:
        units: those in their seats; shadows are not among them.
        servers: the servers that the session has started.
    """

    def __init__(self, directory: Path, log: Path, deadline_s: float, call: Callable[[str, Any], Any]) -> None:
        """Begin without units.

        Args:
            directory: the session's private one, for sockets.
            log: receives what the servers say beyond their one sentence.
            deadline_s: wall time without an answer after which a unit counts as failed.
            call: calls a method of the GPU model by its name.
        """
        self.units: dict[UnitKind, AttachedUnit] = {}
        self.servers: dict[UnitKey, UnitServer] = {}
        self._directory = directory
        self._log = log
        self._deadline_s = deadline_s
        self._call = call
        self._seats: dict[UnitKind, int] = {}
        self._choices: dict[UnitKind, UnitChoice] = {}

    def serve(self, choice: UnitChoice) -> None:
        """Start the server of a unit that is to have one, unless it runs already."""
        if choice.empty or choice.target is not None or choice.key in self.servers:
            return
        socket = self._directory / f"{choice.kind.value}{len(self.servers)}"
        self.servers[choice.key] = start_unit_server(choice, socket, self._log)

    def attach(self, choice: UnitChoice) -> AttachedUnit | None:
        """Fill a seat, or attach a shadow to it; return the unit, or None where the seat is to stay empty.

        Raises:
            ConfigurationError: for a unit that can't be found or refuses its parameters.
            UnitFailedError: where it does not start or fails in the handshake.
        """
        if choice.empty:
            return None
        self.serve(choice)
        server = self.servers.get(choice.key)
        if server is not None:
            try:
                server.wait_ready(START_TIMEOUT_S)
            except ChildError as error:
                raise ConfigurationError(str(error)) from None
        reply = self._call("AttachUnit", self._request(choice, choice.target if server is None else server.address))
        unit = AttachedUnit(
            kind=choice.kind,
            name=reply.unit.name,
            version=reply.unit.version,
            placement=choice.placement,
            parameters=json.loads(reply.unit.parameters_json or "{}"),
        )
        if not choice.shadow:
            self._seats[choice.kind], self._choices[choice.kind] = reply.seat, choice
            self.units[choice.kind] = unit
        return unit

    def _request(self, choice: UnitChoice, target: str | None) -> Any:
        security = choice.security
        return gpu_model_pb2.AttachUnitRequest(
            kind=WIRE_KINDS[choice.kind],
            target=target,
            parameters_json=json.dumps(dict(choice.parameters)),
            reply_deadline_s=self._deadline_s,
            credit_window=choice.credit_window,
            max_batch_events=choice.max_batch_events,
            shadow=choice.shadow,
            tls_ca=security.ca,
            tls_certificate=security.certificate,
            tls_key=security.key,
            token=security.token,
            insecure_loopback=security.insecure_loopback,
        )

    def detach(self, kind: UnitKind) -> dict[str, float]:
        """End the stream of the unit in a seat, and its process; return its counters."""
        reply = self._call("DetachUnit", gpu_model_pb2.DetachUnitRequest(seat=self._seats.pop(kind)))
        del self.units[kind]
        server = self.servers.pop(self._choices.pop(kind).key, None)
        if server is not None:
            server.stop()
        counters: dict[str, float] = json.loads(reply.counters_json or "{}")
        return counters

    def seat(self, kind: UnitKind) -> int:
        """Return the number of a seat.

        Raises:
            ConfigurationError: where it is empty.
        """
        if kind not in self._seats:
            raise ConfigurationError(f"no {kind.value} is attached")
        return self._seats[kind]

    def exchange(self, choices: Mapping[UnitKind, UnitChoice | None]) -> dict[UnitKind, UnitChoice | None]:
        """Fill seats anew, None leaves one empty; return what was in them."""
        before = {kind: self._choices.get(kind) for kind in choices}
        for kind, choice in choices.items():
            if kind in self.units:
                self.detach(kind)
            if choice is not None:
                self.attach(choice)
        return before

"""Which unit sits in which seat, and where it runs, as a user says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bridge.errors import ConfigurationError
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from spartan_units.wire import common_pb2

__all__ = ["WIRE_KINDS", "AttachedUnit", "TcpSecurity", "UnitChoice", "UnitKey", "default_choices", "parse_choice"]


WIRE_KINDS = {
    UnitKind.MONITOR: common_pb2.UNIT_KIND_MONITOR,
    UnitKind.COMPACTION: common_pb2.UNIT_KIND_COMPACTION,
    UnitKind.SCHEDULER: common_pb2.UNIT_KIND_SCHEDULER,
}
"""The wire's numbers of the seats."""


@dataclass(frozen=True, kw_only=True)
class TcpSecurity:
    """What protects the way to a unit server on TCP: mutual TLS, a token over TLS, or nothing on a loopback address.

    Attributes:
        ca: PEM, the authority that has signed the server's certificate.
        certificate, key: PEM, the client's own, for mutual TLS.
        token: presented over TLS.
        insecure_loopback: allow a bare connection to a loopback address.
    """

    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    insecure_loopback: bool = False

    @classmethod
    def from_files(
        cls,
        *,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        token: Path | None = None,
        insecure_loopback: bool = False,
    ) -> TcpSecurity:
        """Read what the files hold.

        Raises:
            ConfigurationError: where one can't be read.
        """

        def content(path: Path | None) -> bytes:
            try:
                return b"" if path is None else path.read_bytes()
            except OSError as error:
                raise ConfigurationError(f"{path} can't be read: {error.strerror}") from None

        return cls(
            ca=content(ca),
            certificate=content(certificate),
            key=content(key),
            token=content(token).decode(errors="replace").strip(),
            insecure_loopback=insecure_loopback,
        )


@dataclass(frozen=True)
class AttachedUnit:
    """A unit in its seat: name and version as it declares them, where it runs, and its parameters with all defaults."""

    kind: UnitKind
    name: str
    version: str
    placement: str
    parameters: Mapping[str, Any]


class UnitKey(NamedTuple):
    """Tells the units of a session apart."""

    kind: UnitKind
    spec: str
    shadow: bool


@dataclass(frozen=True)
class UnitChoice:
    """The unit for one seat.

    Attributes:
        kind: the seat.
        spec: an installed unit's name, `package:Class` or `./file.py:Class`, served from a process of its own;
            `thread:` before any of these to run it in the driver's process; `builtin` for the one built into the model;
            `unix:/path` or `tcp://host:port` for a server that runs already; `replay:DIR` for a recording; `none` to
            leave the seat empty.
        parameters: the unit's own parameters.
        shadow: the unit receives the same events as the one in the seat, and its answers are compared, not applied.
        credit_window: batches that may be under way without acknowledgement; 0 for the model's default.
        max_batch_events: events a batch; 0 for the model's default.
        security: what protects a TCP connection.
    """

    kind: UnitKind
    spec: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shadow: bool = False
    credit_window: int = 0
    max_batch_events: int = 0
    security: TcpSecurity = TcpSecurity()

    @property
    def placement(self) -> str:
        """Return where a unit runs, for results: "grpc" is a process on this host, started here or by somebody else."""
        if self.target is None:
            return "thread" if self.in_thread else "grpc"
        place = self.target.partition(":")[0]
        return "grpc" if place == "unix" else place

    @property
    def empty(self) -> bool:
        """Whether the seat stays empty."""
        return self.spec == "none"

    @property
    def key(self) -> UnitKey:
        """What tells it apart in its session."""
        return UnitKey(self.kind, self.spec, self.shadow)

    @property
    def in_thread(self) -> bool:
        """Whether the unit runs in the driver's process."""
        return self.spec.startswith("thread:")

    @property
    def target(self) -> str | None:
        """The address that the model is to use; None for a unit that a server has to be started for."""
        if self.spec in ("builtin", "builtin:"):
            return "builtin:"
        if self.spec.startswith("replay:"):
            return f"replay:{Path(self.spec.removeprefix('replay:')).resolve()}"
        return self.spec if self.spec.startswith(("unix:", "tcp://")) else None


def default_choices() -> dict[UnitKind, UnitChoice]:
    """Return the three Spartan units with their default parameters."""
    return {kind: UnitChoice(kind, spec) for kind, spec in DEFAULT_UNITS.items()}


def parse_choice(text: str) -> UnitChoice:
    """Return the choice that `KIND=SPEC` stands for; `shadow:KIND=SPEC` attaches a shadow.

    Raises:
        ConfigurationError: for an unknown kind or a missing specification.
    """
    kind, separator, spec = text.partition("=")
    shadow = kind.startswith("shadow:")
    kind = kind.removeprefix("shadow:")
    kinds = [known.value for known in UnitKind]
    if not separator or not spec or kind not in kinds:
        raise ConfigurationError(f"--unit takes KIND=SPEC with a kind of {', '.join(kinds)}, got {text!r}")
    return UnitChoice(UnitKind(kind), spec, shadow=shadow)

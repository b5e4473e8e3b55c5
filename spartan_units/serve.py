"""Serve one unit over gRPC: `python -m spartan_units.serve --unit SPEC --kind KIND --listen unix:/path`.

Prints one JSON line `{"listening": "unix:/path"}` when it is ready, and ends when its standard input closes, so that
it never outlives the process that started it. A specification that can't be loaded ends it with status 2 and one
sentence on standard error.
"""

from __future__ import annotations

import argparse
import hmac
import ipaddress
import json
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Otherwise pollers of gRPC's own hand over every message twice more on its way to the stream's thread, a quarter of
    # a server's time. gRPC reads this once, when it is loaded; in a process that is not ours others decide.
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")

import grpc

try:
    import resource
except ImportError:  # not on this system
    resource = None  # type: ignore[assignment]

from spartan_units.base import Unit
from spartan_units.errors import UnitError, UnitNotFoundError
from spartan_units.registry import load_unit
from spartan_units.stream import UnitStream
from spartan_units.types import Machine, UnitKind
from spartan_units.wire import units_pb2_grpc

__all__ = ["MESSAGE_LIMIT", "ServerSecurity", "UnitServicer", "main", "make_server"]

MESSAGE_LIMIT = 64 << 20
"""Bytes of the largest message either way."""

_STREAMS = 8
_MEMORY_MB = 8192


@dataclass(frozen=True, kw_only=True)
class ServerSecurity:
    """What protects a TCP server: mutual TLS, a token over TLS, or nothing on a loopback address. PEM bytes.

    Attributes:
        certificate: the server's certificate chain.
        key: its private key.
        client_ca: the authority whose client certificates are accepted; makes TLS mutual.
        token: what clients must present.
        insecure_loopback: allow a bare connection on a loopback address.
    """

    certificate: bytes = b""
    key: bytes = b""
    client_ca: bytes = b""
    token: str = ""
    insecure_loopback: bool = False

    def credentials(self, listen: str) -> grpc.ServerCredentials | None:
        """Return the credentials for a TCP address, None for a bare loopback connection.

        Raises:
            UnitError: where nothing, or too little, would protect the address.
        """
        if self.insecure_loopback:
            host = listen.rpartition(":")[0].strip("[]")
            if host != "localhost" and not _is_loopback(host):
                raise UnitError(f"a bare TCP connection is for loopback addresses only, {host} is none: use TLS")
            return None
        if not (self.certificate and self.key and (self.client_ca or self.token)):
            raise UnitError(
                f"a unit server on {listen} needs mutual TLS (certificate, key, client authority) or a token over TLS "
                "(certificate, key, token), or --insecure-loopback on a loopback address"
            )
        mutual = bool(self.client_ca)
        return grpc.ssl_server_credentials([(self.key, self.certificate)], self.client_ca or None, mutual)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class UnitServicer(units_pb2_grpc.UnitsServicer):
    """The `Units` service over one unit class; every stream gets an instance of its own."""

    def __init__(self, unit: type[Unit], token: str = "") -> None:
        """Serve instances of `unit` to clients that present `token`, or to all where it is empty."""
        self._unit = unit
        self._token = token
        self._streams: set[UnitStream] = set()

    def Attach(self, request_iterator: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802 - the wire's name
        """Run one stream."""
        if self._token:
            given = dict(context.invocation_metadata()).get("authorization", "")
            if not hmac.compare_digest(str(given), f"Bearer {self._token}"):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not the one that this unit server expects")
        stream = UnitStream(self._make)
        self._streams.add(stream)
        try:
            yield from stream.run(request_iterator)
        finally:
            self._streams.discard(stream)

    def tell_of_waits(self, told: dict[int, str], patience_s: float = 5.0) -> None:
        """Tell on standard error which unit has been at one event for longer than `patience_s`, once an event."""
        for stream in list(self._streams):
            since, doing = stream.busy_since, stream.doing
            seconds = 0.0 if since is None else time.monotonic() - since
            if seconds > patience_s and told.get(id(stream)) != doing:
                told[id(stream)] = doing
                print(f"the model waits: {stream!r} has been at {doing} for {seconds:.0f} s", file=sys.stderr)  # noqa: T201

    def _make(self, name: str, kind: UnitKind, machine: Machine, parameters: dict[str, Any]) -> Unit:
        if name and name != self._unit.name:
            raise UnitError(f"the model asks for unit {name!r}, this server has {self._unit.name!r}")
        if kind is not self._unit.kind:
            raise UnitError(f"unit {self._unit.name} is of kind {self._unit.kind.value}, the seat is {kind.value}")
        return self._unit(machine, parameters)


def make_server(unit: type[Unit], listen: str, security: ServerSecurity | None = None) -> tuple[grpc.Server, str]:
    """Return a server that is bound but not started, and the address it is bound to.

    Args:
        unit: class to serve.
        listen: `unix:/path` or `[tcp://]host:port`; port 0 lets the system choose. The socket file gets mode 0600; put
            it into a private directory.
        security: what protects a TCP address; a Unix socket needs none.

    Raises:
        UnitError: where the address can't be bound or would not be protected.
    """
    security = security or ServerSecurity()
    server = grpc.server(
        # One thread a stream for its whole life, so there must be more threads than streams.
        futures.ThreadPoolExecutor(max_workers=_STREAMS + 2, thread_name_prefix="unit"),
        options=[
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", _STREAMS),
        ],
    )
    on_unix = listen.startswith("unix:")
    token = "" if on_unix else security.token
    servicer = UnitServicer(unit, token)
    threading.Thread(target=_watch, args=(weakref.ref(servicer),), name="watchdog", daemon=True).start()
    units_pb2_grpc.add_UnitsServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    listen = listen.removeprefix("tcp://")
    credentials = None if on_unix else security.credentials(listen)
    mask = os.umask(0o177)
    try:
        port = server.add_secure_port(listen, credentials) if credentials else server.add_insecure_port(listen)
    except RuntimeError as error:
        raise UnitError(f"unit server can't listen on {listen}: {str(error).splitlines()[0]}") from error
    finally:
        os.umask(mask)
    return server, listen if on_unix else f"{listen.rpartition(':')[0]}:{port}"


def main(arguments: list[str] | None = None) -> int:
    """Serve until standard input closes or a signal comes; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m spartan_units.serve", description="Serve one unit over gRPC.")
    parser.add_argument("--unit", required=True, help="entry-point name, package:Class or ./file.py:Class")
    parser.add_argument("--kind", choices=[kind.value for kind in UnitKind], help="the seat it must fit")
    parser.add_argument("--listen", required=True, help="unix:/path or tcp://host:port")
    parser.add_argument("--tls-certificate", type=Path, help="PEM file: the server's certificate chain")
    parser.add_argument("--tls-key", type=Path, help="PEM file: its private key")
    parser.add_argument(
        "--tls-client-ca", type=Path, help="PEM file: the authority of client certificates (mutual TLS)"
    )
    parser.add_argument("--token-file", type=Path, help="file with the token that clients must present over TLS")
    parser.add_argument("--insecure-loopback", action="store_true", help="bare TCP, on a loopback address only")
    parser.add_argument(
        "--check-parameters", default="{}", help="JSON object: refuse to start unless the unit takes it"
    )
    parser.add_argument("--memory-mb", type=int, default=_MEMORY_MB, help="memory that the unit may use; 0: no limit")
    options = parser.parse_args(arguments)
    try:
        unit = load_unit(options.unit, UnitKind(options.kind) if options.kind else None)
        unit.validate(json.loads(options.check_parameters))
        server, address = make_server(unit, options.listen, _security(options))
    except (UnitNotFoundError, UnitError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one sentence
        return 2
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    _pin()
    _limit_memory(options.memory_mb)
    server.start()
    print(json.dumps({"listening": address}), flush=True)  # noqa: T201 - the ready line
    threading.Thread(target=_wait_for_parent, args=(ended,), daemon=True).start()
    ended.wait()
    server.stop(grace=0.2).wait(timeout=1.0)
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)
    return 0


def _watch(servicer: weakref.ref[UnitServicer]) -> None:
    """Tell of waits for as long as the server exists."""
    told: dict[int, str] = {}
    while (watched := servicer()) is not None:
        watched.tell_of_waits(told)
        del watched
        time.sleep(1.0)


def _limit_memory(megabytes: int) -> None:
    """Let allocations beyond the limit raise MemoryError, which ends the run in one sentence."""
    if resource is not None and megabytes > 0:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = megabytes << 20
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _pin() -> None:
    """Keep to one core: threads that hand each other one lock do so in two thirds of the time."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})


def _security(options: argparse.Namespace) -> ServerSecurity:
    def content(path: Path | None) -> bytes:
        try:
            return path.read_bytes() if path else b""
        except OSError as error:
            raise UnitError(f"{path} can't be read: {error.strerror}") from None

    return ServerSecurity(
        certificate=content(options.tls_certificate),
        key=content(options.tls_key),
        client_ca=content(options.tls_client_ca),
        token=content(options.token_file).decode().strip(),
        insecure_loopback=options.insecure_loopback,
    )


def _wait_for_parent(ended: threading.Event) -> None:
    """Set `ended` when standard input reaches its end, which it does when the parent dies."""
    while os.read(0, 4096):
        pass
    ended.set()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a hook that never returns must not keep the process

"""Serve one unit over gRPC: `python -m spartan_units.serve --unit SPEC --kind KIND --listen unix:/path`.

Prints one JSON line `{"listening": "unix:/path"}` when it is ready, and ends when its standard input closes, so that
it never outlives the process that started it. A specification that can't be loaded ends it with status 2 and one
sentence on standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

from spartan_units.base import Unit
from spartan_units.errors import UnitError, UnitNotFoundError
from spartan_units.registry import load_unit
from spartan_units.stream import UnitStream
from spartan_units.types import Machine, UnitKind
from spartan_units.wire import units_pb2_grpc

__all__ = ["MESSAGE_LIMIT", "UnitServicer", "main", "make_server"]

MESSAGE_LIMIT = 64 << 20
"""Bytes of the largest message either way."""

_STREAMS = 8


class UnitServicer(units_pb2_grpc.UnitsServicer):
    """The `Units` service over one unit class; every stream gets an instance of its own."""

    def __init__(self, unit: type[Unit]) -> None:
        """Serve instances of `unit`."""
        self._unit = unit

    def Attach(self, request_iterator: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802 - the wire's name
        """Run one stream."""
        return UnitStream(self._make).run(request_iterator)

    def _make(self, name: str, kind: UnitKind, machine: Machine, parameters: dict[str, Any]) -> Unit:
        if name and name != self._unit.name:
            raise UnitError(f"the model asks for unit {name!r}, this server has {self._unit.name!r}")
        if kind is not self._unit.kind:
            raise UnitError(f"unit {self._unit.name} is of kind {self._unit.kind.value}, the seat is {kind.value}")
        return self._unit(machine, parameters)


def make_server(unit: type[Unit], listen: str) -> tuple[grpc.Server, str]:
    """Return a server that is bound but not started, and the address it is bound to.

    Args:
        unit: class to serve.
        listen: `unix:/path` or `host:port`; port 0 lets the system choose.

    Raises:
        UnitError: where the address can't be bound.
    """
    server = grpc.server(
        # One thread a stream for its whole life, so there must be more threads than streams.
        futures.ThreadPoolExecutor(max_workers=_STREAMS + 2, thread_name_prefix="unit"),
        options=[
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
            ("grpc.so_reuseport", 0),
        ],
    )
    units_pb2_grpc.add_UnitsServicer_to_server(UnitServicer(unit), server)  # type: ignore[no-untyped-call]
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise UnitError(f"unit server can't listen on {listen}: {error}") from error
    if listen.startswith("unix:"):
        os.chmod(listen.removeprefix("unix:"), 0o600)  # noqa: PTH101 - an address, not a path object
        return server, listen
    return server, f"{listen.rpartition(':')[0]}:{port}"


def main(arguments: list[str] | None = None) -> int:
    """Serve until standard input closes or a signal comes; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m spartan_units.serve", description="Serve one unit over gRPC.")
    parser.add_argument("--unit", required=True, help="entry-point name, package:Class or ./file.py:Class")
    parser.add_argument("--kind", choices=[kind.value for kind in UnitKind], help="the seat it must fit")
    parser.add_argument("--listen", required=True, help="unix:/path or 127.0.0.1:port")
    options = parser.parse_args(arguments)
    try:
        unit = load_unit(options.unit, UnitKind(options.kind) if options.kind else None)
        server, address = make_server(unit, options.listen)
    except (UnitNotFoundError, UnitError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one sentence
        return 2
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    print(json.dumps({"listening": address}), flush=True)  # noqa: T201 - the ready line
    threading.Thread(target=_wait_for_parent, args=(ended,), daemon=True).start()
    ended.wait()
    server.stop(grace=0.2).wait()
    return 0


def _wait_for_parent(ended: threading.Event) -> None:
    """Set `ended` when standard input reaches its end, which it does when the parent dies."""
    while os.read(0, 4096):
        pass
    ended.set()


if __name__ == "__main__":
    sys.exit(main())

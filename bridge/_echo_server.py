"""A bare gRPC stream for comparison: answers every message with a short one and looks at none.

`python -m bridge._echo_server unix:/path` prints its ready line and ends with its standard input, as unit servers do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np

from spartan_units.compaction import EllpackCompactionEngine
from spartan_units.monitor import LineCountingMonitor
from spartan_units.serve import MESSAGE_LIMIT
from spartan_units.types import AppliedTiles, CompactedTiles, StoreBatch, TileBatch

__all__ = ["IdleEngine", "IdleMonitor"]

_ANSWER = bytes(128)
_SIZE, _TILE, _LATENCY = np.full(1, 128, "<u4"), np.zeros(128, "u1"), np.full(1, 13000, "<u8")


class IdleMonitor(LineCountingMonitor):
    """A monitor that does nothing with the stores: what is left is the bridge."""

    name = "idle"

    def stores(self, batch: StoreBatch) -> None:
        """Do nothing."""


class IdleEngine(EllpackCompactionEngine):
    """A compaction engine whose tiles are always the same 128 bytes, found nowhere near the tile."""

    name = "idle"
    stateless = False

    def compact(self, batch: TileBatch) -> CompactedTiles:
        """Answer without looking at the tile."""
        count = len(batch)
        if count != len(_SIZE):
            return CompactedTiles(np.full(count, 128, "<u4"), np.zeros(128 * count, "u1"), np.full(count, 13000, "<u8"))
        return CompactedTiles(_SIZE, _TILE, _LATENCY)

    def applied(self, tiles: AppliedTiles) -> None:
        """Do nothing."""


def _echo(messages: Iterator[bytes], _context: Any) -> Iterator[bytes]:
    for _ in messages:
        yield _ANSWER


def main() -> None:
    """Serve until standard input closes."""
    options = [("grpc.max_send_message_length", MESSAGE_LIMIT), ("grpc.max_receive_message_length", MESSAGE_LIMIT)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=options)
    handler = grpc.method_handlers_generic_handler(
        "spartan.bench.Raw", {"Echo": grpc.stream_stream_rpc_method_handler(_echo)}
    )
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(sys.argv[1])
    server.start()
    print(json.dumps({"listening": sys.argv[1]}), flush=True)  # noqa: T201 - the ready line
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()

"""A unit server that does not use the SDK and breaks the protocol: `raw_server.py MODE SOCKET`."""

from __future__ import annotations

import json
import os
import sys
from concurrent import futures

import grpc
import numpy as np

from spartan_units.compaction import EllpackCompactionEngine
from spartan_units.stream import UnitStream
from spartan_units.wire import common_pb2, units_pb2, units_pb2_grpc


def acknowledge(through: int):
    return units_pb2.UnitMessage(acknowledge=units_pb2.Acknowledge(through_sequence=through))


def reply(sequence: int, size: int = 128, latency: int = 10**6):
    return units_pb2.UnitMessage(
        replies=units_pb2.ReplyBatch(
            count=1,
            sequence=np.array([sequence], "<u8").tobytes(),
            latency_ps=np.array([latency], "<u8").tobytes(),
            compact_tile=units_pb2.CompactTileReply(
                size=np.array([size], "<u4").tobytes(), encoded=common_pb2.Payload(inline=bytes(128))
            ),
        )
    )


class Servicer(units_pb2_grpc.UnitsServicer):
    def __init__(self, mode: str) -> None:
        self.mode = mode

    def Attach(self, requests, context):  # noqa: N802
        stream = UnitStream(lambda _name, _kind, machine, given: EllpackCompactionEngine(machine, given))
        for message in stream.run(requests):
            yield from self.distort(message)

    def distort(self, message):
        body, mode = message.WhichOneof("body"), self.mode
        if body == "hello":
            if mode == "version":
                message.hello.protocol.major = 2
            if mode == "kind":
                message.hello.kind = common_pb2.UNIT_KIND_MONITOR
            if mode == "no hello":
                message = acknowledge(0)
            if mode == "rate":
                message.hello.elements_per_cycle = float("nan")
        elif body == "replies":
            first = int(np.frombuffer(message.replies.sequence, "<u8")[0])
            if mode == "garbage":
                message.replies.sequence = b"\x01\x02\x03"
            if mode == "order":
                numbers = np.frombuffer(message.replies.sequence, "<u8")[::-1]
                message.replies.sequence = numbers.tobytes()
            if mode == "unknown":
                message = reply(10**9)
            if mode == "twice":
                yield message
            if mode == "size":
                message = reply(first, size=4096)
            if mode == "other kind":
                message.replies.counts.CopyFrom(units_pb2.CountsReply(elements=1))
            if mode == "shared":
                message.replies.compact_tile.encoded.shared.name = "../../etc/passwd"
            if mode == "empty":
                yield units_pb2.UnitMessage()
            if mode == "huge":
                message.replies.compact_tile.encoded.inline = bytes(65 << 20)
        elif body == "acknowledge":
            if mode == "flood":
                for _ in range(1_000_000):
                    yield acknowledge(message.acknowledge.through_sequence)
            if mode == "credit":
                message = acknowledge(10**9)
            if mode == "hello again":
                yield units_pb2.UnitMessage(hello=units_pb2.UnitHello(name="again"))
        if mode == "no answer" and body == "replies":
            message = acknowledge(message.handled.through_sequence)
        yield message


def main() -> None:
    mode, socket = sys.argv[1:]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", 128 << 20)])
    units_pb2_grpc.add_UnitsServicer_to_server(Servicer(mode), server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print(json.dumps({"listening": f"unix:{socket}"}), flush=True)  # noqa: T201 - the ready line
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()

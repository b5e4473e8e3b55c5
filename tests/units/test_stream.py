"""A unit on its stream, without a socket: what models of other versions get to hear."""

from __future__ import annotations

import pytest

from spartan_units.compaction import EllpackCompactionEngine
from spartan_units.stream import PROTOCOL_MAJOR, UnitStream
from spartan_units.testing.drive import answers_of, model_hello
from spartan_units.testing.scenarios import scenario
from spartan_units.types import UnitKind
from spartan_units.wire import common_pb2


def said_to(minor: int) -> list:
    """What the engine says to a model of protocol 1.minor that asks for tiles."""
    hello = model_hello(UnitKind.COMPACTION, protocol=common_pb2.Version(major=PROTOCOL_MAJOR, minor=minor))
    scene = scenario(UnitKind.COMPACTION, 1, ("ellpack_dib",))
    stream = UnitStream(lambda _name, _kind, machine, given: EllpackCompactionEngine(machine, given))
    return list(stream.run(iter([hello, *scene.messages(4)])))


@pytest.mark.parametrize("minor", [0, 1, 2, 9])
def test_replies_carry_their_acknowledgement_where_the_model_knows_it(minor):
    said = said_to(minor)
    replies = [message for message in said if message.WhichOneof("body") == "replies"]
    alone = [message for message in said if message.WhichOneof("body") == "acknowledge"]
    assert len(replies) > 1
    assert all(message.HasField("handled") is (minor >= 2) for message in replies)
    acknowledged = [message.handled.through_sequence for message in replies if message.HasField("handled")]
    acknowledged += [message.acknowledge.through_sequence for message in alone]
    assert set(acknowledged) >= {max(answers_of(message.replies)) + 1 for message in replies}
    assert len(acknowledged) == len(set(acknowledged)) >= len(replies)


def test_what_a_unit_answers_does_not_depend_on_the_models_version():
    def answers(minor: int) -> dict:
        return {
            k: v for m in said_to(minor) if m.WhichOneof("body") == "replies" for k, v in answers_of(m.replies).items()
        }

    assert answers(1) == answers(2)

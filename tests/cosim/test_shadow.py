"""A/B on one stream: a shadow sees the same events, changes nothing, and its differences are told."""

from __future__ import annotations

import re

import pytest

from bridge import ConfigurationError, CoSimulation, UnitChoice
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from tests.cosim.jobs import run

BUILTIN = [UnitChoice(kind, "builtin") for kind in UnitKind]


@pytest.fixture(scope="module")
def alone():
    with CoSimulation(units=BUILTIN) as session:
        return run(session)


def test_python_shadows_of_the_built_in_units_agree_with_them(alone):
    shadows = [UnitChoice(kind, spec, shadow=True) for kind, spec in DEFAULT_UNITS.items()]
    with CoSimulation(units=[*BUILTIN, *shadows]) as session:
        assert run(session) == alone
        told = [unit for unit in session.unit_times() if unit.shadow]
    assert {unit.kind for unit in told} == set(UnitKind)
    for unit in told:
        assert unit.compared > 0
        assert unit.different == 0
        assert unit.first_difference == ""


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        (UnitKind.COMPACTION, "serial", r"latency_ps: applied was \d+, it answers \d+"),
        (UnitKind.SCHEDULER, "random", r"order\[\d+\]: applied was 0x\w+, it answers 0x\w+"),
    ],
)
def test_a_shadow_that_answers_otherwise_is_told_and_not_applied(alone, kind, spec, field):
    with CoSimulation(units=[*BUILTIN, UnitChoice(kind, spec, shadow=True)]) as session:
        assert run(session) == alone
        (unit,) = (unit for unit in session.unit_times() if unit.shadow)
    assert 0 < unit.different <= unit.compared
    assert re.fullmatch(
        rf"unit {spec} \(shadow\) differs first at event \d+, virtual time \d+ ps, in {field}", unit.first_difference
    )


def test_a_shadow_needs_a_unit_to_be_compared_with():
    choice = UnitChoice(UnitKind.MONITOR, "builtin", shadow=True)
    with pytest.raises(ConfigurationError, match="none is there"), CoSimulation(units=[choice]):
        pass

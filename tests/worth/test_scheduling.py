"""What the scheduler's plans and the engine's energy come to in real launches of sparse kernels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bridge.layers.conv import ConvolutionShape, FilterLayouts, spartan
from bridge.reference.convolution import compare, expected
from bridge.session import CoSimulation
from bridge.units import UnitChoice, default_choices
from spartan_units.constants import constant
from spartan_units.types import UnitKind

SHAPE = ConvolutionShape(1, 32, 16, 16, 64, 1, 1)
"""Its im2col matrix is X itself, 32 × 256: eight tiles of 32 × 32."""

UNEVEN = """
import numpy as np
from spartan_units.scheduler import LongestFirstScheduler
from spartan_units.types import SchedulePlan

class OneUnit(LongestFirstScheduler):
    \"\"\"Backwards, and all on compute unit 5.\"\"\"

    name = "one-unit"

    def schedule(self, query):
        plan = super().schedule(query)
        placement = np.full(query.workgroups, 5, np.int32)
        order = np.arange(query.workgroups, dtype=np.uint32)[::-1]
        return SchedulePlan(order, placement, plan.tile_path, plan.latency_ps)
"""


def operands():
    """Return X with tiles that are empty, of density 0.2 and full, and W."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((32, 8, 32)).astype(np.float32)
    x[:, :2] = 0
    x[:, 2:5] *= rng.random((32, 3, 32)) < 0.2
    w = rng.standard_normal(SHAPE.filter_shape).astype(np.float32)
    return x.reshape(SHAPE.input_shape), w


def run(scheduler: UnitChoice, **parameters):
    """Return the sparse launch, and the counters of all units, of a verified forward pass by im2col."""
    x, w = operands()
    choices = {**default_choices(), UnitKind.SCHEDULER: scheduler}
    if parameters:
        compaction = default_choices()[UnitKind.COMPACTION]
        choices[UnitKind.COMPACTION] = dataclasses.replace(compaction, parameters=parameters)
    units = [dataclasses.replace(choice, spec=f"thread:{choice.spec}") for choice in choices.values()]
    with CoSimulation(units=units, host_threads=1) as session:
        layouts = FilterLayouts(session, SHAPE, session.array(w, name="w"), "layer")
        array = session.array(x, name="x")
        with spartan("forward", session, "layer", SHAPE, x=array, layouts=layouts, algorithm="gemm") as operation:
            measured = operation.run()
            assert compare(operation.output.numpy(), expected("forward", SHAPE, x=x, w=w))[0]
        counters = {kind: session.detach(kind) for kind in UnitKind}
    (launch,) = [launch for launch in measured.launches if launch.kernel.startswith("sparse_gemm")]
    return launch, counters


def longest_first(**parameters):
    return UnitChoice(UnitKind.SCHEDULER, "longest-first", parameters)


def test_empty_tiles_are_skipped_and_full_ones_take_the_dense_path():
    sparse, counters = run(longest_first())
    assert counters[UnitKind.SCHEDULER]["tiles_skipped"] == 2
    assert counters[UnitKind.COMPACTION]["tiles"] == 6  # an empty tile is not even converted
    mixed, mixed_counters = run(longest_first(dense_above=0.5))
    assert mixed_counters[UnitKind.SCHEDULER]["tiles_skipped"] == 2
    assert mixed_counters[UnitKind.COMPACTION]["tiles"] == 3  # full tiles are read as they lie
    assert mixed.instructions != sparse.instructions


def test_work_groups_go_where_the_plan_says(tmp_path):
    (tmp_path / "one.py").write_text(UNEVEN)
    spread, _ = run(longest_first())
    heaped, _ = run(UnitChoice(UnitKind.SCHEDULER, f"{tmp_path}/one.py:OneUnit"))
    assert heaped.workgroups == spread.workgroups > 1
    # One of 64 compute units has all the work: its share of the busy time, and no work-group beside another.
    assert heaped.busy_compute_units <= 1 / 64
    assert spread.busy_compute_units > heaped.busy_compute_units
    assert heaped.cycles > spread.cycles


@pytest.mark.parametrize("pj", [constant("compaction.pj_per_element"), 7.0])
def test_a_conversion_costs_energy_by_element_and_encoded_byte(pj):
    _, counters = run(longest_first(), pj_per_element=pj)
    engine = counters[UnitKind.COMPACTION]
    elements = engine["dense_bytes"] / 4
    assert elements == 6 * 32 * 32
    expected_pj = elements * pj + engine["encoded_bytes"] * constant("compaction.pj_per_buffer_byte")
    assert engine["energy_nj"] == pytest.approx(expected_pj / 1000)

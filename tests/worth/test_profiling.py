"""What profiling costs: reads of the monitor over the host link, alone and in a burst, and stalls of written lines."""

import dataclasses
import math

import numpy as np
import pytest

from bridge.session import CoSimulation
from bridge.tensors import Matrix
from bridge.units import default_choices
from bridge.worth.profiling import Overhead, overheads, profiling_task, read_back_task
from spartan_units.constants import constant


def monitor():
    return [choice for kind, choice in default_choices().items() if kind.value == "monitor"]


def test_a_burst_goes_over_the_host_link_once():
    rng = np.random.default_rng(0)
    with CoSimulation(gpu="r9nano", units=monitor()) as session:
        values = [np.maximum(rng.standard_normal((1, 2, 8, 16)), 0).astype(np.float32) for _ in range(9)]
        watched = [session.watch(Matrix(session.array(value, name="x"), 2, 128, 128, 1)) for value in values]
        burst, alone, inside = (
            session.read_counts(watched),
            watched[0].read_counts(),
            watched[0].read_counts(on_chip=True),
        )
        parameters = session.parameters
    assert [counts.zeros for counts in burst] == [np.count_nonzero(value == 0) for value in values]
    unit = constant("monitor.read_latency_ns")  # a cycle is 1 ns
    link, width = int(parameters["host.link_cycles"]), float(parameters["host.link_bytes_per_cycle"])
    assert inside.cycles == unit
    assert alone.cycles == unit + 2 * link + math.ceil(8 / width)
    assert {counts.cycles for counts in burst} == {unit + 2 * link + math.ceil(9 * 8 / width)}


@pytest.mark.parametrize(("offset", "grows"), [(0, False), (1, True)])
def test_only_lines_written_in_part_stall_where_full_ones_cost_nothing(offset, grows):
    # Stores of a tensor that begins inside a line straddle two lines each.
    (choice,) = monitor()
    slow = dataclasses.replace(choice, parameters={"write_stall_cycles": 400.0, "full_line_stall_cycles": 0.0})
    x = np.random.default_rng(1).standard_normal(4096 + 64).astype(np.float32)
    with CoSimulation(gpu="r9nano", units=[slow]) as session:
        array, out = session.array(x, name="x"), session.empty(4096 + 64, name="y")
        arguments = {"x": array, "y": out.address + 4 * offset, "n": 4096}

        def cycles():
            session.launch("relu_forward", args=arguments)
            return session.launch("relu_forward", args=arguments).cycles

        plain = cycles()
        with session.watch(Matrix(out, 1, 4096 + 64, 4096 + 64, 1)):
            watched = cycles()
    assert (watched > plain + 200) == grows


def test_records_hold_what_both_treatments_are_made_of():
    shapes = [(1, 4, 16, 16), (1, 8, 8, 8)]
    record, burst = profiling_task("r9nano", shapes[0]).make(), read_back_task("r9nano", shapes).make()
    assert record["verified"]
    assert burst["verified"]
    one, share = overheads(record), overheads(record, burst)
    assert share.hardware == one.hardware - record["hardware"]["register_cycles"] + burst["register_cycles"] / 2
    assert share.software == one.software - record["software"]["copy_cycles"] + burst["copy_cycles"] / 2
    assert one.ratios["software"] == one.software / one.hardware


def test_an_overhead_of_nothing_has_no_bound():
    assert set(Overhead(hardware=0, software=5, fused=1, tail=2).ratios.values()) == {math.inf}

"""The monitor's counts against a recount of the tensor itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spartan_units.base import Costs
from spartan_units.errors import ParameterError
from spartan_units.monitor import LineCountingMonitor
from spartan_units.types import Machine, StoreBatch, TensorInfo

MACHINE = Machine(model="test", clock_hz=10**9, compute_units=64, l2_banks=16)
BASE = 0x10000


def tensor_of(rows, columns, tile_rows, tile_columns, transposed):
    strides = (4, rows * 4) if transposed else (columns * 4, 4)
    return TensorInfo(1, "y", BASE, np.dtype("<f4"), rows, columns, strides[0], strides[1], tile_rows, tile_columns)


def recount(memory, tensor):
    """Non-zeros per tile, by walking elements: nothing shared with the unit's arithmetic."""
    counts = np.zeros(tensor.tiles, np.uint32)
    for row in range(tensor.rows):
        for column in range(tensor.columns):
            offset = row * tensor.row_stride + column * tensor.column_stride
            value = memory[offset : offset + 4].view("<f4")[0]
            tile = (row // tensor.tile_rows) * tensor.tile_grid[1] + column // tensor.tile_columns
            counts[tile] += bool(value != 0)
    return counts


def write(memory, offset, values, time):
    """Write float32 values at a byte offset; return the lines as the model reports them."""
    data = np.asarray(values, "<f4").view(np.uint8)
    lines = []
    for line in range(offset // 64, (offset + len(data) - 1) // 64 + 1):
        old = memory[line * 64 : line * 64 + 64].copy()
        first, last = max(offset, line * 64), min(offset + len(data), line * 64 + 64)
        memory[first:last] = data[first - offset : last - offset]
        mask = sum(1 << (byte - line * 64) for byte in range(first, last))
        lines.append((time, BASE + line * 64, mask, old, memory[line * 64 : line * 64 + 64].copy()))
    return lines


def batch_of(lines):
    return StoreBatch(
        time_ps=np.array([line[0] for line in lines], np.uint64),
        tensor=np.ones(len(lines), np.uint32),
        address=np.array([line[1] for line in lines], np.uint64),
        mask=np.array([line[2] for line in lines], np.uint64),
        old=np.array([line[3] for line in lines], np.uint8),
        new=np.array([line[4] for line in lines], np.uint8),
    )


VALUES = st.sampled_from([0.0, -0.0, 1.0, -2.5, 1e-42, float("nan"), float("inf")])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_counts_equal_a_recount_after_any_writes_in_any_batches(data):
    rows, columns = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 40))
    tensor = tensor_of(
        rows, columns, data.draw(st.integers(1, 5)), data.draw(st.integers(1, 17)), data.draw(st.booleans())
    )
    memory = np.zeros((rows * columns * 4 + 127) // 64 * 64, np.uint8)
    start = data.draw(st.lists(VALUES, min_size=0, max_size=rows * columns))
    if start:
        write(memory, 0, start, 0)
    monitor = LineCountingMonitor(MACHINE)
    monitor.start()
    monitor.tensor_added(tensor, recount(memory, tensor))
    lines = []
    for time in range(data.draw(st.integers(0, 6))):
        first = data.draw(st.integers(0, rows * columns - 1))
        values = data.draw(st.lists(VALUES, min_size=1, max_size=min(40, rows * columns - first)))
        lines += write(memory, first * 4, values, time)
    size = data.draw(st.integers(1, 5))
    for first in range(0, len(lines), size):
        monitor.stores(batch_of(lines[first : first + size]))
    counts = monitor.read_counts(tensor, 10)
    expected = recount(memory, tensor)
    assert counts.tile_nonzeros.tolist() == expected.tolist()
    assert counts.zeros == rows * columns - expected.sum()


def test_snapshot_makes_a_second_monitor_answer_the_same():
    tensor = tensor_of(4, 16, 2, 8, False)
    memory = np.zeros(4 * 16 * 4, np.uint8)
    first, second = LineCountingMonitor(MACHINE), LineCountingMonitor(MACHINE)
    for monitor in (first, second):
        monitor.start()
    first.tensor_added(tensor, np.zeros(tensor.tiles, np.uint32))
    first.stores(batch_of(write(memory, 0, [1.0, 0.0, 2.0], 1)))
    second.restore(first.snapshot())
    more = batch_of(write(memory, 64, [3.0] * 8, 2))
    first.stores(more)
    second.stores(more)
    assert first.read_counts(tensor, 3).tile_nonzeros.tolist() == second.read_counts(tensor, 3).tile_nonzeros.tolist()
    assert first.read_counts(tensor, 3).zeros == 64 - 10


def test_costs_come_from_the_parameters():
    parameters = {"write_stall_cycles": 2.0, "full_line_stall_cycles": 0.5, "read_latency_ns": 5.0}
    monitor = LineCountingMonitor(MACHINE, parameters)
    assert monitor.costs() == Costs(
        lookahead_ps=5000, write_stall_cycles=2.0, full_line_stall_cycles=0.5, read_latency_ps=5000
    )


def test_an_unknown_parameter_is_refused_by_name():
    with pytest.raises(
        ParameterError,
        match=r"unit line-counting: parameter stall: .*known parameters: full_line_stall_cycles, read_latency_ns",
    ):
        LineCountingMonitor(MACHINE, {"stall": 1})

"""Units beside upstream MGPUSim: what they see, and what their latency does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge import CoSimulation
from bridge.backend import model_program
from bridge.errors import ModelFailedError
from bridge.schedule import Schedule
from bridge.tensors import Matrix, slot_bytes
from bridge.units import parse_choice

ROOT = Path(__file__).parents[2]


def spartan(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "spartan"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def unit(text: str, **parameters: object):
    choice = parse_choice(text)
    return type(choice)(choice.kind, choice.spec, parameters)


def sparse_product(
    backend: str, pipeline_cycles: int, engine: str = "compaction=builtin"
) -> tuple[int, int, np.ndarray]:
    """Multiply one 32 × 32 tile of a view; return cycles, requests and the product."""
    rng = np.random.default_rng(5)
    a = rng.standard_normal((32, 32)).astype(np.float32) * (rng.random((32, 32)) < 0.5)
    b = rng.standard_normal((32, 64)).astype(np.float32)
    units = [unit(engine, pipeline_cycles=pipeline_cycles)]
    with CoSimulation(backend=backend, kernels="portable", units=units) as session:
        dense, right = session.array(a, name="a"), session.array(b, name="b")
        c = session.empty((32, 64), name="c")
        with session.view(Matrix(dense, 32, 32, 32, 1)) as view:
            args = {"tiles": view.address, "b": right, "c": c, "path": None, "dense": None, "bias": None}
            args |= {"M": 32, "N": 64, "K": 32, "ldb": 64, "c_row_stride": 64, "c_column_stride": 1}
            args |= {"slot_bytes": slot_bytes("ellpack_dib", 32, 32), "dense_row_stride": 0, "dense_column_stride": 0}
            result = session.launch("sparse_gemm_lds", args=args)
        product = c.numpy()
    np.testing.assert_allclose(product, a.T.astype(float) @ b, rtol=1e-4, atol=1e-4)
    return result.cycles, result.requests, product


def test_latency_of_a_unit_moves_the_kernel_by_exactly_that() -> None:
    cycles, requests, product = sparse_product("mgpusim", 12)
    assert requests == 1
    for more in (1, 500, 5000):
        assert sparse_product("mgpusim", 12 + more)[0] == cycles + more
    assert sparse_product("embedded", 12)[2].tobytes() == product.tobytes()


def relu(backend: str, watched: bool, stall: float = 0) -> tuple[int, int, int, list[int]]:
    """Run a ReLU; return cycles, instructions, posted events and the monitor's zeros."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((64, 300)).astype(np.float32)
    units = [unit("monitor=builtin", write_stall_cycles=stall, full_line_stall_cycles=stall)] if watched else []
    with CoSimulation(backend=backend, kernels="portable", units=units) as session:
        array, y = session.array(x, name="x"), session.empty(x.shape, name="y")
        zeros = []
        if watched:
            watch = session.watch(Matrix(y, 64, 300, 300, 1))
        result = session.launch("relu_forward", args={"x": array, "y": y, "n": x.size})
        np.testing.assert_array_equal(y.numpy(), np.maximum(x, 0))
        if watched:
            zeros = [watch.read_counts().zeros]
            assert zeros == [int((x <= 0).sum())]
    return result.cycles, result.instructions, result.posted_events, zeros


def test_observation_moves_nothing_and_sees_what_the_embedded_model_shows() -> None:
    alone, watched = relu("mgpusim", False), relu("mgpusim", True)
    assert watched[:2] == alone[:2]
    assert watched[2] > 1000
    assert relu("embedded", True)[1:] == watched[1:]


def test_stalls_of_the_write_path_cost_time() -> None:
    assert relu("mgpusim", True, stall=20)[0] > relu("mgpusim", False)[0] + 500


def test_where_a_unit_runs_changes_nothing() -> None:
    builtin = sparse_product("mgpusim", 40)
    python = sparse_product("mgpusim", 40, "compaction=ellpack-dib")
    assert (python[:2], python[2].tobytes()) == (builtin[:2], builtin[2].tobytes())


def test_order_of_work_groups_is_the_schedulers() -> None:
    """Densest tiles first: the launch computes the same."""
    with CoSimulation(backend="mgpusim", units=[unit("scheduler=builtin")]) as session:
        rng = np.random.default_rng(4)
        x = rng.standard_normal(4096).astype(np.float32)
        array, y = session.array(x, name="x"), session.empty(4096, name="y")
        tiles = np.arange(4, dtype=np.uint32)[:, None]
        plan = Schedule(np.array([1, 900, 5, 400], np.uint32), 1024, tiles, None)
        result = session.launch("relu_forward", args={"x": array, "y": y, "n": 4096}, schedule=plan)
        np.testing.assert_array_equal(y.numpy(), np.maximum(x, 0))
        assert result.workgroups == 4
        assert session.statistics().requests == 1


def test_an_instruction_that_upstream_lacks_is_refused_by_name_and_pc() -> None:
    with CoSimulation(backend="mgpusim") as session:
        x = session.array(np.ones((4, 8), np.float32), name="x")
        y = session.empty((4, 8), name="y")
        args = {"x": x, "y": y, "rows": 4, "length": 8, "algorithm": 0}
        with pytest.raises(ModelFailedError, match=r'kernel "softmax_rows_forward": .* at PC 0x[0-9a-f]+: upstream'):
            session.launch("softmax_rows_forward", args=args)
        session.launch("relu_forward", args={"x": x, "y": y, "n": 32})  # the session goes on
        np.testing.assert_array_equal(y.numpy(), 1)


def test_an_access_outside_memory_names_the_kernel() -> None:
    with CoSimulation(backend="mgpusim") as session:
        x = session.array(np.ones(4096, np.float32), name="x")
        with pytest.raises(
            ModelFailedError, match=r'kernel "relu_forward": store of .* hits memory that is not allocated'
        ):
            session.launch("relu_forward", args={"x": x, "y": 0x7000_0000, "n": 4096})
        y = session.empty(4096, name="y")
        session.launch("relu_forward", args={"x": x, "y": y, "n": 4096})
        np.testing.assert_array_equal(y.numpy(), 1)


def test_host_writes_between_launches_reach_upstream_through_its_caches() -> None:
    with CoSimulation(backend="mgpusim") as session:
        x, y = session.empty(2000, name="x"), session.empty(2000, name="y")
        for number in range(3):
            values = np.arange(2000, dtype=np.float32) - 500 * number
            x.write(values)
            session.launch("relu_forward", args={"x": x, "y": y, "n": 2000})
            np.testing.assert_array_equal(y.numpy(), np.maximum(values, 0))


def test_capsules_give_the_same_memory_and_counts(tmp_path: Path) -> None:
    folder, figures = tmp_path / "kernels", tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "record_kernels.py"
    assert spartan("capsule", "record", folder, "--script", script, "--each-kernel").returncode == 0
    chosen = [folder / name for name in ("relu_forward", "im2col", "gemm_tn", "batchnorm_spatial_forward")]
    result = spartan("compare-backends", *chosen, "--json", figures)
    assert result.returncode == 0, result.stderr
    rows = json.loads(figures.read_text())
    assert [row["memory"] for row in rows] == ["equal"] * 4
    for row in rows:
        assert row["embedded"]["instructions"] == row["mgpusim"]["instructions"]
        assert abs(row["cycles_error"]) < 0.05
        assert row["mgpusim"]["counters"]["L2"]["requests_write"] > 0


def test_a_launch_over_its_budget_ends() -> None:
    with CoSimulation(backend="mgpusim", max_instructions=50) as session:
        x, y = session.empty(4096, name="x"), session.empty(4096, name="y")
        with pytest.raises(ModelFailedError, match="more than 50 wavefront instructions"):
            session.launch("relu_forward", args={"x": x, "y": y, "n": 4096})


def test_the_bridge_tells_its_versions() -> None:
    program = model_program("mgpusim")
    versions = json.loads(subprocess.run([program, "version", "--json"], capture_output=True, check=True).stdout)
    assert (versions["mgpusim"], versions["akita"]) == ("v4.2.0", "v4.9.0")
    assert os.access(program, os.X_OK)


def test_a_failing_unit_ends_the_run_with_its_own_status(tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(
        'name = "tiny"\nwarmup = 0\n[input]\nimage = "sample"\nresize = [6, 6]\n'
        '[[layers]]\nkind = "conv"\nname = "conv1"\nfilters = 8\nsize = 3\npadding = 1\n'
    )
    unit_of = ROOT / "tests" / "bridge" / "data" / "misbehaving_units.py"
    options = ("--backend", "mgpusim", "--out", tmp_path / "out", "--unit", f"compaction={unit_of}:WrongSize")
    result = spartan("run", config, *options)
    assert result.returncode == 3
    assert result.stderr.startswith("spartan: unit wrong-size failed at compact_tile event")
    assert "expected 1 to 8384 bytes (the slot)" in result.stderr

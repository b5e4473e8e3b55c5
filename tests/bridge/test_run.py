"""`spartan run` from end to end: real photograph, real kernels, units over gRPC."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from command import DATA, ROOT, SPARTAN, spartan

from bridge.results import Results


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, spartan(folder, "run", str(DATA / "small.toml"), "--out", "first")


@pytest.fixture(scope="module")
def results(finished):
    folder, _ = finished
    return Results.model_validate_json((folder / "first" / "results.json").read_text())


def test_the_job_ends_well_and_leaves_nothing_but_its_folder(finished):
    folder, run = finished
    assert (run.status, run.err) == (0, ""), run.err
    assert run.left == []
    assert sorted(path.name for path in folder.iterdir()) == ["first"]
    assert {"results.json", "log"} <= {path.name for path in (folder / "first").iterdir()}


def test_every_phase_of_every_layer_is_verified(results):
    assert results.verified
    assert [(layer.name, layer.phase) for layer in results.layers] == [
        ("conv1", "forward"),
        ("relu1", "forward"),
        ("conv2", "forward"),
        ("relu2", "forward"),
        ("relu2", "data_gradient"),
        ("conv2", "filter_gradient"),
        ("conv2", "data_gradient"),
        ("relu1", "data_gradient"),
        ("conv1", "filter_gradient"),
        ("conv1", "data_gradient"),
    ]


def test_three_units_took_part_over_grpc(results):
    assert {unit.kind: unit.placement for unit in results.units} == dict.fromkeys(
        ("monitor", "compaction", "scheduler"), "grpc"
    )
    assert results.events.posted > 0
    assert results.events.requests > 0
    counters = {unit.kind: unit.counters for unit in results.units}
    assert counters["monitor"]["lines"] > 0
    assert counters["compaction"]["tiles"] > 0
    assert counters["scheduler"]["launches"] == 6  # one for each phase of each convolution


def test_costs_add_up_over_kernels(results):
    for layer in results.layers:
        for cost in (layer.dense, layer.spartan):
            assert cost.cycles == sum(kernel.cycles for kernel in cost.kernels) + cost.register_cycles
            assert cost.instructions == sum(kernel.instructions for kernel in cost.kernels) > 0
            assert cost.l2_bytes == sum(kernel.l2_bytes for kernel in cost.kernels) > 0
        assert layer.speedup == pytest.approx(layer.dense.cycles / layer.spartan.cycles)
        if layer.kind == "conv":
            assert layer.ideal_speedup == pytest.approx(1 / layer.density)
            assert 0 < layer.useful_macs <= layer.macs


def test_a_second_run_gives_the_same_cycles_and_trace(finished, results):
    folder, _ = finished
    run = spartan(folder, "run", str(DATA / "small.toml"), "--out", "second", "--cores", "1")
    assert run.status == 0, run.err
    second = Results.model_validate_json((folder / "second" / "results.json").read_text())
    assert second.trace_hash == results.trace_hash
    assert second.layers == results.layers
    assert second.monitor == results.monitor


def test_functional_mode_computes_the_same_without_cycles(finished, results):
    folder, _ = finished
    run = spartan(folder, "run", str(DATA / "small.toml"), "--out", "functional", "--mode", "functional")
    assert run.status == 0, run.err
    functional = Results.model_validate_json((folder / "functional" / "results.json").read_text())
    assert functional.verified
    assert {layer.dense.cycles for layer in functional.layers} == {0}
    assert {layer.speedup for layer in functional.layers} == {None}
    same = {"density", "macs", "useful_macs", "max_abs_error"}
    pairs = zip(functional.layers, results.layers, strict=True)
    assert all(a.model_dump(include=same) == b.model_dump(include=same) for a, b in pairs)
    assert [a.dense.instructions for a in functional.layers] == [b.dense.instructions for b in results.layers]


def test_the_table_shows_every_row(finished):
    _, run = finished
    lines = run.out.splitlines()
    assert sum("conv2" in line and "yes" in line for line in lines) == 3
    assert any(line.startswith("trace hash: ") for line in lines)


def test_a_unit_of_ones_own_takes_its_seat(finished, results):
    folder, _ = finished
    (folder / "mine.py").write_text(
        "import numpy as np\n"
        "from spartan_units.base import Costs, TileScheduler\n"
        "from spartan_units.types import SchedulePlan\n"
        "class Reversed(TileScheduler):\n"
        "    name = 'reversed'\n"
        "    def costs(self):\n"
        "        return Costs(lookahead_ps=1000)\n"
        "    def schedule(self, query):\n"
        "        order = np.arange(query.workgroups, dtype=np.uint32)[::-1]\n"
        "        return SchedulePlan(order=order, placement=None, tile_path=None, latency_ps=1000)\n"
    )
    config = str(DATA / "small.toml")
    run = spartan(folder, "run", config, "--out", "mine", "--unit", "scheduler=./mine.py:Reversed")
    assert run.status == 0, run.err
    mine = Results.model_validate_json((folder / "mine" / "results.json").read_text())
    assert [unit.name for unit in mine.units if unit.kind == "scheduler"] == ["reversed"]
    assert mine.verified
    assert mine.trace_hash != results.trace_hash


def test_empty_seats_leave_the_work_to_software(finished):
    folder, _ = finished
    none = [part for kind in ("monitor", "compaction", "scheduler") for part in ("--unit", f"{kind}=none")]
    run = spartan(folder, "run", str(DATA / "small.toml"), "--out", "none", *none)
    assert run.status == 0, run.err
    alone = Results.model_validate_json((folder / "none" / "results.json").read_text())
    assert alone.verified
    assert (alone.units, alone.events.posted, alone.events.requests) == ([], 0, 0)
    kernels = {kernel.kernel for layer in alone.layers for kernel in layer.spartan.kernels}
    assert "dense_to_ellpack_dib" in kernels


def test_a_gpu_parameter_changes_the_cycles(finished, results):
    folder, _ = finished
    arguments = ["run", str(DATA / "small.toml"), "--out", "slow", "--gpu-set", "dram.latency=400"]
    run = spartan(folder, *arguments)
    assert run.status == 0, run.err
    slow = Results.model_validate_json((folder / "slow" / "results.json").read_text())
    assert slow.gpu["parameters"]["dram.latency"] == "400"
    assert slow.layers[0].dense.cycles > results.layers[0].dense.cycles


def test_the_published_schema_is_the_models():
    printed = subprocess.run([SPARTAN, "schema"], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == json.loads((ROOT / "docs" / "results.schema.json").read_text())


def test_the_example_driver_script_runs():
    script = ROOT / "examples" / "photo_layer.py"
    assert len(script.read_text().splitlines()) < 40
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("correct=True") == 2

"""Metrics, timelines and profiles of real launches: they add up, and the files hold what the launches said."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge import CoSimulation, LaunchResult
from bridge._binary import gpusim
from bridge.errors import ConfigurationError
from bridge.metrics import total_metrics, write_metrics
from bridge.profile import merge_profiles
from bridge.trace import run_timeline

ROOT = Path(__file__).parents[2]
SIZE = 1 << 15


@pytest.fixture(scope="module")
def session() -> Iterator[CoSimulation]:
    with CoSimulation(host_threads=1) as sim:
        yield sim


@pytest.fixture(scope="module")
def launches(session: CoSimulation) -> list[LaunchResult]:
    """A ReLU cold, warm, cold again and profiled."""
    x = session.array(np.random.default_rng(1).standard_normal(SIZE).astype(np.float32), name="x")
    y = session.empty(SIZE, name="y")

    def run(**options: Any) -> LaunchResult:
        return session.launch("relu_forward", args=(x, y, SIZE), **options)

    with session.layer("layer"):
        return [run(), run(), run(cold=True), run(cold=True, profile=True)]


def test_typed_metrics_agree_with_the_launch(launches: list[LaunchResult]) -> None:
    for launch in launches:
        metrics = launch.metrics
        assert metrics.kernel_cycles == launch.cycles
        assert metrics.launch_tail_cycles == launch.launch_tail_cycles == 3600
        assert launch.cycles_without_tail == launch.cycles - 3600
        assert metrics.kernel_time_s == pytest.approx(launch.cycles * 1e-9)
        counts = metrics.instructions
        assert counts.total == launch.instructions
        parts = counts.valu + counts.scalar + counts.vmem + counts.lds + counts.branch + counts.special
        assert parts == counts.total
        assert sum(metrics.by_component("simd", "inst_count").values()) == counts.valu
        assert len(metrics.by_component("cu", "cu_inst_count")) == 64
        assert sum(metrics.cycles_by_cause.values()) == pytest.approx(launch.cycles)
        for location, cpi in metrics.by_component("cu", "cu_CPI").items():
            stack = [row.value for row in metrics if row.location == location and row.what.startswith("CPIStack.")]
            assert sum(stack) == pytest.approx(2 * cpi)  # the causes and their total


def test_cold_and_warm_are_told_apart(launches: list[LaunchResult]) -> None:
    cold, warm, again, _ = launches
    assert [launch.cold for launch in launches] == [True, False, True, True]
    assert [launch.metrics.cold for launch in launches] == [True, False, True, True]
    assert again.cycles == cold.cycles > warm.cycles
    assert cold.metrics.l2_tlb.miss > warm.metrics.l2_tlb.miss == 0
    # Every byte of x comes from DRAM once when nothing is cached; the output stays in the write-back L2.
    assert cold.metrics.dram.read_bytes >= 4 * SIZE > warm.metrics.dram.read_bytes
    assert cold.metrics.l1v.read_miss == 4 * SIZE // 64
    counts = cold.metrics.l2
    requests = counts.read_hit + counts.read_miss + counts.read_mshr_hit + counts.write_hit + counts.write_miss
    assert counts.hit_rate == (counts.read_hit + counts.write_hit) / (requests + counts.write_mshr_hit)


def test_totals_are_those_of_one_simulation(launches: list[LaunchResult]) -> None:
    totals = {(row.location, row.what): row.value for row in total_metrics([launch.metrics for launch in launches])}
    cycles = sum(launch.cycles for launch in launches)
    assert totals["Driver", "kernel_time"] == pytest.approx(cycles * 1e-9)
    assert totals["Driver", "total_time"] == pytest.approx(launches[-1].end_ps * 1e-12)
    assert totals["GPU[1].CommandProcessor", "cold_launches"] == 3
    unit = "GPU[1].SA[0].CU[0]"
    instructions = totals[unit, "cu_inst_count"]
    assert instructions == sum(launch.metrics.value(unit, "cu_inst_count") or 0 for launch in launches)
    assert totals[unit, "cu_CPI"] == pytest.approx(cycles / instructions)
    stack = [value for (location, what), value in totals.items() if location == unit and what.startswith("CPIStack.")]
    assert sum(stack) == pytest.approx(2 * cycles / instructions)
    bank = "GPU[1].L2Cache[3]"
    seconds = [
        (launch.metrics.value(bank, "req_average_latency") or 0) * (launch.metrics.value(bank, "req_count") or 0)
        for launch in launches
    ]
    assert totals[bank, "req_average_latency"] == pytest.approx(sum(seconds) / totals[bank, "req_count"])
    tlb = "GPU[1].L2TLB"
    hits = totals[tlb, "hit"]
    assert totals[tlb, "hit_rate"] == pytest.approx(hits / (hits + totals[tlb, "miss"] + totals[tlb, "mshr-hit"]))
    assert total_metrics([]) == []


def test_unused_compute_units_are_idle(session: CoSimulation) -> None:
    """A launch of one work-group and one of many: the totals of a unit that took part in the second only add up."""
    x = session.empty(SIZE, name="x2")
    one = session.launch("relu_forward", args=(x, x, 64))
    all_units = session.launch("relu_forward", args=(x, x, SIZE))
    rows = total_metrics([one.metrics, all_units.metrics])
    totals = {(row.location, row.what): row.value for row in rows}
    for location in all_units.metrics.by_component("cu", "cu_CPI"):
        causes = [v for (where, what), v in totals.items() if where == location and what.startswith("CPIStack.")]
        expected = (one.cycles + all_units.cycles) / totals[location, "cu_inst_count"]
        assert sum(causes) == pytest.approx(2 * expected)


def test_sqlite_has_mgpusims_table(tmp_path: Path, launches: list[LaunchResult], session: CoSimulation) -> None:
    path = write_metrics(
        tmp_path / "new" / "metrics.sqlite3", launches, parameters=session.parameters, rows_per_launch=True
    )
    with contextlib.closing(sqlite3.connect(path)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(mgpusim_metrics)")]
        assert columns == ["Location", "What", "Value", "Unit"]
        # As scripts for MGPUSim ask.
        query = "SELECT SUM(Value) FROM mgpusim_metrics WHERE What = 'cu_inst_count' AND Location LIKE 'GPU[1].SA%'"
        assert database.execute(query).fetchone()[0] == sum(launch.instructions for launch in launches)
        query = "SELECT Value, Unit FROM mgpusim_metrics WHERE Location = 'Driver' AND What = 'kernel_time'"
        value, unit = database.execute(query).fetchone()
        assert (value, unit) == (pytest.approx(sum(launch.cycles for launch in launches) * 1e-9), "second")
        query = "SELECT Kernel, Cycles, CyclesWithoutTail, Cold FROM spartan_launches ORDER BY Launch"
        rows = database.execute(query).fetchall()
        assert rows == [(run.kernel, run.cycles, run.cycles_without_tail, int(run.cold)) for run in launches]
        count = database.execute("SELECT COUNT(*) FROM spartan_launch_metrics").fetchone()[0]
        assert count == sum(len(launch.metrics) for launch in launches)
        assert dict(database.execute("SELECT Key, Value FROM spartan_gpu"))["l2.banks"] == "16"
    assert [file.name for file in path.parent.iterdir()] == ["metrics.sqlite3"]
    with pytest.raises(ConfigurationError, match="can't be written"):
        write_metrics(path / "below", launches)


def test_timeline_holds_layers_and_kernels(tmp_path: Path, launches: list[LaunchResult], session: CoSimulation) -> None:
    path = run_timeline(launches, session.layers).write(tmp_path / "trace.json")
    events = json.loads(path.read_text())["traceEvents"]
    spans = {name: [e for e in events if e["ph"] == "X" and e["name"] == name] for name in ("layer", "relu_forward")}
    (layer,) = spans["layer"]
    kernels = spans["relu_forward"]
    assert [kernel["dur"] * 1000 for kernel in kernels] == pytest.approx([launch.cycles for launch in launches])
    assert kernels[0]["ts"] >= layer["ts"]
    assert kernels[-1]["ts"] + kernels[-1]["dur"] <= layer["ts"] + layer["dur"] + 1e-9
    tails = [e for e in events if e["name"] == "launch tail"]
    assert [tail["dur"] for tail in tails] == pytest.approx([3.6] * len(launches))
    named = {(e["pid"], e.get("tid")): e["args"]["name"] for e in events if e["ph"] == "M"}
    assert {named[kernel["pid"], kernel["tid"]] for kernel in kernels} == {"kernels"}
    assert named[layer["pid"], None] == "GPU"


def test_profile_adds_up(launches: list[LaunchResult]) -> None:
    *unprofiled, launch = launches
    assert all(other.profile is None for other in unprofiled)
    profile = launch.profile
    assert profile is not None
    assert sum(profile.by_cause.values()) == pytest.approx(launch.cycles)
    assert sum(i.issues for i in profile.instructions) == launch.instructions
    assert profile.by_cause == pytest.approx(launch.metrics.cycles_by_cause)
    assert launch.cycles == unprofiled[0].cycles
    twice = merge_profiles([profile, profile])
    assert sum(twice.by_cause.values()) == pytest.approx(2 * launch.cycles)
    assert [i.issues for i in twice.instructions] == [2 * i.issues for i in profile.instructions]


def test_functional_mode_has_no_metrics() -> None:
    with CoSimulation(mode="functional") as sim:
        x = sim.empty(64, name="x")
        launch = sim.launch("relu_forward", args=(x, x, 64))
    assert (len(launch.metrics), launch.metrics.kernel_cycles, launch.metrics.l2.hit_rate) == (0, 0, 0.0)


def spartan(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import bridge.cli; bridge.cli.main()", *(str(a) for a in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_profile_command_on_a_capsule(tmp_path: Path) -> None:
    kernel = ROOT / "tests" / "kernels" / "library" / "objects" / "clang16-v5" / "sort.hsaco"
    folder = tmp_path / "capsule"
    command = [str(gpusim()), "capsule", "record", "--object", str(kernel), "--kernel", "rank_sort"]
    command += ["--grid", "64", "--workgroup", "64", "--arg", "zeros:24", "--arg", "zeros:24", "--arg", "i32:6"]
    subprocess.run([*command, str(folder)], check=True, capture_output=True)
    done = spartan("profile", "kernel", folder, "--json", tmp_path / "p.json", "--gpu", "r9nano-hbm")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads((tmp_path / "p.json").read_text())
    assert document["cycles"] == pytest.approx(sum(document["by_cause"].values()))
    assert f"{document['cycles']:,} cycles" in done.stdout
    for instruction in document["instructions"]:
        assert f"0x{instruction['offset']:04x}" in done.stdout
        assert instruction["text"] in done.stdout

    for arguments, said in [
        (("profile", "kernel", folder, "--kernel", "x"), "is a capsule, which has one kernel"),
        (("profile", "kernel", tmp_path), "is a folder without capsule.json"),
        (("profile", "kernel", folder, "--gpu", "r9"), 'unknown GPU preset "r9"'),
        (("profile", "kernel", folder, "--gpu-set", "l2.banks=7"), "l2.banks = 7 is refused"),
        (("gpu", "show", "r9nano", "--gpu-set", "dram.t_cll=1"), 'did you mean "dram.t_cl"?'),
        (("gpu", "show", "r9"), "expected one of r9nano, r9nano-hbm"),
    ]:
        done = spartan(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_gpu_show_lists_every_parameter() -> None:
    done = spartan("gpu", "show", "r9nano-hbm", "--gpu-set", "dram.t_cl=17", "--json")
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert rows["dram.t_cl"]["value"] == "17"
    assert rows["link.bank_bytes_per_cycle"] == {
        "key": "link.bank_bytes_per_cycle",
        "value": "64.0",
        "unit": "bytes/cycle",
        "source": rows["link.bank_bytes_per_cycle"]["source"],
        "description": rows["link.bank_bytes_per_cycle"]["description"],
    }
    table = spartan("gpu", "show", "r9nano-hbm").stdout
    for key in rows:
        assert key in table


CONFIG = """
name = "small"
warmup = 0
host_threads = 1
[gpu]
preset = "r9nano-hbm"
[gpu.set]
"l2.mshrs_per_bank" = 32
[gpu.set.dram]
t_cl = 20
[input]
image = "sample"
resize = [8, 8]
[[layers]]
kind = "conv"
name = "conv1"
filters = 8
size = 3
padding = 1
phases = ["forward"]
"""


def test_a_run_keeps_metrics_and_timeline_and_can_be_profiled(tmp_path: Path) -> None:
    config = tmp_path / "small.toml"
    config.write_text(CONFIG)
    done = spartan("run", config, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with contextlib.closing(sqlite3.connect(tmp_path / "out" / "metrics.sqlite3")) as database:
        parameters = dict(database.execute("SELECT Key, Value FROM spartan_gpu"))
        assert (parameters["dram.t_cl"], parameters["l2.mshrs_per_bank"], parameters["dram.kind"]) == (
            "20",
            "32",
            '"banked"',
        )
        (rows,) = database.execute("SELECT SUM(Value) FROM mgpusim_metrics WHERE What LIKE 'row_%_count'").fetchone()
        query = "SELECT SUM(Value) FROM mgpusim_metrics WHERE What IN ('read_trans_count', 'write_trans_count')"
        assert rows == database.execute(query).fetchone()[0] > 0
        launched = dict(database.execute("SELECT Kernel, SUM(Cycles) FROM spartan_launches GROUP BY Kernel"))
    spans = json.loads((tmp_path / "out" / "trace.json").read_text())["traceEvents"]
    assert {span["name"] for span in spans} >= {"conv1 forward", "launch tail"}

    done = spartan("profile", "kernel", config)
    assert done.returncode == 2
    for kernel, cycles in launched.items():
        assert f"{kernel} ({cycles:,} cycles)" in done.stderr
    heaviest = max(launched, key=lambda kernel: launched[kernel])
    done = spartan("profile", "kernel", config, "--kernel", heaviest)
    assert done.returncode == 0, done.stderr
    assert f"{heaviest}: {launched[heaviest]:,} cycles" in done.stdout
    assert "s_endpgm" in done.stdout

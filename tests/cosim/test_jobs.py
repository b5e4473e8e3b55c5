"""Units in whole jobs: recorded, shadowed, compared, verified numerically."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SPARTAN = Path(sys.executable).with_name("spartan")
JOB = """
name = "small"
warmup = 0
[input]
crop = [0, 0, 96, 96]
resize = [16, 16]
[[layers]]
kind = "conv"
name = "conv1"
filters = 32
size = 5
stride = 2
padding = 2
[[layers]]
kind = "relu"
name = "relu1"
"""


def spartan(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SPARTAN), *arguments], capture_output=True, text=True, cwd=cwd, check=False, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("jobs")
    (made / "job.toml").write_text(JOB)
    return made


def test_a_run_is_recorded_shadowed_and_accounted_for(folder):
    shadow = ["--unit", "shadow:compaction=serial", "--unit", "monitor=builtin"]
    ran = spartan("run", "job.toml", "--out", "out", "--record", "events", "-v", *shadow, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    assert "answers differ" in ran.stdout
    results = json.loads((folder / "out" / "results.json").read_text())
    times = {(unit["kind"], unit["shadow"]): unit for unit in results["unit_times"]}
    assert set(times) == {("monitor", False), ("compaction", False), ("scheduler", False), ("compaction", True)}
    assert times["monitor", False]["transport"] == "builtin"
    assert times["compaction", True]["compared"] >= times["compaction", True]["different"] > 0
    stores = next(event for event in times["monitor", False]["events"] if event["kind"] == "store")
    assert stores["events"] > 0
    again = spartan(
        "replay", "events", "--unit", "compaction=ellpack-dib", "--unit", "scheduler=longest-first", cwd=folder
    )
    assert again.returncode == 0, again.stderr
    replayed = spartan(
        "run", "job.toml", "--out", "out2", *(f"--unit={kind}=replay:events" for kind in DEFAULT), cwd=folder
    )
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads((folder / "out2" / "results.json").read_text())["trace_hash"] == results["trace_hash"]


def test_a_layer_and_a_phase_can_have_units_of_their_own(folder):
    (folder / "layers.toml").write_text(
        JOB.replace(
            'name = "conv1"',
            'name = "conv1"\nunits.scheduler = { spec = "static", parameters = { latency_cycles = 100 } }\n'
            'phase_units.data_gradient.scheduler = { spec = "builtin" }',
        )
    )
    assert spartan("run", "layers.toml", "--out", "out4", cwd=folder).returncode == 0
    results = json.loads((folder / "out4" / "results.json").read_text())
    schedulers = [unit["name"] for unit in results["unit_times"] if unit["kind"] == "scheduler"]
    assert schedulers.count("static") == 2
    assert schedulers.count("longest-first") == len(schedulers) - 2 > 2
    unknown = JOB.replace('name = "conv1"', 'name = "conv1"\nunits.sheduler = { spec = "static" }')
    (folder / "layers.toml").write_text(unknown)
    wrong = spartan("run", "layers.toml", "--out", "out5", cwd=folder)
    assert wrong.returncode == 2
    assert "sheduler" in wrong.stderr


def test_results_of_finished_layers_are_kept(folder):
    raising = f"{Path(__file__).parent / 'faulty_units.py'}:Raising"
    phases = 'phases = ["forward", "filter_gradient"]'
    unit = f'phase_units.filter_gradient.compaction = {{ spec = "{raising}" }}'
    (folder / "fails.toml").write_text(JOB.replace('name = "conv1"', f'name = "conv1"\n{phases}\n{unit}'))
    ran = spartan("run", "fails.toml", "--out", "out6", cwd=folder)
    assert ran.returncode == 3
    kept = json.loads((folder / "out6" / "partial.json").read_text())
    assert kept["error"] in ran.stderr
    assert ("conv1", "forward") in [(layer["name"], layer["phase"]) for layer in kept["layers"]]
    assert all(layer["verified"] for layer in kept["layers"])


DEFAULT = ("monitor", "compaction", "scheduler")


def test_every_shipped_alternative_computes_the_same_numbers(folder):
    names = ["compaction=ellpack-dib", "compaction=any-format", "compaction=serial", "scheduler=static",
             "scheduler=random", "monitor=sampling", "monitor=predicting"]  # fmt: skip
    units = [argument for name in names for argument in ("--unit", name)]
    ran = spartan("compare", "job.toml", "--out", "compared", *units, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    found = json.loads((folder / "compared" / "compare.json").read_text())
    assert list(found) == names
    assert all(layer["verified"] for results in found.values() for layer in results["layers"])
    assert (folder / "compared" / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_bare_tcp_is_refused_without_being_asked_for(folder):
    ran = spartan("run", "job.toml", "--out", "out3", "--unit", "monitor=tcp://127.0.0.1:9", cwd=folder)
    assert ran.returncode == 3
    assert "needs mutual TLS, or a token over TLS, or --insecure-loopback" in ran.stderr

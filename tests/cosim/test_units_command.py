"""`spartan units`: what it lists, what it writes, what it finds wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli import make_app
from spartan_units.registry import available_units

SPARTAN = Path(sys.executable).with_name("spartan")


def spartan(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SPARTAN), *arguments], capture_output=True, text=True, cwd=cwd, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("kind", ["monitor", "compaction", "scheduler"])
def test_a_new_unit_passes_its_check_and_its_test(tmp_path, kind):
    made = spartan("units", "new", kind, "my_unit.py", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = spartan("units", "check", "./my_unit.py:MyUnit", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "events/s" in checked.stdout
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_unit.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "10 passed" in tested.stdout
    again = spartan("units", "new", kind, "my_unit.py", cwd=tmp_path)
    assert again.returncode == 2
    assert "File exists" in again.stderr


def test_the_list_names_every_kind_and_its_default():
    rows = json.loads(spartan("units", "list", "--json").stdout)
    defaults = {row["kind"]: row["name"] for row in rows if row["default"]}
    assert defaults == {"monitor": "line-counting", "compaction": "ellpack-dib", "scheduler": "longest-first"}
    assert all(row["what"] for row in rows)


def test_a_description_has_costs_and_parameters():
    told = json.loads(spartan("units", "describe", "ellpack-dib", "--json").stdout)
    assert told["costs"]["lookahead_ps"] == 13_000
    assert told["parameters"]["buffers"]["default"] == 64


def test_every_installed_unit_can_be_described():
    for name, target in available_units().items():
        told = CliRunner().invoke(make_app("units"), ["units", "describe", name])
        assert told.exit_code == 0, f"{name}: {told.exception!r}"
        assert told.stdout.startswith(f"{name} ")
        assert target.partition(":")[2] in told.stdout
        assert "lookahead_ps" in told.stdout


def test_all_numbers_are_told_with_unit_range_and_source():
    told = json.loads(spartan("units", "describe", "--json").stdout)
    text = (Path(__file__).parents[2] / "spartan_units" / "spartan.toml").read_text(encoding="utf-8")
    assert set(told) == set(re.findall(r"^\[([\w.]+)\]$", text, re.MULTILINE))
    for number in told.values():
        low, high = number["range"]
        assert low <= number["value"] <= high
        assert number["source"] in ("ours", "paper", "measured")
        assert number["unit"]
        assert number["note"]
    shown = spartan("units", "describe").stdout
    assert "compaction.buffers = 64 tiles per engine (1 … 65536; source: ours)\n    Converted tiles" in shown


def test_a_unit_that_breaks_a_rule_ends_with_status_1(tmp_path):
    (tmp_path / "bad.py").write_text(
        "from spartan_units.scheduler import LongestFirstScheduler\n"
        "from spartan_units.types import SchedulePlan\n"
        "class Bad(LongestFirstScheduler):\n"
        "    def schedule(self, query):\n"
        "        plan = super().schedule(query)\n"
        "        return SchedulePlan(plan.order, None, plan.tile_path, 1)\n"
    )
    result = spartan("units", "check", "./bad.py:Bad", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("fails 1 of 10 checks: lookahead")


def test_the_benchmark_of_the_bridge_gives_its_figures(tmp_path):
    result = spartan("bench", "bridge", "--rounds", "1", "--repeats", "0", "--json", "bridge.json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    told = json.loads((tmp_path / "bridge.json").read_text())
    for name in ("posted_per_s", "raw_posted_per_s", "round_trip_us_median", "raw_round_trip_us_median"):
        assert told[name] > 0
    assert told["posted_share"] == pytest.approx(told["posted_per_s"] / told["raw_posted_per_s"])


@pytest.mark.parametrize("spec", ["no-such-unit", "./none.py:Unit", "spartan_units.monitor:tile_deltas"])
def test_a_unit_that_is_not_there_ends_with_status_2(spec):
    result = spartan("units", "describe", spec)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert spec in result.stderr

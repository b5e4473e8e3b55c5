"""`spartan bench reference` hands over to the GPU model; the figures themselves are tested in Go."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import bridge.cli; bridge.cli.main()", "bench", "reference", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.skipif(not (REFERENCE / "reference.json").exists(), reason="shared/reference is not beside the repository")
def test_compares_cases_and_writes_records(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    done = bench("--reference", str(REFERENCE), "--case", "empty_64wg_64*", "--json", str(file), "--cores", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "instruction counts equal in 3 of 3" in done.stdout
    records = json.loads(file.read_text())
    assert [(r["case"], r["launch"], r["group"]) for r in records] == [
        ("empty_64wg_64", 0, "A"),
        ("empty_64wg_64_x2", 0, "C"),
        ("empty_64wg_64_x2", 1, "C"),
    ]
    for record in records:
        assert record["instructions"] == record["reference_instructions"] == 64
        assert record["cycles"] == record["reference_cycles"]
        assert set(record["counters"]) == set(record["reference_counters"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "spartan: expected --reference with the folder that holds reference.json\n"),
        (
            ["--reference", "nowhere"],
            "spartan: cannot read the reference: open nowhere/reference.json: no such file or directory\n",
        ),
    ],
)
def test_refuses_a_missing_reference(arguments: list[str], sentence: str) -> None:
    done = bench(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)

"""`spartan isa` hands its arguments and streams to the GPU model."""

from __future__ import annotations

import json
import subprocess
import sys


def spartan(*arguments: str, standard_input: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import bridge.cli; bridge.cli.main()", "isa", *arguments]
    return subprocess.run(command, input=standard_input, capture_output=True, text=True, check=False, timeout=60)


def test_disassembles_a_line_an_instruction() -> None:
    done = spartan("disasm", standard_input="bf810000\nbe8000ff 12345678\nbe8000ff\nxyz\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "s_endpgm",
        "s_mov_b32 s0, 0x12345678",
        "error: 0xbe8000ff is not a gfx803 instruction: its second dword is missing",
        'error: a dword in hex is expected, got "xyz"',
    ]


def test_counts_coverage() -> None:
    done = spartan("--json")
    counts = json.loads(done.stdout)
    assert set(counts) == {"known", "decoded", "executed", "refused"}
    assert counts["known"] >= 1241
    assert counts["decoded"] == counts["known"] == counts["executed"] + len(counts["refused"])


def test_wrong_usage_exits_with_2() -> None:
    done = spartan("assemble")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: spartan isa disasm")

"""`spartan isa` hands its arguments and streams to the GPU model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from bridge._binary import gpusim

OBJECT = Path(__file__).parents[2] / "kernels" / "relu.hsaco"


def run(*command: str, standard_input: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=standard_input, capture_output=True, text=True, check=False, timeout=60)


def spartan(*arguments: str, standard_input: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import bridge.cli; bridge.cli.main()", "isa", *arguments]
    return run(*command, standard_input=standard_input)


def isa(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the GPU model's command: `spartan isa` hands over to it, and starts more slowly."""
    return run(str(gpusim()), "isa", *arguments)


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
    done = isa("--json")
    counts = json.loads(done.stdout)
    assert set(counts) == {"known", "decoded", "executed", "refused"}
    assert counts["known"] >= 1241
    assert counts["decoded"] == counts["known"] == counts["executed"] + len(counts["refused"])


def test_wrong_usage_exits_with_2() -> None:
    done = spartan("assemble")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: spartan isa disasm")


def test_dumps_one_kernel_of_an_object() -> None:
    done = isa("dump", str(OBJECT))
    names = re.findall(r"^[0-9a-f]{16} <(\w+)>:$", done.stdout, re.MULTILINE)
    assert names
    one = isa("dump", "--kernel", names[-1], str(OBJECT))
    assert re.findall(r"<(\w+)>:\n", one.stdout) == names[-1:]
    assert re.search(r"^\ts_endpgm +// [0-9A-F]{12}: BF810000$", one.stdout, re.MULTILINE)


def test_names_the_kernels_where_one_is_missing() -> None:
    done = spartan("dump", "--kernel", "none", str(OBJECT))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"spartan: {OBJECT} has no kernel")
    assert done.stderr.count("\n") == 1

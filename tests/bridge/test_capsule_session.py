"""Launches of sessions and driver scripts, recorded as capsules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge import ConfigurationError, CoSimulation
from bridge._binary import gpusim

SCRIPT = """
import sys
import numpy as np
from bridge import CoSimulation
with CoSimulation(mode="functional") as session:
    x = session.array(np.arange(-50, 50, dtype=np.float32), name="x")
    y = session.empty(100, name="y")
    for _ in range(int(sys.argv[1])):
        session.launch("relu_forward", args=(x, y, 100))
    print(y.numpy().sum())
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(gpusim()), "capsule", "run", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("mode", ["timing", "functional"])
def test_a_launch_is_recorded(mode: str, tmp_path: Path) -> None:
    x = np.arange(-500, 500, dtype=np.float32)
    with CoSimulation(mode=mode) as session:
        other = session.array(np.ones(7, np.float32), name="other")
        a = session.array(x, name="array")
        b = session.empty(1000, name="array")
        session.launch("relu_forward", args=(other, other, 7))
        recorder = session.record_capsule(tmp_path / "c", kernel="relu_forward")
        session.launch("relu_forward", args=(a, b, 1000))
        session.launch("relu_forward", args=(b, a, 1000))
        assert recorder.done
    regions = {
        region["name"]: region for region in json.loads((tmp_path / "c" / "capsule.json").read_text())["regions"]
    }
    assert set(regions) == {"array", "array_2"}
    np.testing.assert_array_equal(np.fromfile(tmp_path / "c" / "array.before.bin", np.float32), x)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "c" / "array_2.after.bin", np.float32), np.maximum(x, 0))
    for again in ("functional", "timing"):
        done = run(tmp_path / "c", "--mode", again)
        assert (done.returncode, done.stderr) == (0, "")
    with CoSimulation(mode=mode) as session, pytest.raises(ConfigurationError, match="already holds a capsule"):
        session.record_capsule(tmp_path / "c")


def test_a_pointer_to_no_array_is_named(tmp_path: Path) -> None:
    with CoSimulation(mode="functional") as session:
        a = session.array(np.ones(7, np.float32), name="a")
        session.record_capsule(tmp_path / "c")
        with pytest.raises(ConfigurationError, match=r"argument .* is 0x7000000, which lies in no array"):
            session.launch("relu_forward", args=(a, 0x7000000, 7))
    assert not (tmp_path / "c").exists()


def test_a_driver_script_is_recorded(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(SCRIPT)

    def record(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "import bridge.cli; bridge.cli.main()", "capsule", "record", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    folder = str(tmp_path / "c")
    done = record(folder, "--script", str(script), "--kernel", "relu_forward", "--number", "2", "--", "2")
    assert (done.returncode, done.stdout) == (0, "1225.0\n"), done.stderr
    assert run(tmp_path / "c").returncode == 0
    done = record(str(tmp_path / "d"), "--script", str(script), "--number", "3", "--", "1")
    assert done.returncode == 2
    assert "ended before launch 3 of any kernel (kernels it launched: relu_forward)" in done.stderr
    done = record(str(tmp_path / "d"), "--script", str(tmp_path / "none.py"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)

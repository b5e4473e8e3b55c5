"""Capsules: what the command records it runs, and every mistake ends in one sentence and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge._binary import gpusim
from bridge.capsule import Region, write_capsule
from bridge.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
OBJECT = ROOT / "tests" / "kernels" / "library" / "objects" / "clang16-v5" / "sort.hsaco"
X = np.array([5, -3, 2, 9, 0, 7], np.float32)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=60)


def capsule(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the GPU model's command: `spartan capsule` hands over to it, and starts more slowly."""
    return run(gpusim(), "capsule", *arguments)


def spartan(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-c", "import bridge.cli; bridge.cli.main()", *arguments)


def one_sentence(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", X)
    folder = tmp_path / "capsule"
    launch = ["--object", OBJECT, "--kernel", "rank_sort", "--grid", "64", "--workgroup", "64"]
    arguments = ["--arg", f"x=buffer:{tmp_path / 'x.npy'}", "--arg", "y=zeros:24", "--arg", "i32:6"]
    done = capsule("record", folder, "--mode", "timing", *launch, *arguments)
    assert done.returncode == 0, done.stderr
    return folder


def manifest(folder: Path) -> Any:
    return json.loads((folder / "capsule.json").read_text())


def test_recorded_memory_is_the_kernels_result(recorded: Path) -> None:
    assert (recorded / "x.before.bin").read_bytes() == X.tobytes()
    np.testing.assert_array_equal(np.fromfile(recorded / "y.after.bin", np.float32), np.sort(X))
    assert manifest(recorded)["expected"]["cycles"] > 0


def test_run_repeats_the_launch(recorded: Path) -> None:
    done = capsule("run", recorded)
    assert done.returncode == 0
    assert "memory as expected" in done.stdout
    done = capsule("run", recorded, "--mode", "timing", "--cycles-tolerance", "0", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["outcome"] == "same"
    assert report["cycles"] == manifest(recorded)["expected"]["cycles"]


def test_the_first_difference_is_named(recorded: Path) -> None:
    after = np.fromfile(recorded / "y.after.bin", np.float32)
    after[[2, 4]] = 1
    after.tofile(recorded / "y.after.bin")
    done = capsule("run", recorded)
    assert done.returncode == 1
    address = int(manifest(recorded)["regions"][1]["address"], 16)
    # 2.0 is 0x40000000 and 1.0 0x3f800000: they differ from the third byte on.
    where = f'region "y", offset 10 (address 0x{address + 10:x})'
    assert f"{where}: expected 0x3f800000 (1065353216, 1), got 0x40000000 (1073741824, 2)" in done.stdout


def test_other_cycles_are_a_difference_when_asked(recorded: Path) -> None:
    content = manifest(recorded)
    content["expected"]["cycles"] *= 2
    (recorded / "capsule.json").write_text(json.dumps(content))
    assert capsule("run", "--mode", "timing", recorded).returncode == 0
    done = capsule("run", "--mode", "timing", "--cycles-tolerance", "10", recorded)
    assert done.returncode == 1
    assert "(-50.00 %)" in done.stdout


def test_show_tells_geometry_and_arguments(recorded: Path) -> None:
    done = capsule("show", recorded)
    assert done.returncode == 0
    assert "grid 64 work-items in work-groups of 64" in done.stdout
    assert "= x + 0" in done.stdout
    assert "6 (0x6)" in done.stdout


def test_addresses_are_kept(tmp_path: Path) -> None:
    """Buffers at odd and far addresses, two in one page, one across pages."""
    places = {"x": 0x7F12_3456_7FF8, "y": 0x7F12_3456_8010}
    arguments = b"".join(places[name].to_bytes(8, "little") for name in "xy") + (6).to_bytes(4, "little")
    regions = [
        Region(name="x", address=places["x"], before=X.tobytes()),
        Region(name="y", address=places["y"], before=24, after=np.sort(X).tobytes()),
        Region(name="unused", address=0xFFFF_FFFF_0000_0123, before=b"abc"),
    ]
    launch: dict[str, Any] = {"kernel": "rank_sort", "grid": [64], "workgroup": [64], "arguments": arguments}
    write_capsule(tmp_path / "c", code_object=OBJECT.read_bytes(), regions=regions, **launch)
    done = capsule("run", tmp_path / "c", "--mode", "timing")
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(ConfigurationError, match="already holds a capsule"):
        write_capsule(tmp_path / "c", code_object=b"", regions=[], **launch)


def test_a_store_outside_every_region_is_a_difference(tmp_path: Path) -> None:
    arguments = (0x1000).to_bytes(8, "little") + (0x2000).to_bytes(8, "little") + (6).to_bytes(4, "little")
    regions = [
        Region(name="x", address=0x1000, before=X.tobytes()),
        Region(name="y", address=0x2000, before=16, after=np.sort(X)[:4].tobytes()),
    ]
    launch: dict[str, Any] = {"kernel": "rank_sort", "grid": [64], "workgroup": [64], "arguments": arguments}
    write_capsule(tmp_path / "c", code_object=OBJECT.read_bytes(), regions=regions, **launch)
    done = capsule("run", tmp_path / "c")
    assert done.returncode == 1
    assert "address 0x2012, outside every region: expected bytes 00 00 00 00" in done.stdout.replace(
        "0x00000000 (0, 0)", "bytes 00 00 00 00"
    )


def edited(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        content = manifest(folder)
        change(content)
        (folder / "capsule.json").write_text(json.dumps(content))

    return edit


INVALID = {
    "no manifest": (lambda folder: (folder / "capsule.json").unlink(), "no such file"),
    "not JSON": (lambda folder: (folder / "capsule.json").write_text("{"), "capsule.json: unexpected EOF"),
    "unknown key": (edited(lambda m: m.update(colour="red")), 'unknown field "colour"'),
    "other version": (edited(lambda m: m.update(version=2)), "expected version 1 of the format, got 2"),
    "file elsewhere": (edited(lambda m: m.update(arguments="../x.npy")), "expected the name of a file inside"),
    "missing file": (edited(lambda m: m.update(code_object="none")), '"none": no such file'),
    "short file": (
        lambda folder: (folder / "y.after.bin").write_bytes(b"123"),
        'expected 24 bytes in "y.after.bin", got 3',
    ),
    "overlap": (edited(lambda m: m["regions"][1].update(address="0x1010")), 'region "y" at 0x1010 overlaps region "x"'),
    "null page": (edited(lambda m: m["regions"][0].update(address=16)), "lies in page 0"),
    "wrap": (edited(lambda m: m["regions"][0].update(address="0xfffffffffffffff8")), "pass the end of the address"),
    "too large": (edited(lambda m: m["regions"][1].update(bytes=1 << 60, after="")), "expected regions of at most"),
    "no such kernel": (edited(lambda m: m.update(kernel="none")), 'has no kernel "none"'),
    "bad grid": (edited(lambda m: m.update(grid=[0])), "must have at least one work-item"),
    "too much LDS": (edited(lambda m: m.update(dynamic_lds_bytes=70000)), "a compute unit has 65536"),
    "not an ELF file": (lambda folder: (folder / "sort.hsaco").write_bytes(b"hello"), "sort.hsaco"),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_wrong_capsule_ends_in_one_sentence(name: str, recorded: Path) -> None:
    breaks, sentence = INVALID[name]
    breaks(recorded)
    assert sentence in one_sentence(capsule("run", recorded), 2)


@pytest.mark.parametrize("mode", ["functional", "timing"])
def test_a_fault_names_kernel_instruction_and_address(mode: str, recorded: Path) -> None:
    arguments = bytearray((recorded / "arguments.bin").read_bytes())
    arguments[8:16] = (0xDEAD000).to_bytes(8, "little")
    (recorded / "arguments.bin").write_bytes(arguments)
    sentence = one_sentence(capsule("run", "--mode", mode, recorded), 4)
    for part in [
        "sort.hsaco",
        'kernel "rank_sort" at PC 0x',
        "flat_store_dword",
        "work-group (0, 0, 0), wavefront 0, lane",
        "0xdead0",
    ]:
        assert part in sentence


@pytest.mark.parametrize("mode", ["functional", "timing"])
def test_an_endless_loop_ends_with_its_budget(mode: str, recorded: Path) -> None:
    done = capsule("run", "--mode", mode, "--max-instructions", "20", recorded)
    assert "budget of 20 wavefront instructions" in one_sentence(done, 4)


def test_wrong_usage(recorded: Path, tmp_path: Path) -> None:
    assert "expected --mode functional or timing" in one_sentence(capsule("run", "--mode", "x", recorded), 2)
    assert "not defined: -x" in one_sentence(capsule("run", "-x", recorded), 2)
    assert "expected the folder" in one_sentence(capsule("run"), 2)
    launch = ["--object", OBJECT, "--kernel", "rank_sort", "--grid", "64", "--workgroup", "64"]
    done = capsule("record", tmp_path / "new", *launch, "--arg", "i32:5")
    assert "expected 3 arguments, got 1" in one_sentence(done, 2)
    assert not (tmp_path / "new").exists()
    done = capsule("record", recorded, *launch, *["--arg", "zeros:24"] * 2, "--arg", "i32:6")
    assert "expected a new or empty folder" in one_sentence(done, 2)
    done = capsule("record", tmp_path / "new", *launch, *["--arg", "zeros:24"] * 2, "--arg", "i64:6")
    assert "takes 4 bytes, got 8" in one_sentence(done, 2)


def test_the_spartan_command_hands_over(recorded: Path) -> None:
    assert "usage: spartan capsule run" in spartan("capsule", "help").stdout
    assert "memory as expected" in spartan("capsule", "run", recorded).stdout
    (recorded / "capsule.json").unlink()
    assert one_sentence(spartan("capsule", "run", recorded), 2).startswith("spartan: ")

"""What bad input and broken processes get: one sentence, the right exit code, soon, and nothing left over."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command import DATA, ROOT, SPARTAN, Command, spartan

from bridge import ConfigurationError, CoSimulation, DeviceMemoryError, ModelFailedError
from bridge.catalogue import kernel_folder

SMALL = str(DATA / "small.toml")
PHOTO = str(ROOT / "benchmarks" / "photo_conv.toml")
UNITS = DATA / "misbehaving_units.py"
SOON = 10.0


def changed(tmp_path: Path, old: str, new: str) -> str:
    text = Path(SMALL).read_text()
    assert old in text
    path = tmp_path / "job.toml"
    path.write_text(text.replace(old, new, 1))
    return str(path)


def start_seconds() -> float:
    """Return how long the command takes that does nothing."""
    begin = time.monotonic()
    subprocess.run([SPARTAN, "--version"], check=True, capture_output=True)
    return time.monotonic() - begin


def refused(run, status: int, *parts: str) -> None:
    assert run.status == status, (run.status, run.out, run.err)
    for part in parts:
        assert part in run.sentence
    assert run.seconds < SOON or run.seconds < 10 * start_seconds()  # on a host this busy
    assert run.left == []


# Configuration


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seed = 3", "sead = 3", "there is no key sead; did you mean 'seed'?"),
        ("filters = 16", "filers = 16", "there is no key layers[0].filers; did you mean 'filters'?"),
        ("filters = 16", 'filters = "many"', "key layers[0].filters: input should be a valid integer"),
        ("filters = 16", "filters = 0", "key layers[0].filters: input should be greater than or equal to 1, got 0"),
        ("size = 3", "", "key layers[0].size is missing"),
        ('kind = "relu"', 'kind = "gelu"', "layers[1]"),
        ('name = "relu1"', 'name = "conv1"', "two layers are called 'conv1'"),
        ("seed = 3", "seed = ", "is not TOML"),
        ("crop = [60, 180, 160, 160]", "crop = [60, 180, 1600, 160]", "input.crop: expected top, left, height, width"),
        ("[input]", '[input]\nimage = "no.jpg"', "no.jpg is no image that can be read"),
        ("warmup = 0", "warmup = 0\n[gpu]\npreset = 'r10nano'", 'unknown GPU preset "r10nano"'),
        ("warmup = 0", "warmup = 0\n[gpu]\nset = {'l2.bnks' = 8}", "l2.bnks"),
        ("warmup = 0", "warmup = 0\n[gpu]\nset = {'l2.banks' = 7}", "l2.banks"),
        ("warmup = 0", "warmup = 0\n[units.monitor]\nspec = 'nope'", "unit 'nope' is neither an installed unit"),
        (
            "warmup = 0",
            "warmup = 0\n[units.compaction]\nspec = 'spartan_units.compaction:EllpackCompactionEngine'\n"
            "parameters = {bufers = 3}",
            "bufers",
        ),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path, old, new, sentence):
    refused(spartan(tmp_path, "run", changed(tmp_path, old, new)), 2, sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "missing.toml"], "missing.toml can't be read: No such file or directory"),
        (["run", SMALL, "--mode", "fast"], "--mode is timing or functional, got 'fast'"),
        (["run", SMALL, "--unit", "compactor=x"], "--unit takes KIND=SPEC with a kind of monitor, compaction"),
        (["run", SMALL, "--unit", "monitor=./missing.py:Unit"], "there is no file missing.py"),
        (["run", SMALL, "--unit", "monitor=json:JSONDecoder"], "is not a class derived from spartan_units.Unit"),
        (
            ["run", SMALL, "--unit", "monitor=spartan_units.scheduler:LongestFirstScheduler"],
            "can't fill the seat monitor",
        ),
        (["run", SMALL, "--gpu-set", "l2.banks"], "--gpu-set takes KEY=VALUE"),
        (["run", SMALL, "--out", "/proc/nowhere"], "the output folder /proc/nowhere can't be written"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, sentence):
    refused(spartan(tmp_path, *arguments), 2, sentence)


# Code objects, kernels, memory


@pytest.fixture(scope="module")
def session():
    with CoSimulation(mode="functional") as made:
        yield made


def test_a_missing_code_object_is_named(session):
    with pytest.raises(ConfigurationError, match=r"nowhere/x\.hsaco can't be read: No such file"):
        session.load("nowhere/x.hsaco")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fELF" + bytes(60), None])
def test_a_broken_code_object_is_refused(session, tmp_path, content):
    path = tmp_path / "broken.hsaco"
    whole = (kernel_folder() / "relu.hsaco").read_bytes()
    path.write_bytes(whole[: len(whole) // 3] if content is None else content)
    with pytest.raises(ConfigurationError, match=r"broken\.hsaco"):
        session.load(path)


def test_an_unknown_kernel_is_refused_with_the_nearest_name(session):
    with pytest.raises(ConfigurationError, match=r"no kernel 'relu_foward'; did you mean 'relu_forward'\?"):
        session.launch("relu_foward")


def test_wrong_kernel_arguments_are_refused(session):
    x = session.empty(4, name="x")
    with pytest.raises(ConfigurationError, match="kernel relu_forward: argument n is missing"):
        session.launch("relu_forward", args={"x": x, "y": x})
    with pytest.raises(ConfigurationError, match="kernel relu_forward has no argument 'm'; it takes x, y, n"):
        session.launch("relu_forward", args={"x": x, "y": x, "m": 4})
    with pytest.raises(ConfigurationError, match="argument n is 4 bytes of uint, got 4294967296 of type int"):
        session.launch("relu_forward", args={"x": x, "y": x, "n": 1 << 32}, grid=(256,), workgroup=(256,))
    with pytest.raises(ConfigurationError, match="takes 3 arguments, got 2"):
        session.launch("relu_forward", args=(x, x))


def test_out_of_device_memory_names_the_array(session):
    with pytest.raises(DeviceMemoryError, match="huge"):
        session.empty(1 << 40, name="huge")
    assert session.empty(1 << 20, name="small").numpy().sum() == 0  # the session goes on


def test_a_job_that_does_not_fit_the_device_ends_with_2(tmp_path):
    run = spartan(tmp_path, "run", SMALL, "--gpu-set", "dram.bytes=65536")
    refused(run, 2, "memory", "conv")


def test_a_kernel_that_reads_past_memory_names_kernel_and_pc(session):
    with pytest.raises(ModelFailedError, match=r'kernel "relu_forward" at PC 0x[0-9a-f]+ .*work-group'):
        session.launch("relu_forward", args=(1 << 45, 1 << 45, 1024))


def test_an_endless_kernel_meets_its_budget():
    with CoSimulation(mode="timing", max_instructions=1000) as limited:
        x = limited.array(np.ones(1 << 20, np.float32), name="x")
        expected = r'kernel "relu_forward" at PC 0x[0-9a-f]+ .*wavefront \d+: the launch\'s budget of 1000 wavefront'
        with pytest.raises(ModelFailedError, match=expected):
            limited.launch("relu_forward", args=(x, x, x.size))


# Units


@pytest.mark.parametrize(
    ("unit", "parts"),
    [
        ("compaction={}:Raising", ["unit raising failed", "compact_tile", "conv", "the third batch is too much"]),
        ("compaction={}:Exiting", ["unit exiting failed", "compaction ended with status 7"]),
        ("compaction={}:WrongSize", ["unit wrong-size failed", "the slot"]),
        ("compaction={}:TooEarly", ["unit too-early failed"]),
        ("monitor={}:RaisingMonitor", ["unit raising-monitor failed", "no such tensor"]),
    ],
)
def test_a_unit_that_fails_in_mid_run_ends_the_run(tmp_path, unit, parts):
    refused(spartan(tmp_path, "run", SMALL, "--unit", unit.format(UNITS)), 3, *parts)


def test_a_unit_that_falls_silent_ends_the_run_at_its_deadline(tmp_path):
    job = changed(tmp_path, "seed = 3", "seed = 3\nreply_deadline_s = 2.0")
    run = spartan(tmp_path, "run", job, "--unit", f"compaction={UNITS}:Silent")
    refused(run, 3, "unit silent failed", "2")


def test_a_unit_that_answers_wrong_values_makes_a_result_differ(tmp_path):
    run = spartan(tmp_path, "run", SMALL, "--unit", f"compaction={UNITS}:WrongValue", "--out", "wrong")
    refused(run, 1, "results differ from their reference", "conv1 forward", "conv2 data_gradient")
    assert (tmp_path / "wrong" / "results.json").exists()
    assert "NO" in run.out


@pytest.mark.parametrize("victim", ["monitor", "compaction", "scheduler"])
def test_a_killed_unit_ends_the_run_with_3(tmp_path, victim):
    command = Command(tmp_path, "run", PHOTO)
    children = command.wait_until_busy()
    command.kill(children[victim])
    refused(command.finish(pids=children), 3, "failed", "SIGKILL")


# The model and the driver


def test_a_killed_model_ends_the_run_with_4(tmp_path):
    command = Command(tmp_path, "run", PHOTO)
    children = command.wait_until_busy()
    command.kill(children["model"])
    refused(command.finish(pids=children), 4, "the GPU model", "SIGKILL")


def test_ctrl_c_twice_ends_the_run_cleanly(tmp_path):
    command = Command(tmp_path, "run", PHOTO)
    children = command.wait_until_busy()
    command.kill(command.process.pid, signal.SIGINT)
    time.sleep(0.05)
    if command.process.poll() is None:
        command.kill(command.process.pid, signal.SIGINT)
    refused(command.finish(pids=children), 130, "interrupted")


def test_a_terminated_driver_cleans_up(tmp_path):
    command = Command(tmp_path, "run", PHOTO)
    children = command.wait_until_busy()
    command.kill(command.process.pid, signal.SIGTERM)
    refused(command.finish(pids=children), 143, "terminated")


def test_a_killed_driver_takes_model_and_units_with_it(tmp_path):
    command = Command(tmp_path, "run", PHOTO)
    children = command.wait_until_busy()
    command.kill(command.process.pid)
    command.process.wait()
    deadline = time.monotonic() + 2
    alive = children
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = {name: pid for name, pid in alive.items() if _runs(pid)}
    assert alive == {}
    assert command.finish().left == []


def _runs(pid: int) -> bool:
    """Tell whether a process exists and is no zombie (whose new parent may be slow to reap it)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

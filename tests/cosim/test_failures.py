"""Whatever a unit does wrong, the run ends in one sentence within the deadline, and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge import ConfigurationError, CoSimulation, ModelFailedError, SpartanError, UnitChoice, UnitFailedError
from bridge._folder import session_folder
from bridge._process import Child
from bridge.kernel import LaunchProgress
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from tests.cosim.jobs import run

HERE = Path(__file__).parent
DEADLINE_S = 3.0
SLACK_S = 20.0  # processes start and end meanwhile, on a machine that does other things


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def nothing_left_behind() -> Iterator[list[int]]:
    """Give a list for process ids; at the end none of them runs and no session's folder is new."""
    home = Path(session_folder() or tempfile.gettempdir())
    folders = set(home.glob("spartan-*"))
    pids: list[int] = []
    yield pids
    end = time.monotonic() + 5
    while time.monotonic() < end and any(map(alive, pids)):
        time.sleep(0.05)
    assert [pid for pid in pids if alive(pid)] == []
    ours = [folder for folder in set(home.glob("spartan-*")) - folders if _of(folder, pids)]
    assert ours == []


def _of(folder: Path, pids: list[int]) -> bool:
    """Tell whether a folder holds anything of these processes; other tests may run beside this one."""
    return any(re.search(rf"-{pid}-", path.name) for pid in pids for path in folder.glob("*"))


def units(**specs: str) -> list[UnitChoice]:
    """The units of a run: those given, the others built into the model."""
    return [UnitChoice(kind, specs.get(kind.value, "builtin")) for kind in UnitKind]


def started(choices: list[UnitChoice], pids: list[int], spoil: Callable[[CoSimulation], None] = lambda _: None) -> None:
    """Run the job over and over until it fails, within the deadline."""
    with CoSimulation(units=choices, reply_deadline_s=DEADLINE_S) as session:
        pids.extend(session.process_ids().values())
        spoil(session)
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < SLACK_S:
                run(session, detach=False)
        finally:
            assert time.monotonic() - begin < DEADLINE_S + SLACK_S


def fails(choices: list[UnitChoice], error: type[SpartanError] = UnitFailedError) -> str:
    """Run the job; return the sentence that it ends in."""
    with nothing_left_behind() as pids, pytest.raises(error) as caught:
        started(choices, pids)
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    return sentence


@pytest.mark.parametrize(
    ("kind", "unit", "event", "reason"),
    [
        ("compaction", "Raising", r"compact_tile event \d+", r"it raised ZeroDivisionError: tiles by zero \(.*:\d+\)"),
        ("monitor", "RaisingMonitor", r"store event \d+", "it raised KeyError: 'no such tensor'"),
        ("compaction", "Hungry", r"compact_tile event \d+", r"it raised \w*MemoryError: Unable to allocate 16.0 GiB"),
        ("compaction", "Exiting", r"compact_tile event \d+", "it raised SystemExit: 7"),
        ("compaction", "Dying", r"compact_tile event \d+", "its process is gone.*compaction ended with status 9"),
        ("compaction", "Hanging", r"compact_tile event \d+", "no answer within 3s of wall time"),
        ("monitor", "HangingMonitor", r"(store|read_counts) event \d+", "no answer within 3s of wall time"),
        (
            "compaction",
            "WrongShape",
            r"compact_tile event \d+",
            r"expected size of whole numbers in shape \(\d+,\), got",
        ),
        ("compaction", "WrongType", r"compact_tile event \d+", "expected encoded of whole numbers in shape .* float32"),
        ("compaction", "TooEarly", r"compact_tile event \d+", "below the lookahead of 13000 ps that the unit declared"),
        ("compaction", "TooLarge", r"compact_tile event \d+", "expected 1 to 8384 bytes .the slot. for tile"),
        ("scheduler", "Twice", r"schedule event \d+", "work-group 0 stands twice in the order"),
        ("scheduler", "Elsewhere", r"schedule event \d+", "expected compute units below 64 or -1, got 64"),
    ],
)
def test_a_unit_that_goes_wrong(kind, unit, event, reason):
    sentence = fails(units(**{kind: f"{HERE / 'faulty_units.py'}:{unit}"}))
    name = {"compaction": "ellpack-dib", "monitor": "line-counting", "scheduler": "static"}[kind]
    layer = "relu" if kind == "monitor" else "conv forward"
    assert re.fullmatch(rf"unit {name} failed at {event} in layer {layer}, virtual time \d+ ps: .*{reason}.*", sentence)


def test_both_sides_tell_who_waits_for_whom(tmp_path):
    told: list[LaunchProgress] = []
    choices = units(compaction=f"{HERE / 'faulty_units.py'}:Hanging")
    with CoSimulation(units=choices, reply_deadline_s=8, log=tmp_path / "log") as session:
        session.on_progress = told.append
        with pytest.raises(UnitFailedError):
            run(session)
    waits = [progress for progress in told if progress.waiting_for]
    assert re.match(r"unit ellpack-dib at compact_tile event \d+", waits[-1].waiting_for)
    assert waits[-1].waiting_s > 5
    assert re.search(
        r"the model waits: <UnitStream .*> has been at compact_tile event \d+ for", (tmp_path / "log").read_text()
    )


def test_a_unit_that_does_not_begin():
    sentence = fails(units(compaction=f"{HERE / 'faulty_units.py'}:Refusing"))
    assert "failed at the handshake" in sentence
    assert "it raised RuntimeError: not today" in sentence


def test_a_unit_that_refuses_its_parameters():
    choice = UnitChoice(UnitKind.COMPACTION, DEFAULT_UNITS[UnitKind.COMPACTION], {"bufers": 3})
    assert "parameter bufers" in fails([choice], ConfigurationError)


def test_a_unit_that_is_not_there():
    assert "no module" in fails(units(compaction="no_such_package:Unit"), ConfigurationError).lower()


@contextlib.contextmanager
def raw_server(mode: str, folder: Path) -> Iterator[str]:
    child = Child([sys.executable, str(HERE / "raw_server.py"), mode, str(folder / "raw")], log=folder / "log",
                  env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)})  # fmt: skip
    try:
        child.wait_ready(30)
        yield child.address
    finally:
        child.stop()


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("version", r"it speaks protocol 2\.\d, the model 1\.\d: install matching versions"),
        ("kind", "expected a unit of kind compaction, got kind monitor"),
        ("no hello", "expected its hello as the first message"),
        ("rate", "its service rate must be a number"),
        ("garbage", "as many sequence numbers and latencies of 8 bytes, got"),
        ("order", "it came out of order"),
        ("unknown", "no such event was sent"),
        ("twice", "no answer to it is awaited|it came out of order|can't be opened|no such event"),
        ("size", "expected 4096 bytes of encoded tile, 128 are left"),
        ("other kind", "the answer is of another kind than the request"),
        ("shared", "is no name of a shared payload"),
        ("empty", "it sent a message of unknown kind"),
        ("huge", "larger than max"),
        ("flood", "it acknowledges events up to|expected an acknowledgement of events up to"),
        ("credit", "expected an acknowledgement of events up to"),
        ("hello again", "it sent a second hello"),
        ("no answer", "without having answered it"),
    ],
)
def test_a_server_that_breaks_the_protocol(tmp_path, mode, reason):
    with raw_server(mode, tmp_path) as address:
        sentence = fails(units(compaction=address))
    assert re.search(reason, sentence), sentence
    assert re.match(r"unit [\w-]+ failed at .*, virtual time \d+ ps: ", sentence), sentence


def interrupted(number: signal.Signals, kind: str, delay_s: float = 0.3) -> tuple[type[BaseException], str]:
    """Send a signal to one process while the job runs; return what it ends in."""
    with nothing_left_behind() as pids:
        choices = [UnitChoice(k, f"{HERE / 'units_for_tests.py'}:{v}", max_batch_events=1) for k, v in SLOW.items()]

        def spoil(session: CoSimulation) -> None:
            threading.Timer(delay_s, os.kill, (session.process_ids()[kind], number)).start()

        with pytest.raises(SpartanError) as caught:
            started(choices, pids, spoil)
    return caught.type, str(caught.value)


SLOW = {UnitKind.MONITOR: "SlowMonitor", UnitKind.COMPACTION: "SlowEngine", UnitKind.SCHEDULER: "SlowScheduler"}


@pytest.mark.parametrize("kind", ["monitor", "compaction"])
def test_a_unit_that_is_killed(kind):
    error, sentence = interrupted(signal.SIGKILL, kind)
    assert error is UnitFailedError
    assert f"{kind} ended with signal SIGKILL" in sentence


def test_a_unit_that_is_stopped():
    error, sentence = interrupted(signal.SIGSTOP, "monitor")
    assert error is UnitFailedError
    assert "no answer within 3s of wall time" in sentence


def test_the_driver_is_killed(tmp_path):
    driver_dies(tmp_path, delay_s=0.4)


def driver_dies(folder: Path, delay_s: float) -> None:
    """Kill a driver in mid-run: its model and units end within 2 s, and its folder goes."""
    with nothing_left_behind() as pids:
        log = (folder / "driver.log").open("wb")
        driver = subprocess.Popen(
            [sys.executable, str(HERE / "driver.py")],
            stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        )  # fmt: skip
        assert driver.stdout is not None
        told = json.loads(driver.stdout.readline())
        pids.extend(told["pids"])
        assert len(pids) == 4
        time.sleep(delay_s)
        assert all(map(alive, pids))
        driver.kill()
        driver.wait()
        killed = time.monotonic()
        while any(map(alive, pids)) and time.monotonic() - killed < 10:
            time.sleep(0.02)
        took = time.monotonic() - killed
        driver.stdout.close()
        log.close()
    assert took < 2.0 * LOAD
    assert not Path(told["folder"]).exists()


LOAD = 2.0  # how much longer things may take on a machine that does other things


@pytest.mark.long
def test_two_hundred_random_kills(tmp_path):
    """Whoever is killed, whenever: the run ends in one sentence, and nothing is left behind."""
    chance = random.Random(20210)
    for _ in range(200):
        victim = chance.choice(["model", "monitor", "compaction", "scheduler", "driver"])
        if victim == "driver":
            driver_dies(tmp_path, chance.uniform(0, 1))
            continue
        error, sentence = interrupted(signal.SIGKILL, victim, chance.uniform(0, 1))
        assert error is (ModelFailedError if victim == "model" else UnitFailedError)
        assert "SIGKILL" in sentence


def test_a_model_that_is_killed():
    error, sentence = interrupted(signal.SIGKILL, "model")
    assert error is ModelFailedError
    assert "ended in mid-run with signal SIGKILL" in sentence

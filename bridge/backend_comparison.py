"""The same launches on both back ends, figure by figure."""

from __future__ import annotations

import filecmp
import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bridge.backend import model_program
from bridge.config import RunConfig
from bridge.errors import ConfigurationError, ModelFailedError
from bridge.job import Job, run_job
from bridge.kernel import LaunchResult
from bridge.results import Results
from bridge.session import CoSimulation

__all__ = ["Figures", "Row", "compare_capsules", "compare_job"]


@dataclass(frozen=True)
class Figures:
    """What a launch took on one back end.

    Attributes:
        instructions: wavefront instructions.
        cycles: of the kernel, its launch tail included.
        wall_s: wall time of the launch in seconds.
        posted_events, requests: that units received.
        counters: of caches, TLBs and memory; empty where not asked for.
    """

    instructions: int
    cycles: int
    wall_s: float
    posted_events: int = 0
    requests: int = 0
    counters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One launch on both back ends.

    Attributes:
        name: of the capsule or the launch.
        embedded, mgpusim: what it took.
        memory: "equal" where all bytes are, else "–" where they were not compared launch by launch.
        difference: what differs, one word; "" where nothing does.
        refused: why it did not run on upstream, a sentence; "" where it did.
    """

    name: str
    embedded: Figures
    mgpusim: Figures
    memory: str = "equal"
    difference: str = ""
    refused: str = ""

    @property
    def cycles_error(self) -> float | None:
        """Cycles of the embedded model less upstream's, over upstream's; None where there are none."""
        if self.refused or not self.mgpusim.cycles:
            return None
        return (self.embedded.cycles - self.mgpusim.cycles) / self.mgpusim.cycles

    @property
    def speed_ratio(self) -> float | None:
        """Wall time on upstream over that on the embedded model."""
        return self.mgpusim.wall_s / self.embedded.wall_s if self.embedded.wall_s and not self.refused else None

    def as_json(self) -> dict[str, Any]:
        """Return all figures, with those derived."""
        return {**asdict(self), "cycles_error": self.cycles_error, "speed_ratio": self.speed_ratio}


_NOTHING = Figures(0, 0, 0.0)


def compare_capsules(capsules: Sequence[Path], on_row: Callable[[Row], None]) -> None:
    """Run capsules on both back ends, each on a cold GPU.

    Memory is compared byte for byte between the two, and with the capsule's own contents afterwards.

    Raises:
        ConfigurationError: where a folder is no capsule, or upstream is not installed.
        ModelFailedError: where the embedded model fails.
    """
    programs = {name: model_program(name) for name in ("embedded", "mgpusim")}
    for capsule in capsules:
        if not (capsule / "capsule.json").is_file():
            raise ConfigurationError(f"{capsule} is no capsule: it has no capsule.json")
        with tempfile.TemporaryDirectory(prefix="spartan-") as folder:
            results = {name: Path(folder) / name for name in programs}
            ours = _run([str(programs["embedded"]), "capsule", "run", "--mode", "timing"], capsule, results["embedded"])
            theirs = _run([str(programs["mgpusim"]), "capsule", "run", "--verify"], capsule, results["mgpusim"])
            on_row(_capsule_row(capsule.name, ours, theirs, results))


def _run(command: list[str], capsule: Path, results: Path) -> dict[str, Any]:
    result = subprocess.run(
        [*command, "--json", "--results", str(results), str(capsule)], capture_output=True, text=True, check=False
    )
    try:
        found: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        lines = result.stderr.strip().splitlines() or [f"it ended with status {result.returncode}"]
        raise ModelFailedError(f"{capsule}: {Path(command[0]).name} failed: {lines[-1]}") from None
    return found


def _capsule_row(name: str, ours: dict[str, Any], theirs: dict[str, Any], results: dict[str, Path]) -> Row:
    if ours["outcome"] == "invalid":
        raise ConfigurationError(ours["error"])
    if ours["outcome"] == "failed":
        raise ModelFailedError(ours["error"])
    if theirs["outcome"] in ("failed", "invalid"):
        return Row(name, _figures(ours), _NOTHING, memory="–", refused=theirs["error"])
    difference = ""
    if "differs" in (ours["outcome"], theirs["outcome"]) or not _same_files(results["embedded"], results["mgpusim"]):
        difference = "DIFFERS"
    elif ours["instructions"] != theirs["instructions"]:
        difference = "COUNTS"
    return Row(name, _figures(ours), _figures(theirs), difference=difference)


def _figures(report: dict[str, Any]) -> Figures:
    return Figures(
        report["instructions"], report.get("cycles", 0), report["wall_s"], counters=report.get("counters") or {}
    )


def _same_files(first: Path, second: Path) -> bool:
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*.bin"))
    if names != sorted(str(path.relative_to(second)) for path in second.rglob("*.bin")):
        return False
    _, differ, errors = filecmp.cmpfiles(first, second, names, shallow=False)
    return not differ and not errors


def compare_job(
    config: RunConfig,
    folder: Path,
    on_row: Callable[[Row], None],
    on_start: Callable[[CoSimulation, Job], None] | None = None,
) -> None:
    """Run a job of portable kernels on both back ends and compare it launch by launch.

    All that the host reads back (every output of every operation, and what it measures by) is compared through a hash.
    `on_start` is told each back end's session and job before the first launch.

    Raises:
        ModelFailedError: where a back end fails.
    """
    launches: dict[str, list[LaunchResult]] = {}
    digests: dict[str, str] = {}
    results: dict[str, Results] = {}
    walls: dict[str, float] = {}
    for backend in ("embedded", "mgpusim"):
        settings = config.model_copy(update={"backend": backend, "kernels": "portable", "mode": "timing"})
        digest = hashlib.sha256()
        sessions: list[CoSimulation] = []

        def start(session: CoSimulation, job: Job, digest: Any = digest, sessions: Any = sessions) -> None:
            session.on_read = digest.update
            if on_start is not None:
                on_start(session, job)
            sessions.append(session)

        begin = time.perf_counter()
        results[backend] = run_job(settings, folder, on_start=start)
        walls[backend] = time.perf_counter() - begin
        launches[backend], digests[backend] = sessions[0].launches, digest.hexdigest()
    if len(launches["embedded"]) != len(launches["mgpusim"]):
        raise ModelFailedError("the back ends made another number of launches")
    same = digests["embedded"] == digests["mgpusim"]
    for ours, theirs in zip(launches["embedded"], launches["mgpusim"], strict=True):
        difference = ""
        if ours.instructions != theirs.instructions:
            difference = "COUNTS"
        elif (ours.posted_events, ours.requests) != (theirs.posted_events, theirs.requests):
            difference = "EVENTS"
        on_row(Row(ours.label, _of_launch(ours), _of_launch(theirs), "equal" if same else "–", difference))
    verified = all(result.verified for result in results.values())
    on_row(
        Row(
            "all that the host read, and what was verified",
            Figures(sum(launch.instructions for launch in launches["embedded"]), 0, walls["embedded"]),
            Figures(sum(launch.instructions for launch in launches["mgpusim"]), 0, walls["mgpusim"]),
            "equal" if same else "–",
            "" if same and verified else "DIFFERS",
        )
    )


def _of_launch(launch: LaunchResult) -> Figures:
    return Figures(
        launch.instructions, launch.cycles, launch.wall_s, launch.posted_events, launch.requests,
    )  # fmt: skip

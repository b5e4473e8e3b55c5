"""`spartan profile kernel`: annotated disassembly with what the cycles of a kernel went to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text
import typer

from bridge._binary import gpusim
from bridge.config import load_config
from bridge.errors import ConfigurationError, ModelFailedError, VerificationError
from bridge.job import Job, run_job
from bridge.profile import KernelProfile, merge_profiles
from bridge.session import CoSimulation

__all__ = ["register"]

# Causes by column of the listing (docs/metrics.md); what a wavefront does itself comes first.
_COLUMNS = {
    "executes": ("valu", "scalar", "scalar_memory", "vector_memory", "lds", "branch", "special"),
    "fetch": ("fetch",),
    "SIMD busy": ("valu_busy",),
    "port busy": ("port",),
    "wait vmem": ("wait_vector_memory",),
    "wait LDS": ("wait_lds",),
    "wait smem": ("wait_scalar_memory",),
    "barrier": ("barrier",),
}
_MEANINGS = {
    "launch": "no wavefront yet: a work-group is on its way",
    "fetch": "the next instruction is not in the buffer",
    "valu": "vector instructions execute",
    "valu_busy": "the SIMD executes another wavefront's instruction",
    "scalar": "scalar instructions execute",
    "scalar_memory": "scalar memory instructions are issued",
    "vector_memory": "vector memory instructions are issued",
    "lds": "LDS instructions are issued",
    "branch": "branches execute",
    "special": "waits and barriers that let pass, s_nop, s_endpgm",
    "port": "another wavefront has the issue port",
    "wait_vector_memory": "s_waitcnt: vector memory",
    "wait_lds": "s_waitcnt: LDS",
    "wait_scalar_memory": "s_waitcnt: scalar memory",
    "barrier": "s_barrier: the rest of the work-group",
    "idle": "no wavefront, and none to come",
    "tail": "the launch's end after its last work-group",
}


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Where the cycles of a kernel go.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("kernel")(kernel)
    app.add_typer(group, name="profile")


def kernel(
    target: Path = typer.Argument(help="Folder of a capsule, or the configuration file of a run."),
    name: str | None = typer.Option(None, "--kernel", help="Profile this kernel of a run; without it, list them."),
    gpu: str | None = typer.Option(None, help="GPU preset, instead of what the file says; r9nano for a capsule."),
    gpu_set: list[str] = typer.Option([], help="KEY=VALUE: a GPU parameter that differs from the preset."),
    json_file: Path | None = typer.Option(None, "--json", help="Also write the profile to this file."),
) -> None:
    """Run a launch with a profile; print its instructions with issue counts and cycles by cause."""
    if (target / "capsule.json").is_file():
        if name is not None:
            raise ConfigurationError(f"{target} is a capsule, which has one kernel: leave --kernel out")
        profiles = [_of_capsule(target, gpu or "r9nano", gpu_set)]
    elif target.is_dir():
        raise ConfigurationError(f"{target} is a folder without capsule.json: expected a capsule or a configuration")
    else:
        profiles = _of_run(target, name, gpu, gpu_set)
    profile = merge_profiles(profiles)
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(profile.to_json(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"the profile {json_file} can't be written: {error.strerror}") from None
    _print(profile, len(profiles))


def _of_capsule(folder: Path, gpu: str, gpu_set: Sequence[str]) -> KernelProfile:
    command = [str(gpusim()), "capsule", "run", "--mode", "timing", "--gpu", gpu, "--json", "--profile"]
    command += [f"--set={text}" for text in gpu_set]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise ConfigurationError(done.stderr.strip().removeprefix("gpusim capsule: ")) from None
    if report["outcome"] == "invalid":
        raise ConfigurationError(report["error"])
    if "profile" not in report:
        raise ModelFailedError(report.get("error") or done.stderr.strip())
    if report["outcome"] == "differs":
        raise VerificationError(f"{folder}: the kernel's memory differs from the capsule's; see spartan capsule run")
    return KernelProfile.of_json(report["profile"])


def _of_run(config: Path, name: str | None, gpu: str | None, gpu_set: Sequence[str]) -> list[KernelProfile]:
    loaded = load_config(config).with_gpu(gpu, gpu_set).model_copy(update={"mode": "timing"})
    sessions: list[CoSimulation] = []

    def follow(session: CoSimulation, _: Job) -> None:
        sessions.append(session)
        session.profiled = lambda called: called == name

    run_job(loaded, config.parent, on_start=follow)
    launches = sessions[0].launches
    found = [launch.profile for launch in launches if launch.profile is not None]
    if not found:
        cycles: dict[str, int] = {}
        for launch in launches:
            cycles[launch.kernel] = cycles.get(launch.kernel, 0) + launch.cycles
        ranked = sorted(cycles, key=lambda called: -cycles[called])
        listed = ", ".join(f"{called} ({cycles[called]:,} cycles)" for called in ranked)
        wish = "expected --kernel NAME" if name is None else f"no launch runs kernel {name!r}"
        raise ConfigurationError(f"{wish}; the run launches {listed}")
    return found


def _print(profile: KernelProfile, launches: int) -> None:
    console = rich.console.Console()
    if not console.is_terminal:
        console = rich.console.Console(width=160)
    per = f", {launches} launches together" if launches > 1 else ""
    warm = "" if launches > 1 else ", caches cold" if profile.cold else ", caches warm"
    console.print(
        f"{profile.kernel}: {profile.cycles:,} cycles, {profile.cycles - profile.launch_tail_cycles:,} without the "
        f"launch tail{per}{warm}",
        highlight=False,
    )
    console.print("Cycles are means over the compute units and add up to the kernel's.\n", highlight=False)
    causes = rich.table.Table("cause", "cycles", "share", "meaning", box=rich.box.SIMPLE_HEAD)
    causes.columns[1].justify = causes.columns[2].justify = "right"
    by_cause = profile.by_cause
    for cause in sorted(by_cause, key=lambda cause: -by_cause[cause]):
        if by_cause[cause]:
            share = f"{by_cause[cause] / profile.cycles:.1%}"
            causes.add_row(cause, f"{by_cause[cause]:,.1f}", share, _MEANINGS.get(cause, ""))
    causes.add_section()
    causes.add_row("all", f"{sum(by_cause.values()):,.1f}", "100.0%", "")
    console.print(causes)
    console.print(_listing(profile))


def _listing(profile: KernelProfile) -> rich.table.Table:
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    used = {
        column: causes
        for column, causes in _COLUMNS.items()
        if any(i.cycles.get(cause) for i in profile.instructions for cause in causes)
    }
    for column in ("offset", "issues", "cycles", "share", *used):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("instruction")
    total = sum(instruction.total for instruction in profile.instructions)
    number: Callable[[float], str] = lambda x: f"{x:,.1f}" if x >= 0.05 else ""  # noqa: E731 - a format
    for instruction in profile.instructions:
        share = instruction.total / total if total else 0.0
        table.add_row(
            f"0x{instruction.offset:04x}",
            f"{instruction.issues:,}" if instruction.issues else "",
            number(instruction.total),
            f"{share:.1%}" if share >= 0.0005 else "",
            *(number(sum(instruction.cycles.get(cause, 0.0) for cause in causes)) for causes in used.values()),
            rich.text.Text(instruction.text),
            style="bold" if share >= 0.05 else None,
        )
    return table

"""`spartan compare-backends`: the same kernels on the embedded model and on upstream MGPUSim."""

from __future__ import annotations

import json
from pathlib import Path

import rich.console
import typer

from bridge.backend_comparison import Row, compare_capsules, compare_job
from bridge.cli._progress import JobProgress
from bridge.config import load_config
from bridge.errors import ConfigurationError, VerificationError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("compare-backends")(compare_backends)


def compare_backends(
    subjects: list[Path] = typer.Argument(help="One configuration file (TOML), or folders of capsules."),
    json_file: Path | None = typer.Option(None, "--json", help="Write all figures to this file."),
    cycles_tolerance: float | None = typer.Option(
        None, min=0, help="Per cent: a kernel whose cycles differ by more counts as different."
    ),
) -> None:
    """Run kernels on both back ends: memory byte for byte, instructions, cycles, events, wall time."""
    configurations = [path for path in subjects if path.suffix == ".toml"]
    if configurations and len(subjects) > 1:
        raise ConfigurationError("compare-backends takes one configuration file, or folders of capsules, not both")
    if json_file is not None and not json_file.parent.is_dir():
        raise ConfigurationError(f"--json: the folder {json_file.parent} does not exist")
    typer.echo(_HEAD)
    rows: list[Row] = []

    def show(row: Row) -> None:
        rows.append(row)
        typer.echo(_text(row))

    if configurations:
        with JobProgress(rich.console.Console(stderr=True)) as progress:
            compare_job(load_config(configurations[0]), configurations[0].parent, show, progress.attach)
    else:
        compare_capsules(subjects, show)
    for line in _summary(rows):
        typer.echo(line)
    if json_file is not None:
        json_file.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n", encoding="utf-8")
    wrong = [row.name for row in rows if row.difference]
    if cycles_tolerance is not None:
        wrong += [row.name for row in rows if abs(row.cycles_error or 0) * 100 > cycles_tolerance]
    if wrong:
        raise VerificationError(f"the back ends differ in {', '.join(dict.fromkeys(wrong))}")


_HEAD = f"{'kernel':<46} {'memory':>9} {'instructions':>12} {'embedded':>11} {'mgpusim':>11} {'error':>8} {'wall':>9}"


def _text(row: Row) -> str:
    name = row.name if len(row.name) <= 46 else row.name[:45] + "…"
    if row.refused:
        return f"{name:<46} {row.refused}"
    error = "–" if row.cycles_error is None else f"{100 * row.cycles_error:+.1f} %"
    ratio = "–" if row.speed_ratio is None else f"{row.speed_ratio:.0f}×"
    memory = row.difference or row.memory
    cycles = f"{row.embedded.cycles:>11,} {row.mgpusim.cycles:>11,}"
    return f"{name:<46} {memory:>9} {row.embedded.instructions:>12,} {cycles} {error:>8} {ratio:>9}"


def _summary(rows: list[Row]) -> list[str]:
    errors = sorted(abs(row.cycles_error) for row in rows if row.cycles_error is not None)
    ran = [row for row in rows if not row.refused]
    if not errors:
        return ["no kernel ran on both back ends"]
    wall = sum(row.mgpusim.wall_s for row in ran) / max(sum(row.embedded.wall_s for row in ran), 1e-9)
    refused = f", {len(rows) - len(ran)} refused" if len(ran) < len(rows) else ""
    mean, middle = 100 * sum(errors) / len(errors), 100 * errors[len(errors) // 2]
    return [
        f"{len(ran)} launches{refused}: cycles of embedded off by {mean:.1f} % on average, {middle:.1f} % in the "
        f"median, {100 * errors[-1]:.1f} % at most; mgpusim takes {wall:.0f} times the wall time"
    ]

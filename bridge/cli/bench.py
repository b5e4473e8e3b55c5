"""`spartan bench`: what the bridge costs, and how close the timing model is to upstream MGPUSim."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import rich.console
import typer

from bridge._binary import gpusim
from bridge.bench_bridge import measure_bridge, measure_hiding
from bridge.errors import ConfigurationError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Benchmarks; compare ratios within one run.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("bridge")(bridge)
    # The GPU model parses the arguments: one grammar for both programs.
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    group.command("reference", context_settings=settings)(reference)
    app.add_typer(group, name="bench")


def bridge(
    json_file: Path | None = typer.Option(None, "--json", help="Write the figures here as JSON."),
    rounds: int = typer.Option(7, min=1, help="Rounds of bridge and bare stream in turn."),
    repeats: int = typer.Option(3, min=0, help="Repeats of the layer in either placement; 0 leaves it out."),
) -> None:
    """Compare the bridge with a bare gRPC stream, and units over gRPC with units built into the model."""
    console = rich.console.Console(stderr=True)
    with console.status("bridge and bare stream in turn"):
        bench = measure_bridge(rounds)
    if repeats:
        with console.status("AlexNet conv2, three phases") as status:
            bench = measure_hiding(bench, repeats=repeats, note=status.update)
    lines = [
        f"posted events      {bench.posted_per_s:,.0f}/s, bare stream {bench.raw_posted_per_s:,.0f}/s: "
        f"{bench.posted_share:.2f} ×",
        f"round trip         {bench.round_trip_us_median:.0f} µs, bare stream {bench.raw_round_trip_us_median:.0f} µs: "
        f"{bench.round_trip_ratio:.2f} ×",
    ]
    if bench.hidden_share is not None:
        lines += [
            f"AlexNet conv2      {bench.grpc_s:.2f} s with Python units over gRPC, {bench.builtin_s:.2f} s with units "
            f"built in: {bench.grpc_over_builtin:.3f} ×",
            f"round trips hidden {100 * bench.hidden_share:.1f} %",
        ]
    typer.echo("\n".join(lines))
    if json_file is not None:
        try:
            json_file.write_text(bench.model_dump_json(by_alias=True, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{json_file} can't be written: {error.strerror}") from None


def reference(context: typer.Context) -> None:
    """Compare cycles and counters with MGPUSim's: reference --reference DIR [--case GLOB] [--json FILE] [--cores N]."""
    result = subprocess.run(
        [str(gpusim()), "bench", "reference", *context.args], stderr=subprocess.PIPE, text=True, check=False
    )
    message = result.stderr.replace("gpusim bench reference:", "spartan:").replace("gpusim", "spartan")
    sys.stderr.write(message)
    raise typer.Exit(result.returncode if result.returncode >= 0 else 4)

"""Results as tables on the terminal."""

from __future__ import annotations

import rich.box
import rich.console
import rich.table

from bridge.results import LayerResult, Results

__all__ = ["print_results", "print_times"]

_WIDTH = 110


def print_results(results: Results) -> None:
    """Print the layers, the monitor's counts and the events of a run."""
    console = rich.console.Console(highlight=False)
    if not console.is_terminal:  # a pipe or a file has no width of its own
        console = rich.console.Console(highlight=False, width=_WIDTH)
    table = _table(f"{results.name} on {results.gpu['preset']}, {results.mode} mode", "layer", "phase")
    for heading in ("density", "dense cycles", "Spartan cycles", "speedup", "ideal", "max error"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verified", no_wrap=True)
    for layer in results.layers:
        table.add_row(*_row(layer))
    console.print(table)
    if results.monitor:
        console.print(_monitor(results))
    events, wall = results.events, results.wall
    units = ", ".join(f"{unit.kind} {unit.name} ({unit.placement})" for unit in results.units) or "none"
    console.print(f"units: {units}")
    console.print(f"events: {events.posted:,} posted, {events.requests:,} requests, {events.batches:,} batches")
    console.print(
        f"wall: {wall.total_s:.1f} s, of which model {wall.model_s:.1f} s, bridge {wall.bridge_s:.1f} s; "
        f"units {wall.units_s:.1f} s beside it"
    )
    console.print(f"trace hash: {results.trace_hash}")


def print_times(results: Results) -> None:
    """Print where the wall time went, for each unit and kind of event, and what shadows answered otherwise."""
    console = rich.console.Console(highlight=False)
    if not console.is_terminal:
        console = rich.console.Console(highlight=False, width=_WIDTH + 30)
    table = _table("wall time in ms", "unit", "events of kind")
    for heading in ("number", "batches", "MB", "encoding", "transport", "unit", "its code", "model waited", "hidden"):
        table.add_column(heading, justify="right", no_wrap=True)
    for unit in results.unit_times:
        for event in unit.events:
            hidden = 1 - min(event.wait_s / event.round_trip_s, 1) if event.round_trip_s else None
            seconds = (event.serialise_s, event.transport_s, event.unit_s, event.hook_s, event.wait_s)
            table.add_row(
                f"{unit.name} ({unit.transport})",
                event.kind,
                f"{event.events:,}",
                f"{event.batches:,}",
                f"{event.bytes / 1e6:.1f}",
                *(f"{1e3 * value:.1f}" for value in seconds),
                "–" if hidden is None else f"{100 * hidden:.0f} %",
            )
    console.print(table)
    for unit in results.unit_times:
        if unit.shadow:
            different = f"{unit.different:,} of {unit.compared:,} answers differ"
            console.print(f"{unit.name}: {different}{'; ' if unit.first_difference else ''}{unit.first_difference}")


def _table(title: str, *columns: str) -> rich.table.Table:
    table = rich.table.Table(title=title, box=rich.box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _row(layer: LayerResult) -> list[str]:
    return [
        layer.name,
        layer.phase.replace("_", " "),
        f"{layer.density:.3f}",
        f"{layer.dense.cycles:,}",
        f"{layer.spartan.cycles:,}",
        "–" if layer.speedup is None else f"{layer.speedup:.2f} ×",
        "–" if layer.ideal_speedup is None else f"{layer.ideal_speedup:.2f} ×",
        f"{layer.max_abs_error:.1e}",
        "yes" if layer.verified else "[bold red]NO[/]",
    ]


def _monitor(results: Results) -> rich.table.Table:
    table = _table("sparsity monitor", "tensor")
    for heading in ("elements", "density", "stall cycles", "register cycles", "software cycles"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("exact", no_wrap=True)
    for tensor in results.monitor:
        table.add_row(
            tensor.tensor,
            f"{tensor.elements:,}",
            f"{tensor.density:.3f}",
            f"{tensor.stall_cycles:,}",
            f"{tensor.register_cycles:,}",
            "–" if tensor.software_cycles is None else f"{tensor.software_cycles:,}",
            "yes" if tensor.exact else "[bold red]NO[/]",
        )
    return table

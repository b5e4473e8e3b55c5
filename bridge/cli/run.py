"""`spartan run`: a job from a configuration file."""

from __future__ import annotations

from pathlib import Path

import rich.console
import rich.table
import typer

from bridge.backend import BACKENDS
from bridge.cli._progress import JobProgress
from bridge.cli._report import print_results, print_times
from bridge.config import Tls, load_config
from bridge.errors import ConfigurationError, VerificationError
from bridge.job import run_job
from bridge.units import parse_choice

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("run")(run)


def run(
    config: Path = typer.Argument(help="Configuration file, TOML."),
    out: Path | None = typer.Option(None, help="Folder for results.json and the log; runs/NAME by default."),
    mode: str | None = typer.Option(None, help="timing or functional, instead of what the file says."),
    backend: str | None = typer.Option(None, help="embedded or mgpusim, instead of what the file says."),
    kernels: str | None = typer.Option(
        None, help="best, or portable: only kernels that every back end executes; instead of what the file says."
    ),
    gpu: str | None = typer.Option(None, help="GPU preset, instead of what the file says."),
    gpu_set: list[str] = typer.Option([], help="KEY=VALUE: a GPU parameter that differs from the preset."),
    unit: list[str] = typer.Option(
        [],
        help="KIND=SPEC, the unit for a seat: an installed name, package:Class, ./file.py:Class (thread: before one "
        "runs it in this process), builtin, unix:/path, tcp://host:port, replay:DIR, none; shadow:KIND=SPEC compares "
        "another with it.",
    ),
    record: Path | None = typer.Option(
        None, help="New folder that receives all events and replies, for spartan replay."
    ),
    tls_ca: Path | None = typer.Option(
        None, help="For tcp:// units, instead of the file's [tls]. PEM: the servers' authority."
    ),
    tls_certificate: Path | None = typer.Option(None, help="PEM: certificate of this side, for mutual TLS."),
    tls_key: Path | None = typer.Option(None, help="PEM: its private key."),
    token_file: Path | None = typer.Option(None, help="File with the token to present over TLS."),
    insecure_loopback: bool = typer.Option(False, help="Allow bare TCP to a loopback address."),
    verbose: bool = typer.Option(False, "-v", "--verbose", help="Also print where the wall time went."),
    cores: int | None = typer.Option(None, min=0, help="Host cores for the GPU model, 0 for all; results are equal."),
) -> None:
    """Run a job: every layer and phase dense and with Spartan, all outputs verified against numpy in float64."""
    loaded = load_config(config)
    changes: dict[str, object] = {}
    if mode is not None:
        if mode not in ("timing", "functional"):
            raise ConfigurationError(f"--mode is timing or functional, got {mode!r}")
        changes["mode"] = mode
    for option, value, known in (("backend", backend, BACKENDS), ("kernels", kernels, ("best", "portable"))):
        if value is not None:
            if value not in known:
                raise ConfigurationError(f"--{option} is {' or '.join(known)}, got {value!r}")
            changes[option] = value
    if cores is not None:
        changes["host_threads"] = cores
    tls = Tls(
        ca=tls_ca, certificate=tls_certificate, key=tls_key, token_file=token_file, insecure_loopback=insecure_loopback
    )
    if tls != Tls():
        changes["tls"] = tls
    loaded = loaded.model_copy(update=changes).with_gpu(gpu, gpu_set)
    choices = tuple(parse_choice(text) for text in unit)
    folder = out if out is not None else Path("runs") / loaded.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log").write_bytes(b"")
    except OSError as error:
        raise ConfigurationError(f"the output folder {folder} can't be written: {error.strerror}") from None
    console = rich.console.Console(stderr=True)
    with JobProgress(console) as progress:
        results = run_job(
            loaded,
            config.parent,
            units=choices,
            log=folder / "log",
            out=folder,
            record=record,
            on_start=progress.attach,
        )
    path = results.write(folder)
    print_results(results)
    if verbose:
        print_times(results)
    rich.print(f"results: {path}")
    if not results.verified:
        wrong = [f"{layer.name} {layer.phase}" for layer in results.layers if not layer.verified]
        wrong += [f"the monitor's count of {tensor.tensor}" for tensor in results.monitor if not tensor.exact]
        raise VerificationError(f"results differ from their reference: {', '.join(wrong)}")

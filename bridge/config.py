"""The file that `spartan run` takes: TOML, validated by pydantic."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from bridge.errors import ConfigurationError
from bridge.units import TcpSecurity, UnitChoice, default_choices
from spartan_units.types import UnitKind

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "ConvLayer",
    "Gpu",
    "Input",
    "Layer",
    "ReluLayer",
    "RunConfig",
    "Tls",
    "Unit",
    "gpu_assignments",
    "load_config",
]

Phase = Literal["forward", "data_gradient", "filter_gradient"]


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Gpu(_Section):
    """The GPU: a preset, and parameters that differ from it (dotted keys as `spartan gpu show` prints them)."""

    preset: str = "r9nano"
    set: dict[str, int | float | str | bool] = Field(default_factory=dict)

    @pydantic.field_validator("set", mode="before")
    @classmethod
    def _dotted(cls, value: Any) -> Any:
        """Take tables as well: `[gpu.set.dram]` with `t_cl = 20` is the parameter dram.t_cl."""
        return _flat(value) if isinstance(value, dict) else value


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        found.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return found


class Tls(_Section):
    """What protects the way to `tcp://` units: PEM files for mutual TLS, or an authority and a file with the token.

    Relative paths start at the configuration file. `insecure_loopback` allows a bare connection to a loopback address.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token_file: Path | None = None
    insecure_loopback: bool = False

    @pydantic.field_validator("ca", "certificate", "key", "token_file")
    @classmethod
    def _beside_the_file(cls, path: Path | None, info: pydantic.ValidationInfo) -> Path | None:
        return path if path is None or info.context is None else info.context["folder"] / path

    def security(self) -> TcpSecurity:
        """Return what the files hold.

        Raises:
            ConfigurationError: where one can't be read.
        """
        return TcpSecurity.from_files(
            ca=self.ca,
            certificate=self.certificate,
            key=self.key,
            token=self.token_file,
            insecure_loopback=self.insecure_loopback,
        )


class Unit(_Section):
    """The unit for a seat, its parameters, and for one on TCP what protects it, where that differs from the job's."""

    spec: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    tls: Tls | None = None


class Input(_Section):
    """A photograph as one NCHW image of three channels, each with mean 0 and standard deviation 1.

    `image` is "sample", the photograph that ships inside matplotlib, or the path of an image file. `crop` is top, left,
    height and width in pixels; `resize` the height and width after it.
    """

    image: str = "sample"
    crop: tuple[int, int, int, int] | None = None
    resize: tuple[int, int] | None = None


class ConvLayer(_Section):
    """A convolution with He-initialised filters and normally distributed biases.

    `units` are those of this layer, where they differ from the job's, and `phase_units` those of one of its phases.
    """

    kind: Literal["conv"]
    name: str
    filters: int = Field(ge=1)
    size: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)
    padding: int = Field(default=0, ge=0)
    dilation: int = Field(default=1, ge=1)
    groups: int = Field(default=1, ge=1)
    bias_mean: float = 0.0
    bias_deviation: float = Field(default=0.0, ge=0)
    phases: tuple[Phase, ...] = ("forward", "data_gradient", "filter_gradient")
    sparse_operand: Literal["x", "dy", "both"] = "x"
    units: dict[UnitKind, Unit] = Field(default_factory=dict)
    phase_units: dict[Phase, dict[UnitKind, Unit]] = Field(default_factory=dict)

    def choices(self, phase: str, tls: Tls) -> tuple[UnitChoice, ...]:
        """Return the units of a phase that differ from the job's; `tls` is the job's."""
        of_phase = next((units for name, units in self.phase_units.items() if name == phase), {})
        return _choices({**self.units, **of_phase}, tls)


class ReluLayer(_Section):
    """A rectified linear unit, whose output and gradient the monitor watches; `units` as for a convolution."""

    kind: Literal["relu"]
    name: str
    units: dict[UnitKind, Unit] = Field(default_factory=dict)

    def choices(self, phase: str, tls: Tls) -> tuple[UnitChoice, ...]:
        """Return the units that differ from the job's; they are the same in all phases. `tls` is the job's."""
        return _choices(self.units, tls)


def _choices(units: dict[UnitKind, Unit], tls: Tls) -> tuple[UnitChoice, ...]:
    return tuple(
        _secured(UnitChoice(kind, unit.spec, unit.parameters), unit.tls or tls) for kind, unit in units.items()
    )


def _secured(choice: UnitChoice, tls: Tls) -> UnitChoice:
    return replace(choice, security=tls.security()) if choice.placement == "tcp" else choice


Layer = Annotated[ConvLayer | ReluLayer, Field(discriminator="kind")]


class RunConfig(_Section):
    """A whole job.

    `warmup` runs of every operation come before the one that is measured, so that caches and TLBs are as in the middle
    of training; with 0 they are as the operation before has left them.
    """

    name: str
    seed: int = 1
    mode: Literal["timing", "functional"] = "timing"
    backend: Literal["embedded", "mgpusim"] = "embedded"
    kernels: Literal["best", "portable"] = "best"
    warmup: int = Field(default=1, ge=0, le=10)
    host_threads: int = Field(default=0, ge=0)
    reply_deadline_s: float = Field(default=30.0, gt=0)
    gpu: Gpu = Gpu()
    input: Input = Input()
    tls: Tls = Tls()
    units: dict[UnitKind, Unit] = Field(default_factory=dict)
    layers: tuple[Layer, ...] = Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _names_are_unique(self) -> RunConfig:
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two layers are called {name!r}")
        return self

    def with_gpu(self, preset: str | None, assignments: Sequence[str]) -> RunConfig:
        """Return the job on another preset, or with other parameters: "KEY=VALUE" each.

        Raises:
            ConfigurationError: for a text that is no assignment.
        """
        changes = {**self.gpu.set, **gpu_assignments(assignments)}
        return self.model_copy(update={"gpu": Gpu(preset=preset or self.gpu.preset, set=changes)})

    def choices(self, given: tuple[UnitChoice, ...] = ()) -> tuple[UnitChoice, ...]:
        """Return the unit of every seat: as given on the command line, else as the file says, else the default."""
        found = default_choices()
        shadows: list[UnitChoice] = []
        found.update((choice.kind, choice) for choice in _choices(self.units, self.tls))
        for choice in (_secured(choice, self.tls) for choice in given):
            if choice.shadow:
                shadows.append(choice)
                continue
            before = found[choice.kind]
            keep = before.parameters if before.spec == choice.spec else {}
            found[choice.kind] = replace(choice, parameters=choice.parameters or keep)
        return (*found.values(), *shadows)


def gpu_assignments(texts: Sequence[str]) -> dict[str, int | float | str | bool]:
    """Return GPU parameters by key, from texts "KEY=VALUE" of the command line.

    Raises:
        ConfigurationError: for a text that is no assignment.
    """
    found: dict[str, int | float | str | bool] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key or not value:
            raise ConfigurationError(f"--gpu-set takes KEY=VALUE, got {text!r}")
        found[key] = _number(value)
    return found


def _number(text: str) -> int | float | str | bool:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def load_config(path: Path) -> RunConfig:
    """Read and validate a file.

    Raises:
        ConfigurationError: one sentence that names file, key, what was expected and what came.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"the configuration {path} can't be read: {reason}") from None
    try:
        return RunConfig.model_validate(tomllib.loads(text), context={"folder": path.parent})
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    except pydantic.ValidationError as error:
        raise ConfigurationError(f"{path}: {_sentence(error)}") from None


def _sentence(error: pydantic.ValidationError) -> str:
    found = error.errors()
    # A misspelt key is both unknown and missing: the first says more.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    location = [part for part in first["loc"] if part not in ("conv", "relu")]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "the file"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(location[-1]), _known_keys(first["loc"]), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(_known_keys(first['loc']))}"
        return f"there is no key {key}{hint}"
    if first["type"] == "missing":
        return f"key {key} is missing"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return message if first["type"] == "value_error" else f"key {key}: {message}, got {first['input']!r}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    sections: dict[str, type[_Section]] = {
        "gpu": Gpu,
        "input": Input,
        "tls": Tls,
        "units": Unit,
        "conv": ConvLayer,
        "relu": ReluLayer,
    }
    section: type[_Section] = RunConfig
    for part in location[:-1]:
        section = sections.get(str(part), section)
    return list(section.model_fields)

"""Network shapes and density tables as TOML files, with their source."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from bridge.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["ConvolutionLayer", "DensityTable", "Network", "load_densities", "load_network"]


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class ConvolutionLayer(_Table):
    """A convolution: c × h × w inputs, k filters of r × s, p × q outputs; macs: of one image's forward pass."""

    name: str
    c: int = pydantic.Field(gt=0)
    h: int = pydantic.Field(gt=0)
    w: int = pydantic.Field(gt=0)
    k: int = pydantic.Field(gt=0)
    r: int = pydantic.Field(gt=0)
    s: int = pydantic.Field(gt=0)
    stride: int = pydantic.Field(gt=0)
    pad: int = pydantic.Field(ge=0)
    groups: int = pydantic.Field(gt=0)
    p: int = pydantic.Field(gt=0)
    q: int = pydantic.Field(gt=0)
    macs: int = pydantic.Field(gt=0)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> ConvolutionLayer:
        for out, extent, window in ((self.p, self.h, self.r), (self.q, self.w, self.s)):
            if out != (extent + 2 * self.pad - window) // self.stride + 1:
                raise ValueError(f"{self.name}: {out} outputs don't follow from {extent}, {window}, pad and stride")
        if self.macs != self.p * self.q * self.k * self.c // self.groups * self.r * self.s:
            raise ValueError(f"{self.name}: macs don't follow from the shape")
        return self


class Network(_Table):
    """The convolutions of a network in order."""

    name: str
    source: str
    total_macs: int
    layers: tuple[ConvolutionLayer, ...]

    @pydantic.model_validator(mode="after")
    def _total(self) -> Network:
        if sum(layer.macs for layer in self.layers) != self.total_macs:
            raise ValueError("total_macs is not the sum over the layers")
        return self


class DensityTable(_Table):
    """Densities (fraction of non-zeros) of each layer's input and output.

    Attributes:
        phase: "inference" or "training": what the network did when they were measured.
        pruned: whether the network's weights had been pruned.
    """

    name: str
    network: str
    source: str
    phase: str
    pruned: bool
    note: str = ""
    layers: tuple[str, ...]
    input: tuple[float, ...]
    output: tuple[float, ...]

    @pydantic.model_validator(mode="after")
    def _lengths(self) -> DensityTable:
        if not len(self.layers) == len(self.input) == len(self.output):
            raise ValueError("layers, input and output differ in length")
        if not all(0 <= density <= 1 for density in (*self.input, *self.output)):
            raise ValueError("a density lies outside 0 to 1")
        return self


def load_network(path: Path) -> Network:
    """Return a network's shapes.

    Raises:
        ConfigurationError: names the file, the key, what was expected and what came.
    """
    network: Network = _load(path, Network)
    return network


def load_densities(path: Path) -> DensityTable:
    """Return a density table.

    Raises:
        ConfigurationError: names the file, the key, what was expected and what came.
    """
    table: DensityTable = _load(path, DensityTable)
    return table


def _load(path: Path, model: type[Any]) -> Any:
    try:
        table: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: expected TOML, {error}") from None
    try:
        return model.model_validate(table)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigurationError(f"{path}: {key}: {first['msg']}") from None

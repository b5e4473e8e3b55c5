"""Tensors and zero patterns of layers in a safetensors file.

Tensor `LAYER/WHAT` (float32) is what a layer's input, output, gradient (of its output), weights or bias held at one
step. `LAYER/WHAT/nonzero` (uint8) is a zero pattern instead: one bit an element in row-major order, 1 for a non-zero,
the first element in the highest bit; its shape stands in the metadata under the same name, as JSON. The metadata's
`format` is `spartan-trace`, its `version` 1; `model`, `source` and `step` say where the tensors come from.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import ConfigurationError

__all__ = ["TENSORS", "TraceReader", "TraceWriter"]

TENSORS = ("input", "output", "gradient", "weights", "bias")
"""What a trace can hold of a layer; gradient is that of the output."""

_FORMAT, _VERSION = "spartan-trace", "1"


def _safetensors() -> Any:
    try:
        import safetensors
    except ImportError:
        raise ConfigurationError(
            "traces need the package safetensors; install the extra: pip install 'spartan-cosim[traces]'"
        ) from None
    return safetensors


class TraceWriter:
    """Collects tensors of one training step and writes them with `save`.

    Args:
        path: the `.safetensors` file.
        model: name of the network.
        source: where the tensors come from, for a reader years later.
        step: of the training run.
    """

    def __init__(self, path: Path, *, model: str = "", source: str = "", step: int = 0) -> None:
        """Begin empty."""
        self.path = path
        self._tensors: dict[str, NDArray[Any]] = {}
        self._metadata = {
            "format": _FORMAT,
            "version": _VERSION,
            "model": model,
            "source": source,
            "step": str(step),
        }

    def add(self, layer: str, what: str, values: NDArray[Any], *, pattern_only: bool = False) -> None:
        """Add a tensor, or with `pattern_only` just which of its elements are zero.

        Raises:
            ConfigurationError: for an unknown kind of tensor, a layer's name with a slash, or a name that is taken.
        """
        if what not in TENSORS or "/" in layer or not layer:
            raise ConfigurationError(
                f"a trace holds {', '.join(TENSORS)} of layers without a slash in their name, got {layer!r} {what!r}"
            )
        name = f"{layer}/{what}"
        if name in self._tensors or f"{name}/nonzero" in self._tensors:
            raise ConfigurationError(f"the trace {self.path} has {name} already")
        if pattern_only:
            name += "/nonzero"
            self._metadata[name] = json.dumps(list(values.shape))
            self._tensors[name] = np.packbits(values.reshape(-1) != 0)
        else:
            self._tensors[name] = np.ascontiguousarray(values, np.float32)

    def save(self) -> None:
        """Write the file."""
        from importlib import import_module

        _safetensors()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        import_module("safetensors.numpy").save_file(self._tensors, str(self.path), self._metadata)


class TraceReader:
    """Reads tensors of a trace file, each when it is asked for; a context manager.

    Attributes:
        metadata: model, source, step, format and version.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            ConfigurationError: where it can't be read or is no trace of a known version.
        """
        library = _safetensors()
        self.path = path
        try:
            self._file = library.safe_open(str(path), framework="numpy").__enter__()
        except (OSError, library.SafetensorError) as error:
            raise ConfigurationError(f"the trace {path} can't be read: {error}") from None
        self.metadata: dict[str, str] = self._file.metadata() or {}
        if self.metadata.get("format") != _FORMAT or self.metadata.get("version") != _VERSION:
            self.close()
            raise ConfigurationError(
                f"{path} is no trace: expected the metadata format = {_FORMAT} and version = {_VERSION}, got "
                f"{self.metadata.get('format')!r} and {self.metadata.get('version')!r}"
            )
        self._names = set(self._file.keys())

    def __enter__(self) -> TraceReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.__exit__(None, None, None)

    def layers(self) -> dict[str, list[str]]:
        """Return what the file holds of each layer."""
        found: dict[str, list[str]] = {}
        for name in sorted(self._names):
            layer, what = name.split("/")[:2]
            found.setdefault(layer, []).append(what)
        return found

    def find(self, layer: str, what: str, *, seed: int = 0) -> NDArray[np.float32] | None:
        """Return a tensor, None where the file has none of that name.

        For a zero pattern, the non-zeros are drawn from a standard normal distribution with `seed`.
        """
        name = f"{layer}/{what}"
        if name in self._names:
            values: NDArray[np.float32] = self._file.get_tensor(name)
            return values
        pattern = self.pattern(layer, what)
        if pattern is None:
            return None
        drawn = np.random.default_rng(seed).standard_normal(pattern.shape, np.float32)
        drawn[drawn == 0] = 1
        return np.where(pattern, drawn, np.float32(0))

    def pattern(self, layer: str, what: str) -> NDArray[np.bool_] | None:
        """Return which elements of a tensor are non-zero, None where the file has neither tensor nor pattern."""
        name = f"{layer}/{what}"
        if name in self._names:
            values: NDArray[np.bool_] = self._file.get_tensor(name) != 0
            return values
        name += "/nonzero"
        if name not in self._names:
            return None
        shape = tuple(json.loads(self.metadata[name]))
        bits = np.unpackbits(self._file.get_tensor(name), count=math.prod(shape))
        return bits.reshape(shape).astype(np.bool_)

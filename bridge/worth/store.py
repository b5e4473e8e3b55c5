"""Records on disk, by what they depend on."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bridge
import spartan_units
from bridge._binary import gpusim
from bridge.catalogue import kernel_folder
from bridge.layers.tuned import TABLE

__all__ = ["Record", "Store"]

Record = dict[str, Any]

_METHOD = 7
"""Goes up when a record's figures come to mean something else."""


@functools.cache
def _versions() -> str:
    """Return a digest of what cycles depend on: the model, kernels, units, and the code that launches them."""
    digest = hashlib.sha256()
    files = [gpusim(), *sorted(kernel_folder().glob("*.hsaco")), kernel_folder() / "kernels.toml"]
    layers = Path(bridge.__file__).parent / "layers"
    files += sorted((layers / "conv").glob("*.py")) + [layers / f"{name}.py" for name in ("gemm", "operation", "relu")]
    files += [path for path in [TABLE] if path.exists()]
    units = Path(spartan_units.__file__).parent
    files += sorted(path for path in units.rglob("*") if path.suffix in (".py", ".toml"))
    root = Path(bridge.__file__).parent
    files += [root / "data" / "synthetic.py", root / "schedule.py", root / "tensors.py"]
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Store:
    """Records on disk, one file each, named by a digest of what they depend on; a run that was stopped goes on."""

    def __init__(self, folder: Path, *, only_stored: bool = False) -> None:
        """Keep records in `folder`; with `only_stored`, nothing is measured."""
        self._folder = folder
        self._only_stored = only_stored

    def path(self, what: Mapping[str, Any]) -> Path:
        """Return the file of the record of `what`."""
        key = json.dumps({**what, "method": _METHOD, "versions": _versions()}, sort_keys=True)
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"

    def get(self, what: Mapping[str, Any], make: Callable[[], Record]) -> Record | None:
        """Return the record of `what`, made now where there is none; None where nothing is to be measured."""
        path = self.path(what)
        if path.exists():
            record: Record = json.loads(path.read_text(encoding="utf-8"))
            return record
        if self._only_stored:
            return None
        record = make()
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        partial.write_text(json.dumps({**record, "of": what}, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
        return record

    def stored(self, what: Mapping[str, Any]) -> Record | None:
        """Return the record of `what` where there is one."""
        return Store(self._folder, only_stored=True).get(what, dict)

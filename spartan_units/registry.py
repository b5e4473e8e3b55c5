"""Finding units: by entry point, by `package:Class`, by `./file.py:Class`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

from spartan_units.base import CompactionEngine, SparsityMonitor, TileScheduler, Unit
from spartan_units.errors import UnitNotFoundError
from spartan_units.types import UnitKind

__all__ = ["DEFAULT_UNITS", "ENTRY_POINT_GROUP", "available_units", "load_unit"]

ENTRY_POINT_GROUP = "spartan_units"

DEFAULT_UNITS: dict[UnitKind, str] = {
    UnitKind.MONITOR: "spartan_units.monitor:LineCountingMonitor",
    UnitKind.COMPACTION: "spartan_units.compaction:EllpackCompactionEngine",
    UnitKind.SCHEDULER: "spartan_units.scheduler:LongestFirstScheduler",
}

_BASES = {base.kind: base for base in (SparsityMonitor, CompactionEngine, TileScheduler)}


def available_units() -> dict[str, str]:
    """Return the installed units: entry-point name to `package:Class`."""
    found = metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {point.name: point.value for point in sorted(found, key=lambda point: point.name)}


def load_unit(spec: str, kind: UnitKind | None = None) -> type[Unit]:
    """Return the unit class that a specification names.

    Args:
        spec: an entry-point name, `package.module:Class` or `path/to/file.py:Class`.
        kind: the seat that the unit must fit, where one is asked for.

    Raises:
        UnitNotFoundError: one sentence that names the specification and what was missing.
    """
    target = available_units().get(spec, spec)
    place, separator, name = target.rpartition(":")
    if not separator or not place or not name:
        known = ", ".join(available_units()) or "none"
        raise UnitNotFoundError(
            f"unit {spec!r} is neither an installed unit ({known}) nor of the form package:Class or ./file.py:Class"
        )
    module = _module_from_file(spec, Path(place)) if place.endswith(".py") else _module_by_name(spec, place)
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, Unit)):
        what = "has no such class" if found is None else "is not a class derived from spartan_units.Unit"
        raise UnitNotFoundError(f"unit {spec!r}: {place}:{name} {what}")
    if kind is not None and not issubclass(found, _BASES[kind]):
        raise UnitNotFoundError(
            f"unit {spec!r} can't fill the seat {kind.value}: {name} is of kind {found.kind.value}, "
            f"derive it from {_BASES[kind].__name__}"
        )
    return found


def _module_by_name(spec: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise UnitNotFoundError(f"unit {spec!r}: module {name} can't be imported: {_sentence(error)}") from error


def _module_from_file(spec: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise UnitNotFoundError(f"unit {spec!r}: there is no file {path}")
    name = f"_spartan_unit_{path.stem}"
    loader = importlib.util.spec_from_file_location(name, path)
    if loader is None or loader.loader is None:
        raise UnitNotFoundError(f"unit {spec!r}: {path} is not a Python file")
    module = importlib.util.module_from_spec(loader)
    sys.modules[name] = module
    try:
        loader.loader.exec_module(module)
    except Exception as error:
        raise UnitNotFoundError(f"unit {spec!r}: {path} can't be loaded: {_sentence(error)}") from error
    return module


def _sentence(error: BaseException) -> str:
    """Return type and first line of an error."""
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__

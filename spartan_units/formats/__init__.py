"""Compacted tile formats: encode and decode whole batches of tiles.

Every module of a format has `encode(dense) -> EncodedTiles`, `decode(tiles, tile_rows, tile_columns)`, `slot_bytes` and
`tile_bytes`; `FORMATS` finds a module by the name that views and units use.
"""

from __future__ import annotations

from types import ModuleType

from spartan_units.errors import UnitError
from spartan_units.formats import bitmap, csr, dense, ellpack_dib, ellpack_dib16, zvc
from spartan_units.formats.tiles import EncodedTiles

__all__ = ["FORMATS", "EncodedTiles", "tile_format"]

FORMATS: dict[str, ModuleType] = {
    "ellpack_dib": ellpack_dib,
    "ellpack_dib16": ellpack_dib16,
    "csr": csr,
    "bitmap": bitmap,
    "zvc": zvc,
    "dense": dense,
}
"""Format modules by name."""


def tile_format(name: str) -> ModuleType:
    """Return the module of a format.

    Raises:
        UnitError: where there is none of that name.
    """
    if name not in FORMATS:
        raise UnitError(f"unknown tile format {name!r}: expected one of {', '.join(FORMATS)}")
    return FORMATS[name]

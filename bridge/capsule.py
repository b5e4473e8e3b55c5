"""Capsules: one kernel launch as a folder that any simulator or GPU can produce or run (docs/capsules.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import ConfigurationError

__all__ = ["Region", "write_capsule"]

FORMAT = "spartan-capsule"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Region:
    """A range of device memory that a launch touches.

    Attributes:
        name: of its own within the capsule; names the region in messages and its files.
        address: device address of the first byte, at least 0x1000; need not be aligned.
        before: contents when the launch begins, or their number of bytes for zeros.
        after: contents when it has ended; None: as before.
        ignore: the contents afterwards are not compared.
    """

    name: str
    address: int
    before: bytes | int
    after: bytes | None = None
    ignore: bool = False

    @property
    def size(self) -> int:
        """The region's size in bytes."""
        return self.before if isinstance(self.before, int) else len(self.before)


def write_capsule(
    directory: str | Path,
    *,
    code_object: bytes,
    kernel: str,
    grid: Sequence[int],
    workgroup: Sequence[int],
    arguments: bytes,
    regions: Sequence[Region],
    global_offset: Sequence[int] = (),
    dynamic_lds_bytes: int = 0,
    expected: dict[str, int | str] | None = None,
    origin: str = "",
) -> Path:
    """Write a capsule and return the path of its manifest.

    Args:
        directory: is made; must not hold a capsule yet.
        code_object: the ELF file.
        kernel: name of the kernel in it.
        grid: work-items in 1 to 3 dimensions.
        workgroup: work-items of a work-group in as many dimensions.
        arguments: the kernel-argument segment from its start; hidden arguments need not be in it.
        regions: the memory that the launch touches, at its device addresses.
        global_offset: of the grid, in work-items; empty for none.
        dynamic_lds_bytes: local memory beyond the kernel's static one.
        expected: any of "instructions", "cycles" and "gpu" (which GPU the cycles are of).
        origin: what produced the capsule, for people.

    Raises:
        ConfigurationError: the folder holds a capsule, or a region's contents have two sizes.
    """
    folder = Path(directory)
    path = folder / "capsule.json"
    if path.exists():
        raise ConfigurationError(f"{folder} already holds a capsule; give a new folder")
    for region in regions:
        if region.after is not None and len(region.after) != region.size:
            raise ConfigurationError(
                f"region {region.name!r}: expected {region.size} bytes after the launch as before it, "
                f"got {len(region.after)}"
            )
        if region.after is not None and region.ignore:
            raise ConfigurationError(f"region {region.name!r}: expected contents afterwards or ignore, got both")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.hsaco").write_bytes(code_object)
    (folder / "arguments.bin").write_bytes(arguments)
    manifest: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if origin:
        manifest["origin"] = origin
    manifest |= {"code_object": "kernel.hsaco", "kernel": kernel, "arguments": "arguments.bin"}
    manifest |= {"grid": list(grid), "workgroup": list(workgroup)}
    if global_offset:
        manifest["global_offset"] = list(global_offset)
    if dynamic_lds_bytes:
        manifest["dynamic_lds_bytes"] = dynamic_lds_bytes
    manifest["regions"] = [_write_region(folder, index, region) for index, region in enumerate(regions)]
    if expected:
        manifest["expected"] = expected
    path.write_text(json.dumps(manifest, indent=2) + "\n")  # last: a folder with a manifest is whole
    return path


def _write_region(folder: Path, index: int, region: Region) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": region.name, "address": hex(region.address), "bytes": region.size}
    stem = region.name if region.name.isidentifier() else f"region{index}"
    if not isinstance(region.before, int):
        entry["before"] = f"{stem}.before.bin"
        (folder / entry["before"]).write_bytes(region.before)
    if region.after is not None and region.after != region.before:
        entry["after"] = f"{stem}.after.bin"
        (folder / entry["after"]).write_bytes(region.after)
    if region.ignore:
        entry["ignore"] = True
    return entry

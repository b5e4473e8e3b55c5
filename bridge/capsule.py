"""Capsules: one kernel launch as a folder that any simulator or GPU can produce or run (docs/capsules.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from bridge.kernel import Kernel, LaunchResult
    from bridge.session import CoSimulation

__all__ = ["EachKernelRecorder", "LaunchRecorder", "Region", "write_capsule"]

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


class LaunchRecorder:
    """Writes one launch of a session as a capsule.

    Args:
        directory: the capsule's folder.
        kernel: name of the kernel whose launch is meant; None for any.
        number: which of its launches, from 1.

    Attributes:
        done: the launch was recorded.
        seen: names of the kernels launched so far.
    """

    def __init__(self, directory: str | Path, *, kernel: str | None = None, number: int = 1) -> None:
        if number < 1:
            raise ConfigurationError(f"launches are counted from 1, got number {number}")
        if (Path(directory) / "capsule.json").exists():
            raise ConfigurationError(f"{directory} already holds a capsule; give a new folder")
        self._directory = directory
        self._kernel = kernel
        self._left = number
        self.done = False
        self.seen: list[str] = []

    def wants(self, kernel: str) -> bool:
        """Count a launch; tell whether it is the one to be recorded."""
        if self.done:
            return False
        self.seen.append(kernel)
        if self._kernel in (None, kernel):
            self._left -= 1
        return self._left == 0 and self._kernel in (None, kernel)

    def record(
        self, session: CoSimulation, kernel: Kernel, request: Any, run: Callable[[], LaunchResult]
    ) -> LaunchResult:
        """Run a launch and write it with the arrays that its arguments point into.

        Raises:
            ConfigurationError: where an argument points to what is no array, such as a compacted view.
        """
        arrays = {}
        for argument in kernel.arguments:
            if argument.kind != "global_buffer":
                continue
            address = int.from_bytes(request.arguments[argument.offset : argument.offset + 8], "little")
            if address:
                start, name, size = self._array_at(session, kernel, argument.name, address)
                arrays[start] = (name, size)
        before = {start: session.read(start, size) for start, (_, size) in arrays.items()}
        result = run()
        regions = []
        names: dict[str, int] = {}
        for start, (name, size) in sorted(arrays.items()):
            names[name] = names.get(name, 0) + 1
            unique = name if names[name] == 1 else f"{name}_{names[name]}"
            regions.append(Region(name=unique, address=start, before=before[start], after=session.read(start, size)))
        expected: dict[str, int | str] = {"instructions": result.instructions}
        if result.cold and result.cycles:
            expected |= {"cycles": result.cycles, "gpu": session.gpu}
        write_capsule(
            self._directory,
            code_object=Path(kernel.file).read_bytes(),
            kernel=kernel.name,
            grid=list(request.grid),
            workgroup=list(request.workgroup),
            arguments=request.arguments,
            regions=regions,
            dynamic_lds_bytes=request.dynamic_lds_bytes,
            expected=expected,
            origin=f"{session.model} {session.model_version}, {session.mode} mode, launch {request.label}",
        )
        self.done = True
        return result

    @staticmethod
    def _array_at(session: CoSimulation, kernel: Kernel, argument: str, address: int) -> tuple[int, str, int]:
        for start, (name, size) in session.allocations().items():
            if start <= address < start + size:
                return start, name, size
        raise ConfigurationError(
            f"kernel {kernel.name} can't be recorded: argument {argument} is {address:#x}, which lies in no array"
        )


class EachKernelRecorder(LaunchRecorder):
    """Writes the first launch of every kernel as a capsule in a folder of the kernel's name.

    Launches whose arguments point to what is no array, such as a compacted view, are left out.
    """

    def __init__(self, directory: str | Path) -> None:
        """Write below `directory`."""
        super().__init__(Path(directory) / "none")
        self._root = Path(directory)
        self.made: list[str] = []

    def wants(self, kernel: str) -> bool:
        """Tell whether the kernel has no capsule yet."""
        self.seen.append(kernel)
        return kernel not in self.made

    def record(
        self, session: CoSimulation, kernel: Kernel, request: Any, run: Callable[[], LaunchResult]
    ) -> LaunchResult:
        """Run a launch and write it, where it can be recorded."""
        for argument in kernel.arguments:
            address = int.from_bytes(request.arguments[argument.offset : argument.offset + 8], "little")
            if argument.kind == "global_buffer" and address:
                try:
                    self._array_at(session, kernel, argument.name, address)
                except ConfigurationError:
                    return run()
        result = LaunchRecorder(self._root / kernel.name).record(session, kernel, request, run)
        self.made.append(kernel.name)
        self.done = True
        return result

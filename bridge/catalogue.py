"""The kernels that ship with the distribution, as kernels.toml describes them."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge._expressions import evaluate
from bridge.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["KernelDescription", "catalogue", "describe_kernel", "kernel_folder", "kernel_object"]


@dataclass(frozen=True)
class KernelDescription:
    """One kernel of the catalogue.

    Attributes:
        name: kernel name, unique in the catalogue.
        object: file name of its code object in the kernel folder.
        arguments: (name, type) in order; type is buffer, u32, i32 or f32.
        workgroup: expressions of the work-group's extents.
        grid: expressions of the grid in work-items.
        semantics: what it computes.
    """

    name: str
    object: str
    arguments: tuple[tuple[str, str], ...]
    workgroup: tuple[str | int, ...]
    grid: tuple[str | int, ...]
    semantics: str

    def geometry(self, names: Mapping[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return grid and work-group in work-items, in three dimensions.

        Args:
            names: value of every name in the expressions: integer arguments and the problem's sizes. An argument
                `column_shift` or `slice_shift` gives `columns` or `slices` its value, 2^shift.

        Raises:
            ConfigurationError: for a name without a value.
        """
        known = dict(names)
        for shift, name in (("column_shift", "columns"), ("slice_shift", "slices")):
            if shift in known:
                known.setdefault(name, 1 << known[shift])
        try:
            grid, workgroup = (
                tuple(part if isinstance(part, int) else evaluate(part, known) for part in parts)
                for parts in (self.grid, self.workgroup)
            )
        except KeyError as error:
            raise ConfigurationError(
                f"kernel {self.name}: its grid needs a value for {error.args[0]}, pass it in sizes"
            ) from None
        return (*grid, 1, 1)[:3], (*workgroup, 1, 1)[:3]


def kernel_folder() -> Path:
    """Return the folder that holds kernels.toml and the code objects: in the wheel, else in the checkout.

    The environment variable SPARTAN_KERNELS names another one: a copy with kernels of one's own.
    """
    if os.environ.get("SPARTAN_KERNELS"):
        return Path(os.environ["SPARTAN_KERNELS"])
    inside = Path(__file__).parent / "_kernels"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "kernels"


def kernel_object(name: str, *, portable: bool = False) -> Path:
    """Return the path of a code object; with `portable` the one whose kernels every back end executes, if there is one.

    Portable objects are built from the same sources (kernels/Makefile).
    """
    folder = kernel_folder()
    alternative = folder / "portable" / name
    return alternative if portable and alternative.is_file() else folder / name


@functools.cache
def catalogue() -> dict[str, KernelDescription]:
    """Return all shipped kernels by name.

    Raises:
        ConfigurationError: where the installation lacks kernels.toml.
    """
    path = kernel_folder() / "kernels.toml"
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the kernels are not installed: {error}; install the distribution again, or correct SPARTAN_KERNELS"
        ) from None
    return {
        name: KernelDescription(
            name=name,
            object=entry["object"],
            arguments=tuple((argument["name"], argument["type"]) for argument in entry["arguments"]),
            workgroup=tuple(entry["workgroup"]),
            grid=tuple(entry["grid"]),
            semantics=entry["semantics"],
        )
        for name, entry in table.items()
    }


def describe_kernel(name: str) -> KernelDescription:
    """Return one shipped kernel.

    Raises:
        ConfigurationError: for a name that is not in the catalogue; the nearest known name is told.
    """
    known = catalogue()
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, n=1)
        raise ConfigurationError(
            f"there is no kernel {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")
        )
    return known[name]

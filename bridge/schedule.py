"""What a launch tells the scheduler and the compaction engine about its work-groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.tensors import CompactedView
from spartan_units.types import NO_TILE
from spartan_units.wire import gpu_model_pb2

__all__ = ["Prefetch", "Schedule", "prefetch_message", "schedule_message"]


@dataclass(frozen=True)
class Schedule:
    """Asks the scheduler for a launch's work-groups.

    Attributes:
        tile_nonzeros: uint32[tiles] of the sparse operand, None where nothing is known.
        tile_elements: elements of a full tile.
        workgroup_tiles: uint32[workgroups, k], the tiles that each work-group works on.
        path_table: uint32[tiles] in device memory, receives the code path of each tile; None for no table.
    """

    tile_nonzeros: NDArray[np.uint32] | None
    tile_elements: int
    workgroup_tiles: NDArray[np.uint32]
    path_table: DeviceArray | None = None


@dataclass(frozen=True)
class Prefetch:
    """The tiles of a view that each work-group of a launch reads, in the order of use.

    Attributes:
        view: the compacted view.
        workgroup_tiles: uint32[workgroups, k]; `NO_TILE` stands for none.
    """

    view: CompactedView
    workgroup_tiles: NDArray[np.uint32]


def schedule_message(schedule: Schedule) -> Any:
    """Return the wire's form."""
    nonzeros = schedule.tile_nonzeros
    return gpu_model_pb2.Schedule(
        ask=True,
        tiles_per_workgroup=schedule.workgroup_tiles.shape[1],
        tile_nonzeros=b"" if nonzeros is None else np.ascontiguousarray(nonzeros, "<u4").tobytes(),
        tile_elements=schedule.tile_elements,
        path_table_address=0 if schedule.path_table is None else schedule.path_table.address,
        workgroup_tiles=np.ascontiguousarray(schedule.workgroup_tiles, "<u4").tobytes(),
    )


def prefetch_message(prefetch: Prefetch) -> Any:
    """Return the wire's form."""
    tiles = prefetch.workgroup_tiles
    present = tiles != NO_TILE
    first = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    return gpu_model_pb2.Prefetch(
        view=prefetch.view.id, first=first.astype("<u4").tobytes(), tiles=tiles[present].astype("<u4").tobytes()
    )

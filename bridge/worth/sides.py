"""The sides of a comparison: the ways to compute a phase of a convolution that are set beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.array import DeviceArray
from bridge.layers import conv
from bridge.layers.conv import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.session import CoSimulation
from bridge.worth.cases import Case
from spartan_units.types import UnitKind

__all__ = ["SIDES", "Side"]

Arrays = Mapping[str, DeviceArray]
"""x, dy and w on the device."""


@dataclass(frozen=True)
class Side:
    """One way to compute a case.

    Attributes:
        heading: of its column.
        units: the seats that are taken; all others are empty.
        by_values: its cycles depend on where the zeros lie, so that every density is a measurement of its own.
        always: part of every measurement, and not only of one that asks for it.
        work: about its wavefront instructions, in multiples of multiply-adds / 64, at density 0 and at density 1.
        applies: whether it can compute a phase of a shape.
        make: returns its operation.
    """

    heading: str
    units: tuple[UnitKind, ...]
    by_values: bool
    always: bool
    work: tuple[float, float]
    applies: Callable[[ConvolutionShape, str], bool]
    make: Callable[[CoSimulation, Case, Arrays], Operation]


def _operands(session: CoSimulation, case: Case, arrays: Arrays) -> dict[str, Any]:
    layouts = conv.FilterLayouts(session, case.shape, arrays["w"], case.layer)
    return {"x": arrays["x"], "layouts": layouts, "dy": arrays["dy"]}


def _dense(session: CoSimulation, case: Case, arrays: Arrays) -> Operation:
    return conv.dense(case.phase, session, case.layer, case.shape, **_operands(session, case, arrays))


def _dense_view(session: CoSimulation, case: Case, arrays: Arrays) -> Operation:
    return conv.dense_through_view(case.phase, session, case.layer, case.shape, **_operands(session, case, arrays))


def _winograd(session: CoSimulation, case: Case, arrays: Arrays) -> Operation:
    filters = conv.WinogradFilters(session, case.shape, arrays["w"], case.phase, case.layer)
    operand = arrays["x" if case.phase == "forward" else "dy"]
    return conv.winograd(case.phase, session, case.layer, case.shape, filters=filters, x=operand)


def _spartan(session: CoSimulation, case: Case, arrays: Arrays) -> Operation:
    operands = _operands(session, case, arrays)
    return conv.spartan(
        case.phase, session, case.layer, case.shape, **operands, sparse_operand=case.operand
    )  # without an engine among the units, a kernel converts


def _every(_shape: ConvolutionShape, _phase: str) -> bool:
    return True


SIDES: Mapping[str, Side] = {
    "dense": Side("dense", (), False, True, (2.0, 2.0), _every, _dense),
    "winograd": Side("Winograd", (), False, True, (1.5, 1.5), conv.takes_winograd, _winograd),
    "spartan": Side("Spartan", tuple(UnitKind), True, True, (0.4, 2.4), _every, _spartan),
    "software": Side(
        "software ELLPACK", (UnitKind.MONITOR, UnitKind.SCHEDULER), True, False, (0.6, 2.6), _every, _spartan
    ),
    "dense_view": Side(
        "dense, engine's im2col",
        (UnitKind.COMPACTION,),
        False,
        False,
        (2.5, 2.5),
        conv.takes_dense_through_view,
        _dense_view,
    ),
}
"""By name. "dense" is the implicit GEMM, the baseline; "software" is Spartan without its compaction engine: a kernel
converts to ELLPACK-DIB before the sparse kernel runs. "dense_view" is a dense GEMM that reads its second operand
through the engine's im2col view, so that the engine's free im2col is not mistaken for sparsity."""

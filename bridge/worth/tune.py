"""The autotuner: measures candidate plans of a case's kernels and keeps the fastest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bridge.data import sparse_tensor
from bridge.errors import VerificationError
from bridge.layers import conv
from bridge.layers.conv.direct import direct_candidates, problem_of
from bridge.layers.conv.plane import plane_candidates
from bridge.layers.conv.spartan import direct_problem
from bridge.layers.conv.window import window_candidates
from bridge.layers.gemm import gemm_candidates
from bridge.layers.operation import Operation
from bridge.layers.tuned import looked_up, read_table, trying
from bridge.reference.convolution import compare, expected
from bridge.session import CoSimulation
from bridge.units import default_choices
from bridge.worth.cases import Case

__all__ = ["tune_case", "write_table"]

_WARM_BELOW = 400_000_000


def tune_case(
    case: Case, gpu: str, done: Mapping[str, Any], *, host_threads: int = 0, on_trial: Callable[[str, int], None]
) -> dict[str, Any]:
    """Return table entries for the problems of a case, dense and sparse, that are not in `done`.

    Every candidate's result is verified; cycles are those of the whole operation, launch tails included.

    Raises:
        VerificationError: where a candidate computes something else.
    """
    shape, phase = case.shape, case.phase
    rng = np.random.default_rng(0)
    x, dy = sparse_tensor(shape.input_shape, case.x), sparse_tensor(shape.output_shape, case.dy, signed=True)
    w = (rng.standard_normal(shape.filter_shape) / np.sqrt(shape.taps)).astype(np.float32)
    reference = expected(phase, shape, x=x, w=w, dy=dy)
    entries: dict[str, Any] = {}
    with CoSimulation(gpu=gpu, units=list(default_choices().values()), host_threads=host_threads) as session:
        arrays = {name: session.array(value, name=name) for name, value in {"x": x, "dy": dy, "w": w}.items()}
        layouts = conv.FilterLayouts(session, shape, arrays["w"], case.layer)
        operands: dict[str, Any] = {"x": arrays["x"], "layouts": layouts, "dy": arrays["dy"]}

        def run(make: Callable[[], Operation]) -> int:
            with make() as operation:
                if shape.macs < _WARM_BELOW:
                    operation.run()
                cycles = operation.run().cycles
                if not compare(operation.output.numpy(), reference)[0]:
                    raise VerificationError(f"{operation.name}: a candidate's result differs from the reference")
            return cycles

        sides: list[Callable[[], Operation]] = [
            lambda: conv.dense(phase, session, case.layer, shape, **operands),
            lambda: conv.spartan(phase, session, case.layer, shape, **operands, sparse_operand=case.operand),
        ]
        for make in sides:
            with looked_up() as problems, make():
                pass
            for problem in dict.fromkeys(problems):
                if problem in done or problem in entries:
                    continue
                with trying({problem: {}}):
                    rule = run(make)
                best: tuple[int, Any] = (rule, None)
                for plan in _candidates(problem, case):
                    with trying({problem: dataclasses.asdict(plan)}):
                        cycles = run(make)
                    on_trial(f"{problem}: {plan}", cycles)
                    best = min(best, (cycles, plan), key=lambda pair: pair[0])
                if best[1] is not None:
                    plan = dataclasses.asdict(best[1])
                    entries[problem] = {"plan": plan, "cycles": best[0], "rule_cycles": rule}
    return entries


def _candidates(problem: str, case: Case) -> list[Any]:
    kernel, size = problem.split(" ", 1)
    if kernel in ("sparse_conv", "sparse_plane_conv"):
        plane = kernel == "sparse_plane_conv"
        direct = problem_of(case.phase, case.shape) if plane else direct_problem(case.phase, case.shape, engine=True)
        assert direct is not None
        return list(direct_candidates(direct) if kernel == "sparse_conv" else plane_candidates(direct))
    if kernel == "gemm_window":
        return window_candidates(case.shape, case.phase)
    M, N, K = (int(extent) for extent in size.split("x"))
    return list(gemm_candidates(kernel, M, N, K))


def write_table(path: Path, entries: Mapping[str, Any], gpu: str) -> None:
    """Add entries to a table, sorted by problem."""
    plans = {**(read_table(path) if path.exists() else {}), **entries}
    note = f"fastest of the candidates that spartan tune measured on {gpu}, in cycles with launch tails"
    text = json.dumps({"source": note, "plans": dict(sorted(plans.items()))}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")

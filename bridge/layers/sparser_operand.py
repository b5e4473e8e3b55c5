"""An operation that skips the zeros of X or of dY, whichever has more of them when it runs."""

from __future__ import annotations

from collections.abc import Callable

from bridge.array import DeviceArray
from bridge.layers.operation import Measurement, Operation
from bridge.layers.primitive import density

__all__ = ["SparserOperand"]


class SparserOperand(Operation):
    """The gradient of weights with Spartan, skipping the zeros of X or of dY, whichever has more of them at each run.

    The densities are those that the monitor has counted; reading them on the host takes no cycles here.

    Attributes:
        operand: "x" or "dy", as last chosen.
    """

    def __init__(self, make: Callable[[str], Operation], x: DeviceArray, dy: DeviceArray) -> None:
        """Begin with X; `make` returns the operation for "x" or "dy"."""
        self._make, self._x, self._dy = make, x, dy
        self._choose("x")
        super().__init__(self._chosen.session, self._chosen.name)
        self.output = self._chosen.output

    def skipped(self) -> DeviceArray:
        """Return the operand whose zeros the last run skipped."""
        return self._x if self.operand == "x" else self._dy

    def _choose(self, operand: str) -> None:
        self.operand = operand
        self._chosen = self._make(operand)

    def run(self) -> Measurement:
        """Run the better of the two."""
        better = "x" if density(self._x.numpy()) <= density(self._dy.numpy()) else "dy"
        if better != self.operand:
            self._chosen.close()
            self._choose(better)
            self.output = self._chosen.output
        return self._chosen.run()

    def close(self) -> None:
        """Free the buffers."""
        self._chosen.close()
        super().close()

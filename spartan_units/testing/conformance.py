"""The checks as a pytest class."""

from __future__ import annotations

from typing import Any, ClassVar

from spartan_units.base import Unit
from spartan_units.testing import checks

__all__ = ["Conformance"]


class Conformance:
    """Derive from it, set `unit` (and `parameters`), name it `Test…`: pytest runs one test a check."""

    unit: ClassVar[type[Unit]]
    parameters: ClassVar[dict[str, Any]] = {}

    def _run(self, name: str) -> None:
        checks.CHECKS[name](checks.subject_of(self.unit, self.parameters))

    def test_handshake(self) -> None:
        """The declaration is complete, and another protocol version is refused."""
        self._run("handshake")

    def test_parameters(self) -> None:
        """An unknown parameter is refused with its name."""
        self._run("parameters")

    def test_answers(self) -> None:
        """Every request is answered once, every batch acknowledged, in order."""
        self._run("answers")

    def test_lookahead(self) -> None:
        """No answer comes before the declared lookahead."""
        self._run("lookahead")

    def test_determinism(self) -> None:
        """Two runs give the same."""
        self._run("determinism")

    def test_batch_size(self) -> None:
        """How events are cut into batches does not show."""
        self._run("batch_size")

    def test_snapshot(self) -> None:
        """A restored unit goes on as the one that the snapshot is of."""
        self._run("snapshot")

    def test_counters(self) -> None:
        """Counters are finite numbers."""
        self._run("counters")

    def test_contents(self) -> None:
        """Answers are right."""
        self._run("contents")

    def test_stateless(self) -> None:
        """A unit that calls itself stateless is."""
        self._run("stateless")

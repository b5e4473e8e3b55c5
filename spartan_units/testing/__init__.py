"""Conformance of a unit: what every unit must keep, checked by driving it as the GPU model would.

In a test file of your own::

    from spartan_units.testing import Conformance
    from my_package import MyUnit

    class TestMyUnit(Conformance):
        unit = MyUnit

`spartan units check SPEC` runs the same checks from the command line.
"""

from spartan_units.testing.checks import CHECKS, Check, ConformanceError, check_unit, measure_throughput
from spartan_units.testing.conformance import Conformance
from spartan_units.testing.drive import Transcript, drive

__all__ = [
    "CHECKS",
    "Check",
    "Conformance",
    "ConformanceError",
    "Transcript",
    "check_unit",
    "drive",
    "measure_throughput",
]

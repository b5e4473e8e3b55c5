"""Units that behave as the Spartan ones, at another speed."""

from __future__ import annotations

import random
import time
from typing import ClassVar

from spartan_units.compaction import EllpackCompactionEngine
from spartan_units.monitor import LineCountingMonitor
from spartan_units.scheduler import LongestFirstScheduler


def _dawdle() -> None:
    if random.random() < 0.2:
        time.sleep(random.expovariate(500))


class SlowMonitor(LineCountingMonitor):
    def stores(self, batch):
        _dawdle()
        super().stores(batch)


class SlowEngine(EllpackCompactionEngine):
    def compact(self, batch):
        _dawdle()
        return super().compact(batch)


class SlowScheduler(LongestFirstScheduler):
    def schedule(self, query):
        _dawdle()
        return super().schedule(query)


class CautiousEngine(EllpackCompactionEngine):
    """Never asked ahead of time."""

    stateless = False


class PonderingScheduler(LongestFirstScheduler):
    def schedule(self, query):
        time.sleep(0.2)
        return super().schedule(query)


class MeteredEngine(EllpackCompactionEngine):
    """Takes 2 pJ a tile and a quarter of one for each byte that it writes."""

    energy_pj: ClassVar = {"tiles": 2.0, "encoded_bytes": 0.25}

"""Units that fail in mid-run, each in a way of its own."""

import os
import time
from dataclasses import replace

import numpy as np

from spartan_units.compaction import EllpackCompactionEngine
from spartan_units.monitor import LineCountingMonitor
from spartan_units.types import CompactedTiles


class Raising(EllpackCompactionEngine):
    """Raises at its third batch."""

    name = "raising"
    batches = 0

    def compact(self, batch):
        self.batches += 1
        if self.batches == 3:
            raise ValueError("the third batch is too much")
        return super().compact(batch)


class Exiting(EllpackCompactionEngine):
    """Ends its process at its third batch."""

    name = "exiting"
    batches = 0

    def compact(self, batch):
        self.batches += 1
        if self.batches == 3:
            os._exit(7)
        return super().compact(batch)


class Silent(EllpackCompactionEngine):
    """Never answers its third batch."""

    name = "silent"
    batches = 0

    def compact(self, batch):
        self.batches += 1
        if self.batches == 3:
            time.sleep(3600)
        return super().compact(batch)


class WrongSize(EllpackCompactionEngine):
    """Says that its tiles are larger than their slot."""

    name = "wrong-size"

    def compact(self, batch):
        tiles = super().compact(batch)
        data = np.zeros(len(batch) * (batch.view.slot_bytes + 64), np.uint8)
        size = np.full(len(batch), batch.view.slot_bytes + 64, np.uint32)
        return CompactedTiles(size=size, encoded=data, latency_ps=tiles.latency_ps)


class WrongValue(EllpackCompactionEngine):
    """Answers in the right form with wrong values."""

    name = "wrong-value"

    def compact(self, batch):
        return super().compact(replace(batch, dense=batch.dense * np.float32(1.5)))


class TooEarly(EllpackCompactionEngine):
    """Answers sooner than it declared."""

    name = "too-early"

    def compact(self, batch):
        tiles = super().compact(batch)
        return CompactedTiles(size=tiles.size, encoded=tiles.encoded, latency_ps=np.ones_like(tiles.latency_ps))


class RaisingMonitor(LineCountingMonitor):
    """Raises at the first store."""

    name = "raising-monitor"

    def stores(self, batch):
        raise KeyError("no such tensor")

"""Units that fail, each in its own way, at their third batch or so."""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from spartan_units.alternatives import StaticScheduler
from spartan_units.compaction import EllpackCompactionEngine
from spartan_units.monitor import LineCountingMonitor
from spartan_units.types import CompactedTiles, SchedulePlan


class Raising(EllpackCompactionEngine):
    def compact(self, batch):
        raise ZeroDivisionError("tiles by zero")


class RaisingMonitor(LineCountingMonitor):
    def stores(self, batch):
        raise KeyError("no such tensor")


class Hungry(EllpackCompactionEngine):
    def compact(self, batch):
        return np.ones(1 << 31)


class Exiting(EllpackCompactionEngine):
    def compact(self, batch):
        sys.exit(7)


class Dying(EllpackCompactionEngine):
    def compact(self, batch):
        os._exit(9)


class Hanging(EllpackCompactionEngine):
    def compact(self, batch):
        time.sleep(3600)


class HangingMonitor(LineCountingMonitor):
    def stores(self, batch):
        time.sleep(3600)


class WrongShape(EllpackCompactionEngine):
    def compact(self, batch):
        tiles = super().compact(batch)
        return CompactedTiles(tiles.size[:-1], tiles.encoded, tiles.latency_ps)


class WrongType(EllpackCompactionEngine):
    def compact(self, batch):
        tiles = super().compact(batch)
        return CompactedTiles(tiles.size, tiles.encoded.astype(np.float32), tiles.latency_ps)


class TooEarly(EllpackCompactionEngine):
    def compact(self, batch):
        tiles = super().compact(batch)
        return CompactedTiles(tiles.size, tiles.encoded, np.ones_like(tiles.latency_ps))


class TooLarge(EllpackCompactionEngine):
    def compact(self, batch):
        size = np.full(len(batch), 1 << 20, np.uint32)
        return CompactedTiles(size, np.zeros(int(size.sum()), np.uint8), super().compact(batch).latency_ps)


class Twice(StaticScheduler):
    def schedule(self, query):
        plan = super().schedule(query)
        return SchedulePlan(np.zeros_like(plan.order), None, plan.tile_path, plan.latency_ps)


class Elsewhere(StaticScheduler):
    def schedule(self, query):
        plan = super().schedule(query)
        return SchedulePlan(plan.order, np.full(len(plan.order), 64, np.int32), plan.tile_path, plan.latency_ps)


class Refusing(EllpackCompactionEngine):
    def start(self):
        raise RuntimeError("not today")

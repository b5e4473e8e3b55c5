"""Units that differ from the Spartan ones in one idea each, to compare with them."""

from spartan_units.alternatives.compaction import SerialCompactionEngine
from spartan_units.alternatives.monitors import PredictingMonitor, SamplingMonitor
from spartan_units.alternatives.schedulers import RandomScheduler, StaticScheduler

__all__ = ["PredictingMonitor", "RandomScheduler", "SamplingMonitor", "SerialCompactionEngine", "StaticScheduler"]

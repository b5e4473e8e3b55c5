"""A driver that runs the job over and over until it is killed; it names its children first."""

from __future__ import annotations

import json
from pathlib import Path

from bridge import CoSimulation, UnitChoice
from spartan_units.types import UnitKind
from tests.cosim.jobs import run

SLOW = {UnitKind.MONITOR: "SlowMonitor", UnitKind.COMPACTION: "SlowEngine", UnitKind.SCHEDULER: "SlowScheduler"}
FILE = Path(__file__).with_name("units_for_tests.py")

if __name__ == "__main__":
    choices = [UnitChoice(kind, f"{FILE}:{name}", max_batch_events=1) for kind, name in SLOW.items()]
    with CoSimulation(units=choices) as session:
        told = {"pids": list(session.process_ids().values()), "folder": str(session._directory)}
        print(json.dumps(told), flush=True)  # noqa: T201 - for the test
        while True:
            run(session, detach=False)

"""How far a job is, on the terminal."""

from __future__ import annotations

import rich.console
import rich.progress

from bridge.job import Job
from bridge.kernel import LaunchProgress
from bridge.session import CoSimulation

__all__ = ["JobProgress"]


class JobProgress(rich.progress.Progress):
    """One bar over the steps of the job and one over the launch under way."""

    def __init__(self, console: rich.console.Console) -> None:
        super().__init__(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TextColumn("{task.fields[note]}"),
            rich.progress.TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def attach(self, session: CoSimulation, job: Job) -> None:
        """Follow a session and its job; bars of one before it go."""
        for task in self.task_ids:
            self.remove_task(task)
        steps = self.add_task(f"{session.backend}: starting", total=job.steps, note="")
        launch = self.add_task("", total=None, note="", visible=False)
        seen = -1

        def on_step(label: str) -> None:
            nonlocal seen
            seen += 1
            self.update(
                steps, description=f"{session.backend}: {label}", completed=seen, note=f"step {seen + 1} of {job.steps}"
            )

        def on_progress(progress: LaunchProgress) -> None:
            if progress.waiting_for:
                note = f"waiting for {progress.waiting_for} since {progress.waiting_s:.0f} s"
                self.update(launch, visible=True, description=f"  {progress.label}", note=note)
                return
            self.update(
                launch,
                visible=True,
                description=f"  {progress.label}",
                completed=progress.workgroups_done,
                total=progress.workgroups_total,
                note=f"cycle {progress.cycle:,}, {progress.instructions:,} instructions",
            )

        job.on_step = on_step
        session.on_progress = on_progress

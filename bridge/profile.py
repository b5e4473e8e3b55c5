"""Profiles of kernels: what each instruction's cycles went to (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["InstructionProfile", "KernelProfile", "merge_profiles"]


@dataclass(frozen=True)
class InstructionProfile:
    """One instruction.

    Attributes:
        offset: bytes from the start of the code.
        text: the instruction.
        issues: over all wavefronts.
        cycles: by cause; means over the compute units.
    """

    offset: int
    text: str
    issues: int
    cycles: Mapping[str, float]

    @property
    def total(self) -> float:
        """Cycles of all causes."""
        return sum(self.cycles.values())


@dataclass(frozen=True)
class KernelProfile:
    """A kernel's profile. The cycles of the instructions and those elsewhere add up to the kernel's.

    Attributes:
        kernel: kernel name.
        cycles: of the kernel, with the launch tail.
        launch_tail_cycles: the constant part.
        cold: caches and TLBs were empty when the launch began.
        elsewhere: cycles without a wavefront, by cause; means over the compute units.
        instructions: in the order of addresses.
    """

    kernel: str
    cycles: int
    launch_tail_cycles: int
    cold: bool
    elsewhere: Mapping[str, float]
    instructions: Sequence[InstructionProfile]

    @property
    def by_cause(self) -> dict[str, float]:
        """Cycles by cause; they add up to `cycles`."""
        totals = dict(self.elsewhere)
        for instruction in self.instructions:
            for cause, cycles in instruction.cycles.items():
                totals[cause] += cycles
        return totals

    @classmethod
    def of_message(cls, kernel: str, result: Any) -> KernelProfile:
        """Return the profile of a LaunchResult message that carries one."""
        message = result.profile
        causes = list(message.cause)
        table: NDArray[np.float64] = np.frombuffer(message.cycles, "<f8").reshape(-1, len(causes))
        columns = zip(
            np.frombuffer(message.offset, "<u4").tolist(),
            message.text,
            np.frombuffer(message.issues, "<u8").tolist(),
            table.tolist(),
            strict=True,
        )
        return cls(
            kernel=kernel,
            cycles=result.cycles,
            launch_tail_cycles=result.launch_tail_cycles,
            cold=result.cold,
            elsewhere=dict(zip(causes, np.frombuffer(message.elsewhere, "<f8").tolist(), strict=True)),
            instructions=[
                InstructionProfile(offset, text, issues, dict(zip(causes, cycles, strict=True)))
                for offset, text, issues, cycles in columns
            ],
        )

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> KernelProfile:
        """Return the profile that `gpusim capsule run --profile` prints."""
        causes = document["causes"]
        return cls(
            kernel=document["kernel"],
            cycles=document["cycles"],
            launch_tail_cycles=document["launch_tail_cycles"],
            cold=document["cold"],
            elsewhere=dict(zip(causes, document["elsewhere"], strict=True)),
            instructions=[
                InstructionProfile(i["offset"], i["text"], i["issues"], dict(zip(causes, i["cycles"], strict=True)))
                for i in document["instructions"]
            ],
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object with all of it."""
        return {
            "kernel": self.kernel,
            "cycles": self.cycles,
            "launch_tail_cycles": self.launch_tail_cycles,
            "cold": self.cold,
            "by_cause": self.by_cause,
            "elsewhere": dict(self.elsewhere),
            "instructions": [
                {"offset": i.offset, "text": i.text, "issues": i.issues, "cycles": dict(i.cycles)}
                for i in self.instructions
            ],
        }


def merge_profiles(profiles: Sequence[KernelProfile]) -> KernelProfile:
    """Return the profile of launches of one kernel together: cycles and issues added up."""
    first = profiles[0]
    if len(profiles) == 1:
        return first
    instructions: dict[int, InstructionProfile] = {}
    elsewhere: dict[str, float] = {}
    for profile in profiles:
        for cause, cycles in profile.elsewhere.items():
            elsewhere[cause] = elsewhere.get(cause, 0.0) + cycles
        for i in profile.instructions:
            before = instructions.get(i.offset)
            if before is not None:
                added = {cause: cycles + before.cycles[cause] for cause, cycles in i.cycles.items()}
                i = InstructionProfile(i.offset, i.text, i.issues + before.issues, added)
            instructions[i.offset] = i
    return KernelProfile(
        kernel=first.kernel,
        cycles=sum(profile.cycles for profile in profiles),
        launch_tail_cycles=sum(profile.launch_tail_cycles for profile in profiles),
        cold=all(profile.cold for profile in profiles),
        elsewhere=elsewhere,
        instructions=[instructions[offset] for offset in sorted(instructions)],
    )

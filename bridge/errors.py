"""Errors of the bridge: each message is one sentence for the person at the terminal, each class has its exit code."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ConfigurationError",
    "DeviceMemoryError",
    "ModelFailedError",
    "SpartanError",
    "UnitFailedError",
    "VerificationError",
]


class SpartanError(Exception):
    """Base of all errors that a user can cause; `exit_code` is what the `spartan` command ends with."""

    exit_code: ClassVar[int] = 2


class VerificationError(SpartanError):
    """A result differs from its reference."""

    exit_code = 1


class ConfigurationError(SpartanError):
    """A file, key, argument or name is not what was expected."""

    exit_code = 2


class DeviceMemoryError(ConfigurationError):
    """The job does not fit into the simulated GPU's memory."""


class UnitFailedError(SpartanError):
    """A unit raised, ended, fell silent or answered what it may not."""

    exit_code = 3


class ModelFailedError(SpartanError):
    """The GPU model ended, or a kernel can't be executed."""

    exit_code = 4

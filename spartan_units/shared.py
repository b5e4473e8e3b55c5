"""Payloads in shared memory: files in the session's private directory, whose receiver removes the name."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from spartan_units.errors import UnitError
from spartan_units.wire import common_pb2

__all__ = ["SHARED_THRESHOLD", "SharedPayloads"]

SHARED_THRESHOLD = 64 << 10
"""Bytes from which a file is cheaper than the message."""

_STREAMS = itertools.count()


class SharedPayloads:
    """The payloads of one stream."""

    def __init__(self, directory: str = "") -> None:
        """Exchange payloads through `directory`; "" stands for none: then they travel in messages."""
        self._directory = Path(directory) if directory else None
        self._mark = f"unit-{os.getpid()}-{next(_STREAMS)}-"
        self._next = 0
        self._latest: tuple[str, Any] = ("", None)

    def read(self, payload: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the bytes of a payload as uint8, without a copy.

        Raises:
            UnitError: where the payload names no file of the directory, or one that is too short.
        """
        if not payload.HasField("shared"):
            return np.frombuffer(payload.inline, np.uint8)
        shared = payload.shared
        name = shared.name
        if name != self._latest[0]:
            self._latest = (name, self._map(name))
        data = self._latest[1][shared.offset : shared.offset + shared.size]
        if len(data) != shared.size:
            raise UnitError(f"the shared payload {name!r} ends before the {shared.size} bytes at {shared.offset}")
        return np.asarray(data)

    def _map(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        if self._directory is None:
            raise UnitError("the model sent a payload in shared memory, which this stream does not have")
        if not name or name != Path(name).name:
            raise UnitError(f"{name!r} is no name of a shared payload")
        path = self._directory / name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise UnitError(f"the shared payload {name!r} can't be opened: {error.strerror}") from None
        try:
            path.unlink()
            return np.frombuffer(mmap.mmap(handle, 0, access=mmap.ACCESS_READ), np.uint8)
        finally:
            os.close(handle)

    def write(self, data: bytes) -> Any:
        """Return a payload that holds `data`."""
        payload = common_pb2.Payload()
        self.put(payload, data)
        return payload

    def put(self, payload: Any, data: bytes) -> None:
        """Make a payload hold `data`."""
        if self._directory is None or len(data) < SHARED_THRESHOLD:
            payload.inline = data
            return
        self._next += 1
        name = f"{self._mark}{self._next}"
        handle = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(handle, left) :]
        finally:
            os.close(handle)
        payload.shared.name, payload.shared.size = name, len(data)

    def close(self) -> None:
        """Remove what the model has not taken; nothing where the directory went with its session."""
        if self._directory is not None:
            with contextlib.suppress(FileNotFoundError):
                for path in self._directory.glob(f"{self._mark}*"):
                    path.unlink(missing_ok=True)

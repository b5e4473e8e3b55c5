"""Arrays in the memory of the simulated GPU."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from bridge.session import CoSimulation

__all__ = ["DeviceArray"]


class DeviceArray:
    """A C-contiguous array in device memory.

    Made by `CoSimulation.array`, `empty` and `zeros`; `free` or the end of the session gives the memory back.

    Attributes:
        name: for messages, results and units.
        address: device address of the first element, bytes.
        shape: extents.
        dtype: numpy dtype.
    """

    def __init__(
        self, session: CoSimulation, name: str, address: int, shape: tuple[int, ...], dtype: DTypeLike
    ) -> None:
        """Describe memory that the session has allocated."""
        self._session = session
        self.name = name
        self.address = address
        self.shape = shape
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._freed = False

    def __repr__(self) -> str:
        state = " freed" if self._freed else ""
        return f"<DeviceArray {self.name} {self.dtype}{list(self.shape)} at {self.address:#x}{state}>"

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    def numpy(self) -> NDArray[Any]:
        """Return a copy of the contents on the host.

        Raises:
            ConfigurationError: after `free`.
        """
        self._check()
        data = self._session.read(self.address, self.nbytes)
        return np.frombuffer(bytearray(data), self.dtype).reshape(self.shape)

    def write(self, values: NDArray[Any]) -> None:
        """Copy values of the same shape to the device; they are converted to the array's dtype.

        Raises:
            ConfigurationError: for another shape, or after `free`.
        """
        self._check()
        if values.shape != self.shape:
            raise ConfigurationError(
                f"array {self.name} has shape {list(self.shape)}, the values written to it {list(values.shape)}"
            )
        self._session.write(self.address, np.ascontiguousarray(values, self.dtype).tobytes())

    def free(self) -> None:
        """Give the device memory back; a second call does nothing."""
        if not self._freed:
            self._freed = True
            self._session._free(self.address)

    def _check(self) -> None:
        if self._freed:
            raise ConfigurationError(f"array {self.name} was freed")

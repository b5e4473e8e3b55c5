"""The process of the GPU model and the calls to it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc

from bridge import _stop
from bridge._errors_from_rpc import CONNECTION_LOST, error_of
from bridge._process import Child, ChildError
from bridge._unit_server import UnitServer
from bridge.errors import ModelFailedError, SpartanError, UnitFailedError
from bridge.units import UnitKey
from spartan_units.wire import gpu_model_pb2, gpu_model_pb2_grpc

__all__ = ["START_TIMEOUT_S", "ModelConnection"]

START_TIMEOUT_S = 30.0
"""Wall time that a process may take to get ready."""

_MESSAGE_LIMIT = 64 << 20


class ModelConnection:
    """One GPU model, from `start` to `shut_down`.

    Attributes:
        model: the process, None before `start`.
        stub: the GpuModel service.
    """

    def __init__(self, servers: Callable[[], Mapping[UnitKey, UnitServer]]) -> None:
        """Begin without a process; `servers` tells which unit servers may have ended when a unit fails."""
        self._servers = servers
        self._channel: grpc.Channel | None = None
        self._active: Any = None  # call under way
        self.model: Child | None = None
        self.stub: Any = None

    def start(self, program: Path, socket: Path, log: Path) -> None:
        """Start the process of a model, and listen for it on `socket`.

        Raises:
            ModelFailedError: where it does not get ready.
        """
        command = [str(program), "serve", "--socket", str(socket), "--private", str(socket.parent)]
        try:
            self.model = Child(command, log=log)
            self.model.wait_ready(START_TIMEOUT_S)
        except (ChildError, OSError) as error:
            raise ModelFailedError(f"the GPU model did not start: {error}") from None
        limits = [("grpc.max_send_message_length", _MESSAGE_LIMIT), ("grpc.max_receive_message_length", _MESSAGE_LIMIT)]
        self._channel = grpc.insecure_channel(self.model.address, options=limits)
        self.stub = gpu_model_pb2_grpc.GpuModelStub(self._channel)  # type: ignore[no-untyped-call]

    def shut_down(self) -> None:
        """Ask the model to end, and close the channel."""
        if self._channel is not None:
            if self.model is not None and self.model.running():
                with contextlib.suppress(grpc.RpcError):
                    self.stub.Shutdown(gpu_model_pb2.ShutdownRequest(), timeout=1.0)
            self._channel.close()

    @contextlib.contextmanager
    def under_way(self, call: Any) -> Iterator[Any]:
        """Let `interrupt` end a call, and tell its failure in the bridge's words."""
        self._active = call
        try:
            _stop.check()  # a signal that came before the call could be seen
            yield call
        except grpc.FutureCancelledError:
            _stop.check()
            raise ModelFailedError("the call to the GPU model was cancelled") from None
        except grpc.RpcError as error:
            _stop.check()
            raise self._failure(error) from None
        except BaseException:
            call.cancel()
            raise
        finally:
            self._active = None

    def interrupt(self) -> None:
        """End the call under way, from another thread."""
        call = self._active
        if call is not None:
            call.cancel()

    def _failure(self, error: grpc.RpcError) -> SpartanError:
        if error.code() in CONNECTION_LOST and self.model is not None and self.model.wait(2.0):
            words = self.model.last_words()
            return ModelFailedError(
                f"the GPU model (process {self.model.pid}) ended in mid-run with {self.model.status()}"
                + (f"; its last words: {words}" if words else "")
            )
        failure = error_of(error)
        if isinstance(failure, UnitFailedError):
            gone = [
                f"{key.kind.value} ended with {server.status()}"
                for key, server in self._servers().items()
                if server.wait(0.2)
            ]
            if gone:
                return UnitFailedError(f"{failure} (the process of unit {' and '.join(gone)})")
        return failure

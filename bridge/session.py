"""The co-simulation session: one GPU model, its units, device memory and launches."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bridge import _stop
from bridge._attachments import Attachments
from bridge._connection import ModelConnection
from bridge._folder import session_folder
from bridge._version import __version__
from bridge.array import DeviceArray
from bridge.backend import BACKENDS, model_program
from bridge.capsule import LaunchRecorder
from bridge.catalogue import describe_kernel, kernel_object
from bridge.errors import ConfigurationError, ModelFailedError
from bridge.kernel import (
    Kernel,
    LaunchProgress,
    LaunchResult,
    launch_progress,
    launch_result,
    loaded_kernel,
    pack_arguments,
)
from bridge.metrics import LaunchMetrics, MetricNames
from bridge.schedule import Prefetch, Schedule, prefetch_message, schedule_message
from bridge.statistics import SessionStatistics, UnitTimes, session_statistics, unit_times
from bridge.tensors import CompactedView, Counts, Matrix, Tiled, ViewTraffic, WatchedTensor, slot_bytes
from bridge.trace import LayerSpan
from bridge.unit_spans import UnitSpans, unit_spans
from bridge.units import AttachedUnit, UnitChoice
from spartan_units.shared import SharedPayloads
from spartan_units.stream import PROTOCOL_MAJOR, PROTOCOL_MINOR
from spartan_units.types import UnitKind
from spartan_units.wire import common_pb2, gpu_model_pb2

__all__ = ["CoSimulation"]

_CHUNK = 32 << 20

_END_PATIENCE_S = 2.0
_MODES = {"timing": gpu_model_pb2.MODE_TIMING, "functional": gpu_model_pb2.MODE_FUNCTIONAL}
_TYPES = {"buffer": "pointer", "u32": "uint", "i32": "int", "f32": "float"}


class CoSimulation:
    """A GPU model in a process of its own, with units attached; a context manager.

    Args:
        gpu: preset name (`spartan gpu list`).
        gpu_set: parameters that differ from the preset, dotted key to value.
        mode: "timing" counts cycles, "functional" only computes.
        backend: "embedded", or "mgpusim": upstream MGPUSim through mgpusim-bridge (docs/mgpusim.md).
        kernels: "best", or "portable": layers use only kernels that every back end executes. The back end mgpusim
            always takes these.
        units: the units to attach at once; `attach` adds others.
        host_threads: cores that the model may use, 0 for all. The result does not depend on it.
        max_instructions: wavefront instructions that a launch may execute, 0 for any number.
        reply_deadline_s: wall time without an answer after which a unit counts as failed.
        record: new or empty folder that receives all events and replies (docs/recording.md); None records nothing.
        log: file that receives what the processes say beyond their one sentence; None for nowhere.

    Raises:
        ConfigurationError: for an unknown preset, parameter, mode or unit.
        ModelFailedError: where the GPU model does not start.
        UnitFailedError: where a unit does not start.
    """

    recorder: ClassVar[LaunchRecorder | None] = None
    """Records a launch of whatever session makes it; `spartan capsule record --script` sets it."""

    def __init__(
        self,
        *,
        gpu: str = "r9nano",
        gpu_set: Mapping[str, Any] | None = None,
        mode: str = "timing",
        backend: str = BACKENDS[0],
        kernels: str = "best",
        units: Sequence[UnitChoice] = (),
        host_threads: int = 0,
        max_instructions: int = 0,
        reply_deadline_s: float = 30.0,
        record: Path | None = None,
        log: Path | None = None,
    ) -> None:
        if mode not in _MODES:
            raise ConfigurationError(f"the mode is timing or functional, got {mode!r}")
        if kernels not in ("best", "portable"):
            raise ConfigurationError(f"the kernels are best or portable, got {kernels!r}")
        self.mode = mode
        self.gpu = gpu
        self.backend = backend
        self.portable = kernels == "portable" or backend != BACKENDS[0]
        program = model_program(backend)
        self.launches: list[LaunchResult] = []
        self.layers: list[LayerSpan] = []
        self.profiled: Callable[[str], bool] = lambda _: False
        self._metric_names = MetricNames()
        self.on_progress: Callable[[LaunchProgress], None] | None = None
        self.on_read: Callable[[bytes], None] = lambda _: None
        self._record = record
        self._kernels: dict[str, Kernel] = {}
        self._allocations: dict[int, tuple[str, int]] = {}
        self._loaded: dict[str, dict[str, Kernel]] = {}
        self._closed = False
        # A short path: the address of a Unix socket has at most 107 bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="spartan-", dir=session_folder()))
        self._payloads = SharedPayloads(str(self._directory))
        self._log = log if log is not None else self._directory / "log"
        self._attachments = Attachments(
            self._directory,
            self._log,
            reply_deadline_s,
            lambda name, request: self._call(getattr(self._stub, name), request),
        )
        self._connection = ModelConnection(lambda: self._attachments.servers)
        _stop.register(self)
        try:
            for choice in units:  # their processes start while the model does
                self._attachments.serve(choice)
            self._start(program, gpu_set or {}, host_threads, max_instructions)
            for choice in units:
                self.attach(choice)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<CoSimulation {self.gpu} {self.mode} units={[unit.name for unit in self.units.values()]}{state}>"

    def __enter__(self) -> CoSimulation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Processes

    def _start(self, program: Path, gpu_set: Mapping[str, Any], host_threads: int, max_instructions: int) -> None:
        self._connection.start(program, self._directory / "gpu", self._log)
        self._stub = self._connection.stub
        reply = self._call(
            self._stub.Handshake,
            gpu_model_pb2.HandshakeRequest(
                protocol=common_pb2.Version(major=PROTOCOL_MAJOR, minor=PROTOCOL_MINOR),
                driver_version=__version__,
                mode=_MODES[self.mode],
                gpu=self.gpu,
                gpu_overrides={key: _toml_value(value) for key, value in gpu_set.items()},
                host_threads=host_threads,
                max_instructions=max_instructions,
                private_directory=str(self._directory),
                record_directory="" if self._record is None else str(self._record.resolve()),
            ),
        )
        self.model = reply.model
        self.model_version = reply.model_version
        self.clock_hz = int(reply.clock_hz)
        self.compute_units = int(reply.compute_units)
        self.parameters: dict[str, str] = {parameter.key: parameter.value for parameter in reply.parameters}

    def process_ids(self) -> dict[str, int]:
        """Return the process ids of the GPU model ("model") and of the unit servers (by kind)."""
        found = {key.kind.value: server.pid for key, server in self._attachments.servers.items() if not key.shadow}
        if self._connection.model is not None:
            found["model"] = self._connection.model.pid
        return found

    def close(self) -> None:
        """End all processes and remove the session's files; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with _stop.uninterrupted():
            self._connection.shut_down()
            children = [
                child for child in (self._connection.model, *self._attachments.servers.values()) if child is not None
            ]
            for child in children:
                child.ask_to_end()
            deadline = time.monotonic() + _END_PATIENCE_S
            for child in children:
                child.stop(deadline - time.monotonic())
            shutil.rmtree(self._directory, ignore_errors=True)

    # Calls

    def _call(self, method: Any, request: Any) -> Any:
        self._check_open()
        with self._connection.under_way(method.future(request)) as call:
            return call.result()

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError("the co-simulation session is closed")

    def interrupt(self) -> None:
        """End the call under way, from another thread."""
        self._connection.interrupt()

    def abandon(self) -> None:
        """Kill all processes and remove the session's files, from another thread and whatever the session is doing."""
        for child in (self._connection.model, *self._attachments.servers.values()):
            if child is not None:
                child.stop(0)
        shutil.rmtree(self._directory, ignore_errors=True)

    # Memory

    def empty(self, shape: int | Sequence[int], dtype: DTypeLike = np.float32, *, name: str) -> DeviceArray:
        """Allocate an array; fresh device memory holds zeros.

        Raises:
            DeviceMemoryError: where the device has no room.
        """
        extents = (shape,) if isinstance(shape, int) else tuple(int(extent) for extent in shape)
        element = np.dtype(dtype)
        nbytes = int(np.prod(extents, dtype=np.int64)) * element.itemsize
        reply = self._call(self._stub.Allocate, gpu_model_pb2.AllocateRequest(bytes=max(nbytes, 1), name=name))
        self._allocations[int(reply.address)] = (name, max(nbytes, 1))
        return DeviceArray(self, name, reply.address, extents, element)

    def allocations(self) -> dict[int, tuple[str, int]]:
        """Return the arrays on the device: address to name and bytes."""
        return dict(self._allocations)

    def array(self, values: NDArray[Any], *, name: str) -> DeviceArray:
        """Allocate an array with the shape, dtype and contents of `values`."""
        made = self.empty(values.shape, values.dtype, name=name)
        made.write(values)
        return made

    def write(self, address: int, data: bytes) -> None:
        """Copy bytes to a device address."""
        for start in range(0, len(data), _CHUNK):
            payload = self._payloads.write(data[start : start + _CHUNK])
            self._call(self._stub.Write, gpu_model_pb2.WriteRequest(address=address + start, data=payload))

    def read(self, address: int, nbytes: int) -> bytes:
        """Copy bytes from a device address."""
        parts = []
        for start in range(0, nbytes, _CHUNK):
            count = min(_CHUNK, nbytes - start)
            request = gpu_model_pb2.ReadRequest(address=address + start, bytes=count)
            parts.append(self._payloads.read(self._call(self._stub.Read, request).data).data)
        content = b"".join(parts)
        self.on_read(content)
        return content

    def _free(self, address: int) -> None:
        self._allocations.pop(address, None)
        if not self._closed:
            self._call(self._stub.Free, gpu_model_pb2.FreeRequest(address=address))

    # Kernels

    def load(self, path: Path | str) -> dict[str, Kernel]:
        """Load a code object; return its kernels by name.

        Raises:
            ConfigurationError: where the file is missing or no code object for gfx803.
        """
        file = str(path)
        if file not in self._loaded:
            try:
                content = Path(path).read_bytes()
            except OSError as error:
                raise ConfigurationError(f"the code object {file} can't be read: {error.strerror}") from None
            reply = self._call(
                self._stub.LoadCodeObject, gpu_model_pb2.LoadCodeObjectRequest(file=file, content=content)
            )
            self._loaded[file] = {kernel.name: loaded_kernel(kernel, file) for kernel in reply.kernels}
        return self._loaded[file]

    def kernel(self, name: str) -> Kernel:
        """Return a kernel that ships with the distribution (`bridge.catalogue`).

        Raises:
            ConfigurationError: for an unknown name.
        """
        description = describe_kernel(name)
        loaded = self.load(kernel_object(description.object, portable=self.portable)).get(name)
        if loaded is None:  # a portable object need not hold every kernel
            loaded = self.load(kernel_object(description.object))[name]
        # Code objects of version 2 may leave out names and types; the catalogue has them.
        arguments = zip(loaded.arguments, description.arguments, strict=False)
        named = [replace(argument, name=called, type_name=_TYPES[kind]) for argument, (called, kind) in arguments]
        return replace(loaded, arguments=(*named, *loaded.arguments[len(named) :]))

    def launch(
        self,
        kernel: Kernel | str,
        grid: Sequence[int] | None = None,
        workgroup: Sequence[int] | None = None,
        args: Mapping[str, Any] | Sequence[Any] = (),
        *,
        sizes: Mapping[str, int] | None = None,
        schedule: Schedule | None = None,
        prefetch: Prefetch | None = None,
        dynamic_lds_bytes: int = 0,
        label: str | None = None,
        cold: bool = False,
        profile: bool = False,
    ) -> LaunchResult:
        """Run a kernel to its end.

        Args:
            kernel: a loaded kernel, or the name of a shipped one.
            grid: work-items along 1 to 3 dimensions; for a shipped kernel it follows from its arguments.
            workgroup: work-items of a work-group.
            args: arguments by name or in order.
            sizes: values of names that a shipped kernel's grid needs beyond its arguments.
            schedule: asks the scheduler for order, placement and code paths.
            prefetch: tiles that the compaction engine may convert ahead of demand, as deep as its unit declares.
            dynamic_lds_bytes: local memory beyond what the kernel declares.
            label: name in results and events; the kernel's by default.
            cold: empty all caches and TLBs first.
            profile: report what each instruction's cycles went to; also done where `profiled` says so of the kernel.

        Raises:
            ConfigurationError: for a geometry or arguments that can't be right.
            UnitFailedError, ModelFailedError: what ended the launch.
        """
        found = self.kernel(kernel) if isinstance(kernel, str) else kernel
        arguments = pack_arguments(found, args)
        if grid is None or workgroup is None:
            derived = describe_kernel(found.name).geometry({**_integers(found, args), **(sizes or {})})
            grid, workgroup = grid or derived[0], workgroup or derived[1]
        request = gpu_model_pb2.LaunchRequest(
            kernel=found.id,
            grid=grid,
            workgroup=workgroup,
            arguments=arguments,
            dynamic_lds_bytes=dynamic_lds_bytes,
            label=label or found.name,
            cold=cold,
            profile=profile or self.profiled(found.name),
        )
        if schedule is not None:
            request.schedule.CopyFrom(schedule_message(schedule))
        if prefetch is not None:
            request.prefetch.append(prefetch_message(prefetch))
        recorder = self.recorder
        if recorder is not None and recorder.wants(found.name):
            result = recorder.record(self, found, request, lambda: self._run(found, request))
        else:
            result = self._run(found, request)
        self.launches.append(result)
        return result

    def record_capsule(self, directory: Path | str, *, kernel: str | None = None, number: int = 1) -> LaunchRecorder:
        """Write one of the launches to come as a capsule (docs/capsules.md): the `number`-th, of `kernel` where given.

        Raises:
            ConfigurationError: where the folder holds a capsule already.
        """
        recorder = LaunchRecorder(directory, kernel=kernel, number=number)
        self.recorder = recorder  # type: ignore[misc] # this session's own
        return recorder

    def _run(self, kernel: Kernel, request: Any) -> LaunchResult:
        self._check_open()
        begin, began = time.perf_counter(), time.time_ns()
        result = None
        with self._connection.under_way(self._stub.Launch(request)) as updates:
            for update in updates:
                if update.WhichOneof("body") == "result":
                    result = update.result
                elif self.on_progress is not None:
                    self.on_progress(launch_progress(request.label, update.progress))
        if result is None:
            raise ModelFailedError(f"the GPU model ended the launch of {request.label} without a result")
        return launch_result(
            kernel.name,
            request.label,
            result,
            LaunchMetrics(result.metrics, self._metric_names),
            began,
            time.perf_counter() - begin,
        )

    # Units

    @property
    def units(self) -> dict[UnitKind, AttachedUnit]:
        """The units in their seats."""
        return self._attachments.units

    def attach(self, choice: UnitChoice) -> AttachedUnit | None:
        """Fill a seat; return the unit, or None where the seat is to stay empty.

        Raises:
            ConfigurationError: for a unit that can't be found or refuses its parameters.
            UnitFailedError: where it does not start or fails in the handshake.
        """
        return self._attachments.attach(choice)

    def detach(self, kind: UnitKind) -> dict[str, float]:
        """End a unit's stream and its process; return its counters."""
        return self._attachments.detach(kind)

    def watch(self, matrix: Matrix) -> WatchedTensor:
        """Let the monitor count the zeros of a matrix from now on."""
        reply = self._call(self._stub.WatchTensor, gpu_model_pb2.WatchTensorRequest(tensor=matrix.message()))
        return WatchedTensor(self, matrix, reply.id)

    def view(self, matrix: Tiled, format_name: str = "ellpack_dib") -> CompactedView:
        """Map a compacted view of a matrix; while it exists, kernels can't store to the matrix's array."""
        size = slot_bytes(format_name, matrix.tile_rows, matrix.tile_columns)
        request = gpu_model_pb2.CreateViewRequest(tensor=matrix.message(), format=format_name, slot_bytes=size)
        view = self._call(self._stub.CreateView, request).view
        return CompactedView(self, matrix, view.id, view.address, view.slot_bytes)

    def read_counts(self, watched: Sequence[WatchedTensor], *, on_chip: bool = False) -> list[Counts]:
        """Read the monitor's registers of tensors in one burst; what it takes passes in virtual time once.

        Args:
            watched: one or more tensors.
            on_chip: another unit of the GPU reads, so that nothing goes over the host link.
        """
        numbers = [tensor.id for tensor in watched]
        request = gpu_model_pb2.ReadCountsRequest(tensor=numbers[0], further=numbers[1:], on_chip=on_chip)
        reply = self._call(self._stub.ReadCounts, request)
        return [Counts.of_message(counts, reply.cycles) for counts in (reply.counts, *reply.further)]

    def _unwatch(self, number: int) -> None:
        if not self._closed:
            self._call(self._stub.UnwatchTensor, gpu_model_pb2.UnwatchTensorRequest(id=number))

    def _destroy_view(self, number: int) -> ViewTraffic:
        if self._closed:
            return ViewTraffic(0, 0, 0)
        reply = self._call(self._stub.DestroyView, gpu_model_pb2.DestroyViewRequest(id=number))
        return ViewTraffic(reply.conversions, reply.dense_bytes, reply.encoded_bytes)

    # The job

    @contextlib.contextmanager
    def layer(self, label: str) -> Iterator[None]:
        """Mark a layer of the job, for units and traces."""
        begin = self._call(self._stub.MarkLayer, gpu_model_pb2.MarkLayerRequest(begin=True, label=label))
        yield
        end = self._call(self._stub.MarkLayer, gpu_model_pb2.MarkLayerRequest(begin=False, label=label))
        self.layers.append(LayerSpan(label, begin.time_ps, end.time_ps))

    @contextlib.contextmanager
    def changed(self, choices: Sequence[UnitChoice]) -> Iterator[None]:
        """Exchange units for a while, and bring the others back, as new ones, afterwards.

        A monitor that comes learns of all watched tensors, with the counts that they have then. Views must not be open.
        """
        before = self._attachments.exchange({choice.kind: choice for choice in choices})
        yield
        self._attachments.exchange(before)

    def snapshot(self, kind: UnitKind) -> bytes:
        """Return the state of the unit in a seat."""
        snapshot: bytes = self._call(
            self._stub.SnapshotUnit, gpu_model_pb2.SnapshotUnitRequest(seat=self._attachments.seat(kind))
        ).snapshot
        return snapshot

    def restore(self, kind: UnitKind, snapshot: bytes) -> None:
        """Return the unit in a seat to a state that it, or one like it, was in."""
        request = gpu_model_pb2.RestoreUnitRequest(seat=self._attachments.seat(kind), snapshot=snapshot)
        self._call(self._stub.RestoreUnit, request)

    def statistics(self) -> SessionStatistics:
        """Return what the session did so far."""
        return session_statistics(self._call(self._stub.Statistics, gpu_model_pb2.StatisticsRequest()))

    def unit_times(self) -> list[UnitTimes]:
        """Return what every unit did, detached ones first; they have handled all they were sent when this returns."""
        reply = self._call(self._stub.Statistics, gpu_model_pb2.StatisticsRequest())
        return [unit_times(seat) for seat in reply.seats]

    def unit_spans(self) -> list[UnitSpans]:
        """Return when every unit was sent what, detached ones first, and when the model stood still for it."""
        reply = self._call(self._stub.Timeline, gpu_model_pb2.TimelineRequest())
        return [unit_spans(seat) for seat in reply.seats]


def _integers(kernel: Kernel, args: Mapping[str, Any] | Sequence[Any]) -> dict[str, int]:
    """Return the integer arguments by name, which a shipped kernel's grid is computed from."""
    values = args if isinstance(args, Mapping) else dict(zip((a.name for a in kernel.arguments), args, strict=False))
    return {name: int(value) for name, value in values.items() if isinstance(value, (int, np.integer))}


def _toml_value(value: Any) -> str:
    """Return a parameter's value as TOML text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)

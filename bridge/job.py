"""The job of `spartan run`: a photograph through layers and back, each phase dense and with Spartan, all verified."""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge._version import __version__
from bridge.array import DeviceArray
from bridge.config import ConvLayer, ReluLayer, RunConfig
from bridge.errors import SpartanError
from bridge.layers import conv, relu
from bridge.layers.operation import Measurement, Operation
from bridge.metrics import write_metrics
from bridge.photo import load_photo
from bridge.reference.convolution import compare, expected, useful_macs
from bridge.results import Cost, Events, LayerResult, MonitorResult, Results, UnitResult, UnitTimesResult, Wall
from bridge.session import CoSimulation
from bridge.tensors import Matrix, WatchedTensor
from bridge.trace import run_timeline
from bridge.units import UnitChoice
from spartan_units.types import UnitKind

__all__ = ["Job", "run_job"]

_TILE = 32


@dataclass
class _Stage:
    """A layer on its way through the job: its input and output, and for a convolution its filters."""

    layer: ConvLayer | ReluLayer
    x: DeviceArray
    y: DeviceArray
    shape: conv.ConvolutionShape | None = None
    layouts: conv.FilterLayouts | None = None
    bias: DeviceArray | None = None


class Job:
    """One run of a configuration in a session.

    Attributes:
        layers, monitor: results so far.
        on_step: called with the label of each operation before it runs.
    """

    def __init__(self, session: CoSimulation, config: RunConfig, photo: NDArray[np.float32]) -> None:
        """Prepare; `photo` is the input, NCHW."""
        self._session = session
        self._config = config
        self._photo = photo
        self._random = np.random.default_rng(config.seed)
        self.layers: list[LayerResult] = []
        self.monitor: list[MonitorResult] = []
        self.on_step: Callable[[str], None] = lambda _: None

    @property
    def steps(self) -> int:
        """Number of labels that `on_step` will be called with."""
        return sum(len(layer.phases) if isinstance(layer, ConvLayer) else 2 for layer in self._config.layers)

    def run(self) -> None:
        """Run all layers forward, then backward."""
        x = self._session.array(self._photo, name="x")
        stages: list[_Stage] = []
        for layer in self._config.layers:
            stage = self._conv_forward(layer, x) if isinstance(layer, ConvLayer) else self._relu_forward(layer, x)
            stages.append(stage)
            x = stage.y
        dy = self._session.array(self._random.standard_normal(x.shape).astype(np.float32), name="dy")
        counts: WatchedTensor | None = None
        for stage in reversed(stages):
            if isinstance(stage.layer, ConvLayer):
                dy, counts = self._conv_backward(stage, dy, counts), None
            else:
                dy, counts = self._relu_backward(stage, dy)

    def _measure(self, operation: Operation) -> Measurement:
        for _ in range(self._config.warmup):
            operation.run()
        return operation.run()

    def _speedup(self, dense: Measurement, spartan: Measurement) -> float | None:
        return dense.cycles / spartan.cycles if spartan.cycles else None

    # Convolution

    def _conv_forward(self, layer: ConvLayer, x: DeviceArray) -> _Stage:
        images, channels, height, width = x.shape
        shape = conv.ConvolutionShape(
            images, channels, height, width, layer.filters, layer.size, layer.size, layer.stride, layer.stride,
            layer.padding, layer.padding, layer.dilation, layer.dilation, layer.groups,
        )  # fmt: skip
        deviation = np.sqrt(2.0 / shape.taps)  # He et al. 2015
        w = (self._random.standard_normal(shape.filter_shape) * deviation).astype(np.float32)
        bias = self._random.normal(layer.bias_mean, layer.bias_deviation, layer.filters).astype(np.float32)
        filters = self._session.array(w, name=f"{layer.name} w")
        stage = _Stage(layer, x, x, shape, bias=self._session.array(bias, name=f"{layer.name} bias"))
        stage.layouts = conv.FilterLayouts(self._session, shape, filters, layer.name)
        stage.y = self._session.empty(shape.output_shape, name=f"{layer.name} y")
        if "forward" in layer.phases:
            y = self._conv_phase(stage, "forward", None, None)
        else:
            y = expected("forward", shape, x=x.numpy(), w=w, bias=bias).value
        stage.y.write(y)
        return stage

    def _conv_backward(self, stage: _Stage, dy: DeviceArray, counts: WatchedTensor | None) -> DeviceArray:
        assert isinstance(stage.layer, ConvLayer)
        assert stage.shape is not None
        for phase in ("filter_gradient", "data_gradient"):
            if phase in stage.layer.phases:
                result = self._conv_phase(stage, phase, dy, counts)
        if "data_gradient" not in stage.layer.phases:
            result = np.zeros(stage.shape.input_shape)
        return self._session.array(result.astype(np.float32), name=f"{stage.layer.name} dx")

    def _conv_phase(
        self, stage: _Stage, phase: str, dy: DeviceArray | None, counts: WatchedTensor | None
    ) -> NDArray[Any]:
        layer, shape, layouts = stage.layer, stage.shape, stage.layouts
        assert isinstance(layer, ConvLayer)
        assert shape is not None
        assert layouts is not None
        label = f"{layer.name} {phase}"
        self.on_step(label)
        operands: dict[str, Any] = {"x": stage.x, "layouts": layouts, "dy": dy, "bias": stage.bias}
        host_x, host_dy = stage.x.numpy(), None if dy is None else dy.numpy()
        host_bias = None if stage.bias is None else stage.bias.numpy()
        reference = expected(phase, shape, x=host_x, w=layouts.filters.numpy(), dy=host_dy, bias=host_bias)
        operand = {"forward": "x", "data_gradient": "dy", "filter_gradient": layer.sparse_operand}[phase]
        with self._session.changed(layer.choices(phase, self._config.tls)), self._session.layer(label):
            with conv.dense(phase, self._session, layer.name, shape, **operands) as operation:
                dense = self._measure(operation)
                dense_result = operation.output.numpy()
            options: dict[str, Any] = {"dy_counts": counts, "sparse_operand": layer.sparse_operand}
            with conv.spartan(phase, self._session, layer.name, shape, **operands, **options) as operation:
                spartan = self._measure(operation)
                spartan_result = operation.output.numpy()
        checks = [compare(dense_result, reference), compare(spartan_result, reference)]
        macs, useful = useful_macs(shape, operand, x=host_x, dy=host_dy)
        self.layers.append(
            LayerResult(
                name=layer.name,
                kind="conv",
                phase=phase,
                shape=_named(shape),
                density=useful / macs,
                sparse_operand=operand,
                macs=macs,
                useful_macs=useful,
                ideal_speedup=macs / useful if useful else None,
                dense=Cost.of(dense),
                spartan=Cost.of(spartan),
                speedup=self._speedup(dense, spartan),
                verified=all(within for within, _ in checks),
                max_abs_error=max(error for _, error in checks),
            )
        )
        return dense_result

    # ReLU

    def _relu_forward(self, layer: ReluLayer, x: DeviceArray) -> _Stage:
        operation = relu.relu_forward(self._session, layer.name, x)
        self._relu_phase(layer, "forward", operation, np.maximum(x.numpy(), np.float32(0)), None)
        return _Stage(layer, x, operation.output)

    def _relu_backward(self, stage: _Stage, dy: DeviceArray) -> tuple[DeviceArray, WatchedTensor | None]:
        operation = relu.relu_backward(self._session, stage.layer.name, stage.y, dy)
        correct = np.where(stage.y.numpy() > 0, dy.numpy(), np.float32(0))
        watched = self._relu_phase(stage.layer, "data_gradient", operation, correct, operation.output)
        return operation.output, watched

    def _relu_phase(
        self, layer: ConvLayer | ReluLayer, phase: str, operation: Operation, correct: NDArray[Any], keep: object
    ) -> WatchedTensor | None:
        """Run a ReLU unwatched, then watched; return the watched tensor, which lives on where `keep` is not None."""
        label = f"{layer.name} {phase}"
        self.on_step(label)
        output = operation.output
        images, channels, height, width = output.shape
        # As the data gradient's sparse GEMM reads it; rows are channels of images.
        matrix = Matrix(output, images * channels, height * width, height * width, 1, _TILE, _TILE)
        watched: WatchedTensor | None = None
        read = 0
        with self._session.changed(layer.choices(phase, self._config.tls)), self._session.layer(label):
            plain = spartan = self._measure(operation)
            if UnitKind.MONITOR in self._session.units:
                watched = self._session.watch(matrix)
                spartan = self._measure(operation)
                counts = watched.read_counts()
                read = counts.cycles
                spartan = Measurement(spartan.launches, read)
        result = output.numpy()
        nonzeros = int(np.count_nonzero(result))
        if watched is not None:
            with relu.software_zero_count(self._session, label, output) as software:
                counted = self._measure(software)
                in_software = int(software.output.numpy().sum())
            self.monitor.append(
                MonitorResult(
                    tensor=output.name,
                    elements=counts.elements,
                    zeros=counts.zeros,
                    density=counts.density,
                    exact=counts.zeros == output.size - nonzeros == in_software,
                    stall_cycles=spartan.cycles - read - plain.cycles,
                    register_cycles=read,
                    software_cycles=counted.cycles or None,
                )
            )
            if keep is None:
                watched.close()
                watched = None
        self.layers.append(
            LayerResult(
                name=layer.name,
                kind="relu",
                phase=phase,
                shape={"images": images, "channels": channels, "height": height, "width": width},
                density=nonzeros / output.size,
                sparse_operand=None,
                macs=0,
                useful_macs=0,
                ideal_speedup=None,
                dense=Cost.of(plain),
                spartan=Cost.of(spartan),
                speedup=self._speedup(plain, spartan),
                verified=bool(np.array_equal(result, correct)),
                max_abs_error=float(np.abs(result - correct).max(initial=0.0)),
            )
        )
        return watched


def _named(shape: conv.ConvolutionShape) -> dict[str, int]:
    return {name: getattr(shape, name) for name in shape.__dataclass_fields__} | {
        "out_height": shape.out_height,
        "out_width": shape.out_width,
    }


def _keep(job: Job, error: SpartanError, path: Path) -> None:
    """Write the results of the layers that were finished before a failure."""
    kept = {
        "error": str(error),
        "exit_code": error.exit_code,
        "layers": [layer.model_dump(mode="json") for layer in job.layers],
        "monitor": [tensor.model_dump(mode="json") for tensor in job.monitor],
    }
    with contextlib.suppress(OSError):  # the failure itself is what the user must hear of
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def run_job(
    config: RunConfig,
    folder: Path,
    *,
    units: tuple[UnitChoice, ...] = (),
    log: Path | None = None,
    out: Path | None = None,
    record: Path | None = None,
    on_start: Callable[[CoSimulation, Job], None] = lambda *_: None,
) -> Results:
    """Run a configuration in a session of its own and return what came of it.

    Args:
        config: the job.
        folder: where relative paths in it start.
        units: choices that take precedence over the configuration's.
        log: file for what the processes say beyond one sentence.
        out: folder that receives metrics.sqlite3 and trace.json; after a failure partial.json, with the layers that
            were finished.
        record: new or empty folder that receives all events and replies.
        on_start: called before the first step, to set callbacks on session and job.
    """
    begin = time.perf_counter()
    photo = load_photo(config.input, folder)
    with CoSimulation(
        gpu=config.gpu.preset,
        gpu_set=config.gpu.set,
        mode=config.mode,
        backend=config.backend,
        kernels=config.kernels,
        units=config.choices(units),
        host_threads=config.host_threads,
        reply_deadline_s=config.reply_deadline_s,
        record=record,
        log=log,
    ) as session:
        job = Job(session, config, photo)
        on_start(session, job)
        try:
            job.run()
        except SpartanError as error:
            if out is not None:
                _keep(job, error, out / "partial.json")
            raise
        statistics = session.statistics()
        attached = list(session.units.values())
        counters = {unit.kind: session.detach(unit.kind) for unit in attached}
        times = session.unit_times()
        if out is not None:
            write_metrics(out / "metrics.sqlite3", session.launches, parameters=session.parameters)
            run_timeline(session.launches, session.layers, session.unit_spans()).write(out / "trace.json")
        total = time.perf_counter() - begin
        return Results(
            name=config.name,
            mode=config.mode,
            versions={
                "spartan-cosim": __version__,
                "gpu_model": f"{session.model} {session.model_version}",
                "python": platform.python_version(),
                "numpy": np.__version__,
            },
            gpu={"preset": config.gpu.preset, "clock_hz": session.clock_hz, "parameters": session.parameters},
            units=[
                UnitResult(
                    kind=unit.kind.value,
                    name=unit.name,
                    version=unit.version,
                    placement=unit.placement,
                    parameters=dict(unit.parameters),
                    counters=counters[unit.kind],
                )
                for unit in attached
            ],
            layers=job.layers,
            monitor=job.monitor,
            events=Events(posted=statistics.posted, requests=statistics.requests, batches=statistics.batches),
            wall=Wall(
                model_s=statistics.model_s,
                wait_s=statistics.wait_s,
                units_s=statistics.units_s,
                bridge_s=max(0.0, total - statistics.model_s - statistics.wait_s),
                total_s=total,
            ),
            unit_times=[UnitTimesResult.of(unit) for unit in times],
            trace_hash=statistics.trace_hash,
        )

"""Whole networks layer by layer: a run that can be ended at any time and goes on where it was.

First the network runs once in functional mode, and every layer's inputs and output gradient go to files. Then each
layer is measured by itself, with these data, in a session of its own; its rows are kept as soon as they are known.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.dnnmark.benchmark import Phases, Row, SpartanFigures, run_network, run_primitives
from bridge.dnnmark.network import Network, Node
from bridge.errors import ConfigurationError
from bridge.layers.network import DeviceNetwork, Draw, PlacedPrimitive, gradient_sum
from bridge.session import CoSimulation

__all__ = ["run_one_layer", "run_resumable"]

_JOB, _TENSORS, _ROWS = "job.json", "tensors", "rows"


def run_resumable(
    folder: Path,
    network: Network,
    *,
    open_session: Callable[[str], CoSimulation],
    options: dict[str, Any],
    iterations: int,
    warmup: int,
    seed: int,
    draw: Draw,
    on_row: Callable[[Row], None],
) -> list[Row]:
    """Run a composed network layer by layer; return all rows, those of earlier calls included.

    The sums of gradients where two layers read one output come with the layer that they arrive at.

    Args:
        folder: keeps the job, the tensors and the rows.
        network: composed.
        open_session: opens a session, "functional" without units or as the job wants it ("").
        options: all that the result depends on; a later call must have the same.
        iterations: measured runs of each primitive.
        warmup: runs before these.
        seed: of data and parameters.
        draw: makes the network's input and the gradient of its output.
        on_row: called with each row as soon as it is known.

    Raises:
        ConfigurationError: where the folder holds another job, or the network's layers do not feed each other.
    """
    if not network.composed:
        raise ConfigurationError(f"{network.file}: only run_mode = composed can be run layer by layer")
    _claim(folder, {**options, "layers": [_described(node) for node in network.nodes]})
    if not (folder / _TENSORS / "complete").exists():
        _record_tensors(folder / _TENSORS, network, open_session, seed, draw)
    rows: list[Row] = []
    (folder / _ROWS).mkdir(exist_ok=True)
    for index, node in enumerate(network.nodes):
        path = folder / _ROWS / f"{index:03d}.json"
        if path.exists():
            found = [_row(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
            for row in found:
                on_row(row)
        else:
            with open_session("") as session:
                found = run_network(
                    session,
                    _alone(network, node),
                    iterations=iterations,
                    warmup=warmup,
                    seed=seed,
                    draw=_in_order(lambda layer, what: np.load(folder / _TENSORS / _file_name(layer, what))),
                    on_row=on_row,
                )
                found += _run_sums(session, node, folder / _TENSORS, iterations, warmup, on_row)
            _write(path, json.dumps([asdict(row) for row in found], indent=1).encode())
        rows += found
    return rows


def run_one_layer(
    network: Network,
    name: str,
    *,
    open_session: Callable[[str], CoSimulation],
    iterations: int,
    warmup: int,
    phases: Phases,
    seed: int,
    draw: Draw,
    on_row: Callable[[Row], None],
) -> list[Row]:
    """Measure one layer of a network with what it reads there, from a functional run of the whole.

    Arguments are those of `run_resumable` and `run_network`.

    Raises:
        ConfigurationError: for a layer that the network does not have.
    """
    node = network[name]
    held: dict[tuple[str, str], NDArray[np.float32]] = {}

    def keep(layer: str, what: str, values: NDArray[np.float32]) -> None:
        if layer == name:
            held[layer, what] = values

    with open_session("functional") as session:
        _compute_tensors(session, network, seed, draw, keep, wanted={name}, backward=phases != "forward")
    with open_session("") as session:
        return run_network(
            session,
            _alone(network, node),
            iterations=iterations,
            warmup=warmup,
            phases=phases,
            seed=seed,
            draw=_in_order(lambda layer, what: held[layer, what]),
            on_row=on_row,
        )


def _run_sums(
    session: CoSimulation, node: Node, tensors: Path, iterations: int, warmup: int, on_row: Callable[[Row], None]
) -> list[Row]:
    """Measure the sums of gradients that arrive at a node, on what they added in the run of the whole."""
    placed: list[PlacedPrimitive] = []
    recorded = (tensors / _file_name(node.name, f"sum{number}a") for number in itertools.count())
    with contextlib.ExitStack() as stack:
        for number, first in enumerate(itertools.takewhile(Path.exists, recorded)):
            paths = (first, tensors / _file_name(node.name, f"sum{number}b"))
            a, b = (stack.enter_context(_array(session, path)) for path in paths)
            placed.append(gradient_sum(session, node, a, b))
            stack.callback(placed[-1].primitive.operation.close)
        return run_primitives(session, placed, iterations=iterations, warmup=warmup, on_row=on_row)


@contextlib.contextmanager
def _array(session: CoSimulation, path: Path) -> Iterator[DeviceArray]:
    made = session.array(np.load(path), name=path.stem)
    yield made
    made.free()


def _alone(network: Network, node: Node) -> Network:
    return Network(network.file, False, (Node(node.layer, (), node.input_shape, node.output_shape),))


def _described(node: Node) -> dict[str, Any]:
    """Return what a node's results depend on, as JSON types."""
    described = node.layer.model_dump(exclude={"line"})
    shapes = [list(node.input_shape), list(node.output_shape)]
    return {"section": node.layer.section, **described, "inputs": list(node.inputs), "shapes": shapes}


def _claim(folder: Path, job: dict[str, Any]) -> None:
    path = folder / _JOB
    text = json.dumps(job, indent=1)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ConfigurationError(f"{folder} holds the results of another job; choose another folder or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, text.encode())
    except OSError as error:
        raise ConfigurationError(f"the folder {folder} can't be written: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def _file_name(layer: str, what: str) -> str:
    """Return a file name for a tensor; a layer's name may hold any character."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in layer)
    return f"{safe}-{zlib.crc32(layer.encode()):08x}-{what}.npy"


def _record_tensors(
    folder: Path, network: Network, open_session: Callable[[str], CoSimulation], seed: int, draw: Draw
) -> None:
    folder.mkdir(exist_ok=True)

    def keep(layer: str, what: str, values: NDArray[np.float32]) -> None:
        np.save(folder / _file_name(layer, what), values)

    with open_session("functional") as session:
        _compute_tensors(session, network, seed, draw, keep)
    (folder / "complete").touch()


def _compute_tensors(
    session: CoSimulation,
    network: Network,
    seed: int,
    draw: Draw,
    keep: Callable[[str, str, NDArray[np.float32]], None],
    *,
    wanted: AbstractSet[str] | None = None,
    backward: bool = True,
) -> None:
    """Run a network once and hand over what the layers (or those wanted) read: "input0", "input1", "gradient0".

    Sums of gradients that arrive at a layer add "sum0a" and "sum0b", then "sum1a" and "sum1b", and so on.
    """
    with DeviceNetwork(session, network, seed=seed, draw=draw, backward=backward) as device:
        for placed in (*device.forward, *device.backward):
            placed.primitive.operation.run()
        for name, layer in device.layers.items():
            if wanted is not None and name not in wanted:
                continue
            for number, array in enumerate(layer.inputs):
                keep(name, f"input{number}", array.numpy())
            if name in device.output_gradients:
                keep(name, "gradient0", device.output_gradients[name].numpy())
            sums = (p.primitive for p in device.backward if (p.layer, p.primitive.label) == (name, "SumBwd"))
            for number, primitive in enumerate(sums):
                for which, array in zip("ab", primitive.inputs, strict=True):
                    keep(name, f"sum{number}{which}", array.numpy())


def _in_order(read: Callable[[str, str], NDArray[np.float32]]) -> Draw:
    """Return what reads a layer's tensors; a layer with two inputs asks for one after the other."""
    asked: dict[tuple[str, str], int] = {}

    def draw(node: Node, what: str, shape: tuple[int, ...], _: np.random.Generator) -> NDArray[np.float32] | None:
        if what not in ("input", "gradient"):
            return None
        number = asked.get((node.name, what), 0)
        asked[node.name, what] = number + 1
        return read(node.name, f"{what}{number}").reshape(shape)

    return draw


def _row(entry: dict[str, Any]) -> Row:
    figures = entry.pop("spartan")
    return Row(**entry, spartan=None if figures is None else SpartanFigures(**figures))

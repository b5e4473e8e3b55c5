"""The layers of a file with their shapes: a chain, or with residual connections a graph."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.dnnmark.layers import Add, Layer, Shape
from bridge.dnnmark.parser import Description
from bridge.errors import ConfigurationError

__all__ = ["Network", "Node"]


@dataclass(frozen=True)
class Node:
    """A layer in its place.

    Attributes:
        layer: its description.
        inputs: names of the layers whose outputs it reads: one, two for Add, none where its data is drawn.
        input_shape, output_shape: NCHW.
    """

    layer: Layer
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name


@dataclass(frozen=True)
class Network:
    """Nodes in file order, every input before its reader.

    Attributes:
        file: where they come from.
        composed: whether layers feed each other.
        nodes: the nodes.
    """

    file: str
    composed: bool
    nodes: tuple[Node, ...]

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        near = difflib.get_close_matches(name, [node.name for node in self.nodes], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(node.name for node in self.nodes)}"
        raise ConfigurationError(f"{self.file}: there is no layer {name!r}; {hint}")

    def readers(self, name: str) -> list[Node]:
        """Return the nodes that read the output of `name`, in file order; one that reads it twice is there twice."""
        return [node for node in self.nodes for source in node.inputs if source == name]

    @classmethod
    def from_description(cls, description: Description, overrides: Mapping[str, int] | None = None) -> Network:
        """Connect the layers and derive all shapes.

        Args:
            description: the file.
            overrides: n, c, h or w in place of what the file states, for every layer that states its input.

        Raises:
            ConfigurationError: where a layer lacks its input, names an unknown one or does not fit it.
        """
        composed = description.run_mode == "composed"
        nodes: dict[str, Node] = {}
        for layer in description.layers:
            where = f"{description.file}:{layer.line}: layer {layer.name!r}"
            if layer.input_given:
                inputs, shape = _first(layer, composed, where, overrides or {})
            elif not composed:
                raise ConfigurationError(f"{where} must state n, c, h and w where run_mode is {description.run_mode}")
            else:
                inputs, shape = _following(layer, nodes, where)
            try:
                nodes[layer.name] = Node(layer, inputs, shape, layer.output_shape(shape))
            except ValueError as error:
                raise ConfigurationError(f"{where}: {error}") from None
        return cls(description.file, composed, tuple(nodes.values()))


def _first(layer: Layer, composed: bool, where: str, overrides: Mapping[str, int]) -> tuple[tuple[str, ...], Shape]:
    if composed and layer.previous_layer is not None:
        raise ConfigurationError(
            f"{where} states n, c, h and w and follows {layer.previous_layer!r}; a layer does one or the other"
        )
    n, c, h, w = (overrides.get(key, getattr(layer, key)) for key in "nchw")
    return (), (n, c, h, w)


def _following(layer: Layer, nodes: Mapping[str, Node], where: str) -> tuple[tuple[str, ...], Shape]:
    if layer.previous_layer is None:
        raise ConfigurationError(f"{where} needs n, c, h and w, or a previous_layer")
    inputs = [layer.previous_layer]
    if isinstance(layer, Add):
        if layer.residual_layer is None:
            raise ConfigurationError(f"{where} needs a residual_layer")
        inputs.append(layer.residual_layer)
    shapes = []
    for source in inputs:
        if source not in nodes:
            near = difflib.get_close_matches(source, nodes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "a layer must stand above the one that reads it"
            raise ConfigurationError(f"{where}: there is no layer {source!r} above it; {hint}")
        shapes.append(nodes[source].output_shape)
    if shapes[0] != shapes[-1]:
        raise ConfigurationError(
            f"{where} adds {inputs[0]!r} of shape {list(shapes[0])} and {inputs[1]!r} of shape {list(shapes[1])}; "
            "they must be equal"
        )
    return tuple(inputs), shapes[0]

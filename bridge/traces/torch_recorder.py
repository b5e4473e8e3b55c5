"""Records layers of a PyTorch model in training: activations, gradients, weights, and the densities of all steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import ConfigurationError
from bridge.traces.densities import DensityLog
from bridge.traces.tensors import TraceWriter

if TYPE_CHECKING:
    import torch

__all__ = ["TorchRecorder"]


class TorchRecorder:
    """Hooks on the layers of a model, from entering the context to leaving it.

    Call `record` after each backward pass, before the optimiser's step:

        with TorchRecorder(model) as recorder:
            for step, (x, labels) in enumerate(batches):
                loss(model(x), labels).backward()
                recorder.record(step, trace=Path("step100.safetensors") if step == 100 else None)
                optimiser.step()
        recorder.densities.save(Path("densities.parquet"))

    A layer that runs several times in a pass keeps its last run. Names are those of `named_modules`.

    Attributes:
        densities: of input, output and gradient of every layer at each recorded step.
    """

    def __init__(self, model: torch.nn.Module, layers: Sequence[str] | None = None) -> None:
        """Choose the layers.

        Args:
            model: the model.
            layers: names of the modules to record; None for all that have no submodules.

        Raises:
            ConfigurationError: for a name that the model does not have.
        """
        modules = dict(model.named_modules())
        unknown = [name for name in layers or () if name not in modules]
        if unknown:
            raise ConfigurationError(
                f"the model has no layer {unknown[0]!r}; it has {', '.join(n for n in modules if n)}"
            )
        leaves = [name for name, module in modules.items() if name and not any(module.children())]
        self._modules = {name: modules[name] for name in (leaves if layers is None else layers)}
        self._tensors: dict[tuple[str, str], NDArray[np.float32]] = {}
        self._hooks: list[Any] = []
        self._model = type(model).__name__
        self.densities = DensityLog()

    def __enter__(self) -> TorchRecorder:
        for name, module in self._modules.items():
            self._hooks.append(module.register_forward_hook(self._forward(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def record(self, step: int, *, trace: Path | None = None, patterns_only: bool = False) -> None:
        """Add the densities of the last pass, and with `trace` write its tensors to a file.

        Args:
            step: number of the training step.
            trace: the `.safetensors` file.
            patterns_only: write zero patterns of activations and gradients instead of their values, a bit an element.

        Raises:
            ConfigurationError: where no pass ran since the hooks were set.
        """
        if not self._tensors:
            raise ConfigurationError("nothing was recorded: run the model inside the recorder's context")
        for (layer, what), values in self._tensors.items():
            self.densities.record(step, layer, what, values)
        if trace is not None:
            writer = TraceWriter(trace, model=self._model, source="PyTorch", step=step)
            for (layer, what), values in self._tensors.items():
                writer.add(layer, what, values, pattern_only=patterns_only)
            for layer, module in self._modules.items():
                for what, parameter in (("weights", "weight"), ("bias", "bias")):
                    found = getattr(module, parameter, None)
                    if found is not None:
                        writer.add(layer, what, _array(found))
            writer.save()
        self._tensors.clear()

    def _forward(self, name: str) -> Any:
        def hook(_module: Any, inputs: tuple[Any, ...], output: Any) -> None:
            self._tensors[name, "input"] = _array(inputs[0])
            self._tensors[name, "output"] = _array(output)
            if output.requires_grad:
                output.register_hook(lambda gradient: self._tensors.__setitem__((name, "gradient"), _array(gradient)))

        return hook


def _array(tensor: Any) -> NDArray[np.float32]:
    """Return a copy on the host: the model may change the tensor in place."""
    values: NDArray[np.float32] = tensor.detach().float().cpu().numpy().copy()
    return values

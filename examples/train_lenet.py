"""Trains LeNet-5 on scikit-learn's digits, every kernel on the simulated GPU, and times steps with and without Spartan.

The 1,797 digits of 8 × 8 pixels come with scikit-learn (pip install 'spartan-cosim[training]'). Training runs in
functional mode, which only computes; every n-th step is repeated in timing mode with the same parameters and batch,
dense, with the three units, and driven by the adaptive framework, which chooses between the two for each layer
and pass by what the monitor counts. The densities of all activations and gradients are recorded at every step.

    python examples/train_lenet.py --out runs/lenet            # trains to 95 % and more in about two epochs
    python examples/train_lenet.py --steps 4 --time-every 2    # a quick look
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bridge import CoSimulation, default_choices
from bridge.adaptive import AdaptiveController, AdaptivePolicy
from bridge.dnnmark import Network, parse_file
from bridge.traces import DensityLog
from bridge.training import Trainer

ROOT = Path(__file__).parents[1]


def digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return images (N × 1 × 28 × 28, standardised) and labels for training, and one fifth of both for the test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.kron(data.images, np.ones((3, 3)))  # 8 × 8 → 24 × 24
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    images = ((images - images.mean()) / images.std()).astype(np.float32)[:, None]
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = order[: len(order) // 5], order[len(order) // 5 :]
    return images[train], data.target[train], images[test], data.target[test]


class Timing:
    """Repeats steps in timing mode, in a session with the three units: dense, with Spartan, and adaptively."""

    def __init__(self, network: Network, rate: float, gpu: str) -> None:
        """Start the session."""
        self._session = CoSimulation(gpu=gpu, units=list(default_choices().values()))
        self._trainer = Trainer(self._session, network, rate=rate)
        self.controller: AdaptiveController | None = None

    def close(self) -> None:
        """End the session."""
        self._trainer.close()
        self._session.close()

    def measure(self, step: int, trainer: Trainer, images: np.ndarray, labels: np.ndarray) -> dict[str, object]:
        """Repeat a step with the parameters that `trainer` has before it; return the step's cycles.

        The adaptive framework drives the step once more: it reads the monitor and chooses for each pass of convolutions
        and fully connected layers. Before the first measured step its break-even densities are measured.
        """
        self._trainer.set_parameters(trainer.parameters())
        if self.controller is None:
            measured = self._trainer.break_evens(images, labels)
            self.controller = AdaptiveController(AdaptivePolicy(break_even_by_phase=measured))
        timed = self._trainer.timed_step(images, labels)
        self._trainer.set_parameters(trainer.parameters())
        adaptive = self._trainer.adaptive_step(images, labels, self.controller, step)
        dense = timed.other_cycles + sum(primitive.dense for primitive in timed.primitives)
        better = [(p.dense, p.dense if p.spartan is None else p.spartan) for p in timed.primitives]
        return {
            "step": step,
            "dense": dense,
            "spartan": timed.other_cycles + sum(with_units for _, with_units in better),
            "adaptive": adaptive.cycles,
            "reading": adaptive.reading_cycles,
            "with_spartan": [f"{layer} {label}" for layer, label in adaptive.sparse],
            "loss": {"dense": timed.result.loss, "adaptive": adaptive.result.loss},
            "primitives": [asdict(primitive) for primitive in timed.primitives],
        }


def record_densities(log: DensityLog, step: int, trainer: Trainer) -> None:
    """Record the density of every layer's output and of the gradient that arrives there."""
    for name, layer in trainer.device.layers.items():
        log.record(step, name, "output", layer.output.numpy())
        if name in trainer.device.output_gradients:
            log.record(step, name, "gradient", trainer.device.output_gradients[name].numpy())


def main() -> None:
    """Train, and write results.json, decisions.json, densities.parquet and training.svg."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("runs/lenet"), help="folder for the results")
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--steps", type=int, default=90, help="training steps")
    options.add_argument("--rate", type=float, default=0.004, help="learning rate; momentum is 0.9")
    options.add_argument("--time-every", type=int, default=15, help="steps between two timed ones, 0 for none")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--gpu", default="r9nano")
    options.add_argument("--csv", action="store_true", help="densities as CSV, without the package pyarrow")
    given = options.parse_args()

    train_x, train_y, test_x, test_y = digits(given.seed)
    description = parse_file(ROOT / "benchmarks" / "dnnmark" / "lenet5.dnnmark")
    network = Network.from_description(description, {"n": given.batch})
    rng = np.random.default_rng(given.seed)
    log, losses, timed = DensityLog(), [], []
    timing = Timing(network, given.rate, given.gpu) if given.time_every else None
    begin = time.perf_counter()
    with CoSimulation(mode="functional") as session, Trainer(session, network, rate=given.rate) as trainer:
        order: list[int] = []
        for step in range(given.steps):
            if len(order) < given.batch:
                order = rng.permutation(len(train_x)).tolist()
            batch, order = order[: given.batch], order[given.batch :]
            images, labels = train_x[batch], train_y[batch]
            if timing is not None and step % given.time_every == 0:
                timed.append(timing.measure(step, trainer, images, labels))
                cycles = {key: timed[-1][key] for key in ("dense", "spartan", "adaptive")}
                print(f"step {step}: cycles {cycles}, with Spartan: {timed[-1]['with_spartan']}", flush=True)
            result = trainer.step(images, labels)
            losses.append(result.loss)
            record_densities(log, step, trainer)
            if step % 5 == 0:
                share = result.correct / given.batch
                print(f"step {step}: loss {result.loss:.4f}, {share:.0%} of the batch correct", flush=True)
        accuracy = float((trainer.predict(test_x) == test_y).mean())
    given.out.mkdir(parents=True, exist_ok=True)
    if timing is not None:
        timing.close()
        if timing.controller is not None:
            timing.controller.write(given.out / "decisions.json")
    print(f"test accuracy {accuracy:.2%} after {given.steps} steps in {time.perf_counter() - begin:.0f} s")

    results = {"test_accuracy": accuracy, "losses": losses, "timed_steps": timed, "batch": given.batch}
    (given.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    log.save(given.out / ("densities.csv" if given.csv else "densities.parquet"))
    draw(given.out / "training.svg", losses, log, timed, accuracy)
    print(f"results: {given.out}/results.json, training.svg and the densities")


def draw(path: Path, losses: list[float], log: DensityLog, timed: list[dict[str, object]], accuracy: float) -> None:
    """Draw loss, densities and cycles over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "spartan"  # the same file for the same figures
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    left.plot(losses)
    left.set(title=f"loss (test accuracy {accuracy:.1%})", xlabel="step", ylabel="cross-entropy", ylim=(0, None))
    for name in ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "fc1", "relu3"):
        for tensor, style in (("output", "-"), ("gradient", ":")):
            rows = [row for row in log.rows if (row.layer, row.tensor) == (name, tensor)]
            if rows and min(row.density for row in rows) < 0.999:
                middle.plot([r.step for r in rows], [r.density for r in rows], style, label=f"{name} {tensor}")
    middle.set(title="density", xlabel="step", ylabel="fraction of non-zeros", ylim=(0, 1))
    middle.legend(fontsize=7, ncols=2, loc="upper right")
    for key, label in (("dense", "dense"), ("spartan", "Spartan everywhere"), ("adaptive", "adaptive")):
        right.plot([entry["step"] for entry in timed], [entry[key] for entry in timed], "o-", label=label)
    right.set(title="cycles of a training step", xlabel="step", ylabel="cycles", ylim=(0, None))
    if timed:
        right.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()

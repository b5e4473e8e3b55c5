"""What to measure: networks, densities, batch and preset, as options say it or as benchmarks/worth.toml lists it."""

from __future__ import annotations

import sys
from pathlib import Path

import pydantic

from bridge.data import DensityTable, Network, Pattern, load_densities, load_network
from bridge.errors import ConfigurationError
from bridge.layers.conv.shape import PHASES
from bridge.worth.cases import Case, cases_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["NETWORKS", "SWEEP", "Selection", "benchmarks_folder", "load_selections"]

NETWORKS = ("alexnet", "resnet18", "vgg16")
SWEEP = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Densities of a sweep."""


def benchmarks_folder() -> Path:
    """Return the folder of network shapes, densities and claims: of the checkout, or of the working directory."""
    for folder in (Path("benchmarks"), Path(__file__).parents[2] / "benchmarks"):
        if (folder / "claims.toml").exists():
            return folder
    raise ConfigurationError("benchmarks/claims.toml is not here: run spartan claims in a checkout")


class Selection(pydantic.BaseModel):
    """Measurements that belong together.

    Attributes:
        networks, layers, phases: what is measured; no layers stands for all.
        densities: each for all layers but the image.
        tables: measure at the density tables of the networks, too.
        images: N.
        gpu: preset.
        software: measure conversion by a kernel, and dense over the engine's im2col view, too.
        profiling: measure the overhead of profiling, too.
        row_imbalance, row_cluster, channel_cluster, seed: of the zeros, see `bridge.data.Pattern`.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    networks: tuple[str, ...] = NETWORKS
    layers: tuple[str, ...] = ()
    phases: tuple[str, ...] = PHASES
    densities: tuple[float, ...] = ()
    tables: bool = False
    images: int = pydantic.Field(default=1, ge=1)
    gpu: str = "r9nano"
    software: bool = False
    profiling: bool = False
    row_imbalance: float = pydantic.Field(default=0.0, ge=0, allow_inf_nan=False)
    row_cluster: float = pydantic.Field(default=0.0, ge=0, lt=1)
    channel_cluster: float = pydantic.Field(default=0.0, ge=0, lt=1)
    seed: int = pydantic.Field(default=1, ge=0)

    @pydantic.field_validator("phases")
    @classmethod
    def _known(cls, phases: tuple[str, ...]) -> tuple[str, ...]:
        for phase in phases:
            if phase not in PHASES:
                raise ValueError(f"a phase is forward, data_gradient or filter_gradient, got {phase!r}")
        return phases

    def load(self, network: str) -> Network:
        """Return the shapes of a network."""
        return load_network(benchmarks_folder() / "networks" / f"{network}.toml")

    def points(self, network: str) -> list[tuple[str, DensityTable | float]]:
        """Return the densities that a network is measured at, each with its name."""
        found: list[tuple[str, DensityTable | float]] = [(f"{value:g}", value) for value in self.densities]
        if self.tables:
            files = sorted((benchmarks_folder() / "densities").glob("*_*.toml"))
            tables = [load_densities(path) for path in files if path.stem != "training_figures"]
            found += [(table.name, table) for table in tables if table.network == network]
        return found

    def cases(self, network: Network, densities: DensityTable | float) -> list[Case]:
        """Return the cases at one point."""
        return cases_of(
            network, densities, images=self.images, layers=self.layers, phases=self.phases, zeros=self.zeros
        )

    @property
    def pattern(self) -> str:
        """Where zeros lie, in words."""
        names = ("row_imbalance", "row_cluster", "channel_cluster")
        found = [f"{name.replace('_', ' ')} {getattr(self, name):g}" for name in names if getattr(self, name)]
        found += [f"seed {self.seed}"] if self.seed != 1 else []
        return ", ".join(found) or "zeros at random"

    @property
    def zeros(self) -> Pattern:
        """Where zeros lie, whatever the density."""
        return Pattern(
            density=1.0, row_imbalance=self.row_imbalance, row_cluster=self.row_cluster,
            channel_cluster=self.channel_cluster, seed=self.seed,
        )  # fmt: skip


def load_selections(path: Path) -> list[Selection]:
    """Return the [[measurement]] entries of a file.

    Raises:
        ConfigurationError: names the file, the entry and the key.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["measurement"]
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigurationError(f"{path}: expected TOML with [[measurement]] entries, {error}") from None
    found = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(Selection.model_validate(entry))
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise ConfigurationError(f"{path}: entry {number}: {key}: {first['msg']}") from None
    return found

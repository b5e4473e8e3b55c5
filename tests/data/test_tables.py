"""The shipped tables are consistent; a broken one is refused by name."""

from pathlib import Path

import pytest

from bridge.data import load_densities, load_network
from bridge.errors import ConfigurationError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NETWORKS = sorted((BENCHMARKS / "networks").glob("*.toml"))
DENSITIES = sorted(p for p in (BENCHMARKS / "densities").glob("*.toml") if p.stem != "training_figures")


@pytest.mark.parametrize("path", NETWORKS, ids=lambda p: p.stem)
def test_networks_add_up(path):
    network = load_network(path)
    assert network.name == path.stem
    assert network.source


@pytest.mark.parametrize("path", DENSITIES, ids=lambda p: p.stem)
def test_densities_belong_to_a_network(path):
    table = load_densities(path)
    network = load_network(BENCHMARKS / "networks" / f"{table.network}.toml")
    assert list(table.layers) == [layer.name for layer in network.layers]
    assert table.source
    assert (table.phase, table.pruned) == ("inference", True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("c = 3,", "c = 4,", "macs don't follow from the shape"),
        ("stride = 4", "stride = 0", "layers.0.stride: Input should be greater than 0"),
        ("stride = 4", "strides = 4", "layers.0"),
        ("total_macs = 1", "total_macs = 2", "not the sum over the layers"),
        ("layers = [", "layers = ", "expected TOML"),
    ],
)
def test_a_broken_network_is_refused(tmp_path, old, new, message):
    text = (BENCHMARKS / "networks" / "alexnet.toml").read_text()
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=message) as raised:
        load_network(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.toml: can't be read"):
        load_densities(tmp_path / "none.toml")

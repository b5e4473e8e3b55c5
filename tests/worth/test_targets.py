"""Which dense cases the target counts: it follows from the geometry alone."""

from __future__ import annotations

import pytest

from bridge.data import load_network
from bridge.worth.cases import cases_of
from bridge.worth.collect import NetworkResult, Point
from bridge.worth.selection import Selection, benchmarks_folder
from bridge.worth.targets import fills_gpu, target_table


@pytest.mark.parametrize(
    ("network", "layer", "images", "filling"),
    [
        (
            "vgg16",
            "conv1_2",
            1,
            "forward data_gradient filter_gradient",
        ),  # 36,864 outputs of 50,176 products: 196 slices
        ("vgg16", "conv5_1", 1, "filter_gradient"),  # 100,352 outputs; 2,359,296 of the filter gradient
        ("alexnet", "conv3", 1, "filter_gradient"),
        ("alexnet", "conv3", 8, "forward data_gradient filter_gradient"),
        ("resnet18", "conv2_1a", 1, "filter_gradient"),
        ("resnet18", "conv5_1b", 8, "filter_gradient"),
        ("resnet18", "conv3_shortcut", 1, ""),
    ],
)
def test_a_phase_fills_the_gpu_by_its_sums(network, layer, images, filling):
    found = load_network(benchmarks_folder() / "networks" / f"{network}.toml")
    cases = cases_of(found, 0.5, images=images, layers=[layer])
    assert [case.phase for case in cases if fills_gpu(case.shape, case.phase)] == filling.split()


def test_both_dense_rows_tell_range_and_number():
    found = load_network(benchmarks_folder() / "networks" / "vgg16.toml")
    cases = cases_of(found, 0.5, layers=["conv1_1", "conv3_1", "conv5_1"], phases=["forward"])
    shares = {"conv1_1": 0.1, "conv3_1": 0.8, "conv5_1": 0.6}  # conv1_1 has 87 M multiply-adds
    records = [
        {
            "verified": True,
            "macs": 4096e6 * shares[case.layer],
            "peak": 4096,
            "dense": {"cycles": 1003600, "tail_cycles": 3600},
        }
        for case in cases
    ]
    points = [Point(str(d), d, "", cases, records, None) for d in (0.55, 1.0)]
    rows = {
        row[0]: row[3:] for row in target_table([NetworkResult(Selection(networks=("vgg16",)), found, points)]).rows
    }
    filling = rows["dense, 100 M multiply-adds and more that fill the GPU, share of peak"]
    assert filling == ("80 % to 80 %, 1 of 1 phases", "yes")
    assert rows["dense, 100 M multiply-adds and more, all, share of peak"] == ("60 % to 80 %, 1 of 2 phases", "no")

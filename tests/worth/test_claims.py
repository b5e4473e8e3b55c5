"""Measured cases, their bounds and sums, and the command that prints them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge.data import Pattern, load_densities, load_network
from bridge.errors import ConfigurationError
from bridge.layers.conv import ConvolutionShape
from bridge.layers.conv.direct import (
    DirectPlan,
    data_gradient_problem,
    forward_problem,
    plan_direct,
    workgroup_tiles,
)
from bridge.worth import Case, Store, bounds, cases_of, load_claims, measure
from bridge.worth.claims import reached_at, summarise
from bridge.worth.plot import plot_sweep
from spartan_units.types import NO_TILE

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


def case(phase="forward", operand="x", density=0.5, **extents):
    shape = ConvolutionShape(
        **{
            "images": 1, "channels": 32, "height": 8, "width": 8, "filters": 64, "filter_height": 3,
            "filter_width": 3, "pad_h": 1, "pad_w": 1, **extents,
        }
    )  # fmt: skip
    return Case("layer", shape, phase, operand, Pattern(density=density), Pattern(density=density, seed=2))


def test_a_case_is_measured_once_and_verified(tmp_path):
    store = Store(tmp_path)
    made = measure(store, "r9nano", case())
    assert made["verified"]
    assert made["macs"] == 64 * 32 * 22 * 22
    assert 0.45 < made["useful_macs"] / made["macs"] < 0.55
    for side in ("dense", "winograd", "spartan"):
        assert made[side]["cycles"] > made[side]["tail_cycles"] > 0
    assert any(kernel.startswith("sparse_plane_conv3_") for kernel in made["spartan"]["kernels"])
    for kept in tmp_path.iterdir():
        kept.write_text(json.dumps(json.loads(kept.read_text()) | {"wall_s": -1}))
    assert measure(store, "r9nano", case())["wall_s"] == -3  # all three taken from the store
    sparser = measure(store, "r9nano", case(density=0.25))
    assert sparser["dense"] == made["dense"]  # does not depend on values
    assert sparser["spartan"]["cycles"] < made["spartan"]["cycles"]
    assert measure(Store(tmp_path, only_stored=True), "r9nano", case(density=0.4)) is None


PARAMETERS = {
    "core.shader_arrays": "16", "core.compute_units_per_array": "4", "core.simds": "4", "core.valu_cycles": "4",
    "l2.banks": "16", "dram.kind": '"ideal"', "dram.requests_per_cycle": "1", "dram.bytes_per_cycle": "512.0",
}  # fmt: skip


def test_bounds_by_hand():
    shape = {"channels": 64, "filters": 128, "height": 56, "width": 56}
    found = bounds(case(**shape, density=0.25), PARAMETERS, macs=4_096_000, useful=1_024_000)
    dense_bytes = 4 * (64 * 56 * 56 + 128 * 56 * 56 + 128 * 64 * 9)
    # DRAM binds both sides: 1,000 and 250 vector cycles are fewer.
    assert (found.ideal, found.resource, found.attainable) == (4.0, "dram", 1.0)
    assert found.dense_cycles == found.sparse_cycles == pytest.approx(dense_bytes / 1024)
    bound_by_vector = bounds(case(**shape, density=0.25), PARAMETERS, macs=4_096_000_000, useful=1_024_000_000)
    assert (bound_by_vector.resource, bound_by_vector.attainable) == ("vector", 4.0)
    half_rate = bounds(case(**shape), {**PARAMETERS, "dram.kind": '"banked"'}, macs=1, useful=1)
    assert half_rate.sparse_cycles == pytest.approx(dense_bytes / 512)


def test_the_cases_of_a_training_step():
    network = load_network(BENCHMARKS / "networks" / "alexnet.toml")
    table = load_densities(BENCHMARKS / "densities" / "timeloop_alexnet.toml")
    cases = cases_of(network, table)
    assert len(cases) == 3 * 5 - 1
    by_name = {(c.layer, c.phase): c for c in cases}
    assert ("conv1", "data_gradient") not in by_name
    assert by_name["conv3", "forward"].density == 0.528
    assert by_name["conv3", "data_gradient"].density == 0.389
    assert by_name["conv3", "filter_gradient"].operand == "dy"
    assert by_name["conv1", "forward"].density == 1.0
    with pytest.raises(ConfigurationError, match="network alexnet has no layer 'conv9'; it has conv1, conv2"):
        cases_of(network, 0.5, layers=["conv9"])


def test_a_density_is_interpolated_linearly_in_time():
    assert reached_at([1.0, 0.5, 0.25], [0.8, 1.6, 3.2], 1.6) == pytest.approx(0.5)
    assert reached_at([1.0, 0.5], [1.0, 2.0], 1 / 0.75) == pytest.approx(0.75)
    assert reached_at([1.0, 0.5], [1.0, 2.0], 4.0) is None
    assert reached_at([1.0, 0.5], [1.2, 2.0], 1.1) == 1.0


def test_a_summary_sums_cycles():
    def record(dense, spartan, macs):
        side = {"tail_cycles": 100, "energy_nj": 2.5}
        return {
            "dense": {"cycles": dense, **side}, "spartan": {"cycles": spartan, **side}, "macs": macs,
            "winograd": {"cycles": 800 if dense < 2000 else 700, **side},
            "useful_macs": macs // 2, "verified": True, "peak": 4096,
            "bounds": {"dense_cycles": 2.0, "sparse_cycles": 1.0},
        }  # fmt: skip

    first = record(1100, 600, 400) | {"software": {"cycles": 900}}  # a side that not every case has
    summary = summarise([100, 300, 100], [first, record(2100, 1100, 1200), None])
    assert dataclasses.astuple(summary)[:9] == (
        3, 2, 0.8, 3200 / 1700, 2.0, 1500 / 1700, 1500 / 1300, 3200 / 1700, {"software": 1100 / 900},
    )  # fmt: skip
    assert summary.energy_nj == 5.0
    assert (summary.ideal, summary.attainable, summary.useful_density) == (2.0, 2.0, 0.5)
    assert summary.attainable_share == pytest.approx(np.sqrt(1 / 500 * 1 / 1000))
    assert summarise([1], [None]) is None


def test_every_claim_names_networks_that_ship():
    for claim in load_claims(BENCHMARKS / "claims.toml"):
        assert all((BENCHMARKS / "networks" / f"{name}.toml").exists() for name in claim.networks)
    assert {claim.value for claim in load_claims(BENCHMARKS / "claims.toml")} == {52.5, 3.4, 2.14, 2.02}


@pytest.mark.parametrize(
    "shape",
    [case(images=2, height=7, width=9).shape, case(pad_h=0, height=5).shape, case(channels=64, groups=2).shape],
)
@pytest.mark.parametrize("plan", [DirectPlan(64, 4, 0, 1), DirectPlan(64, 8, 2, 4), DirectPlan(64, 4, 2, 8)])
def test_work_groups_cover_the_tiles_that_outputs_need(shape, plan):
    problem = forward_problem(shape)
    for group in range(problem.groups):
        listed = workgroup_tiles(problem, plan, group)
        used = set(listed[listed != NO_TILE].tolist())
        needed = set()
        for image, p, r in np.ndindex(problem.images, problem.out_height, 3):
            h = p + r - problem.pad_h
            if 0 <= h < problem.height:
                for tile in range(problem.channel_tiles):
                    channel = (image * problem.groups + group) * problem.channel_tiles + tile
                    needed.add(channel * problem.height + h)
        assert used == needed


def test_direct_problems_are_those_with_a_kernel():
    assert forward_problem(case(stride_h=2).shape) is None
    assert forward_problem(case(channels=24).shape) is None
    assert forward_problem(case(width=240).shape) is None
    assert forward_problem(case(filter_width=5, pad_w=2, width=8).shape) is None
    assert data_gradient_problem(case(pad_h=2, pad_w=2).shape).pad_h == 0
    assert data_gradient_problem(case(filters=40).shape) is None
    plan = plan_direct(forward_problem(case(channels=256, height=14, width=14).shape))
    assert plan.slices % (1 << plan.slice_shift) == 0


def test_a_sweep_is_drawn(tmp_path):
    def one(speedup):
        sides = {"dense": {"cycles": 100 * speedup}, "spartan": {"cycles": 100}, "bounds": {"attainable": speedup}}
        return [{"layer": "conv1", "phase": "forward", **sides}, {"layer": "conv2", "phase": "forward"}]

    path = tmp_path / "sweep.png"
    assert not plot_sweep(path, "net", {0.5: one(1.5)})
    assert plot_sweep(path, "net", {0.5: one(1.5), 0.25: one(2.5)})
    assert path.read_bytes().startswith(b"\x89PNG")


def spartan_claims(*arguments):
    command = [str(Path(sys.executable).parent / "spartan"), "claims", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)


def test_the_command_prints_what_is_stored_and_measures_nothing(tmp_path):
    out = tmp_path / "claims.json"
    page = tmp_path / "page.md"
    page.write_text("as it was")
    arguments = ("--network", "alexnet", "--stored", "--store", str(tmp_path / "none"))
    ended = spartan_claims(*arguments, "--json", str(out), "--markdown", str(page))
    assert ended.returncode == 0, ended.stderr
    assert "nothing is stored for these" in ended.stdout
    (result,) = json.loads(out.read_text())["results"]
    assert (result["network"], result["points"]["timeloop_alexnet"]["summary"]) == ("alexnet", None)
    assert not (tmp_path / "none").exists()
    assert page.read_text() == "as it was"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--network", "lenet"), "lenet.toml: can't be read"),
        (("--phase", "backward"), "a phase is forward, data_gradient or filter_gradient, got 'backward'"),
        (("--layer", "conv9"), "network alexnet has no layer 'conv9'"),
        (("--row-cluster", "1"), "row_cluster: expected a correlation from 0 to below 1, got 1.0"),
        (("--density", "1.5", "--network", "vgg16"), "density: expected a fraction from 0 to 1, got 1.5"),
    ],
)
def test_a_mistake_ends_in_one_sentence(tmp_path, arguments, words):
    ended = spartan_claims("--stored", "--store", str(tmp_path), *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr

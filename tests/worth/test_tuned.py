"""Tuned plans: the shipped table, trials, and the tuner itself."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from bridge import CoSimulation
from bridge.data import Pattern
from bridge.errors import ConfigurationError
from bridge.layers import conv
from bridge.layers.conv import ConvolutionShape
from bridge.layers.conv.direct import DirectPlan, direct_candidates, forward_problem, plan_direct, problem_of
from bridge.layers.conv.plane import PlanePlan, plan_plane, plane_candidates, share_out
from bridge.layers.conv.window import WindowPlan
from bridge.layers.gemm import GemmPlan, gemm_candidates, plan_dense
from bridge.layers.tuned import TABLE, looked_up, read_table, trying
from bridge.reference.convolution import compare, expected
from bridge.worth import Store, measure
from bridge.worth.cases import Case
from bridge.worth.tune import tune_case, write_table

SMALL = ConvolutionShape(1, 16, 8, 8, 32, 3, 3, pad_h=1, pad_w=1)


def test_the_shipped_table_holds_plans_that_are_no_slower_than_the_rule():
    for problem, entry in read_table(TABLE).items():
        makers = {"sparse_conv": DirectPlan, "sparse_plane_conv": PlanePlan, "gemm_window": WindowPlan}
        makers.get(problem.split(" ")[0], GemmPlan)(**entry["plan"])
        assert entry["cycles"] <= entry["rule_cycles"]


def test_a_plan_on_trial_is_used_in_its_context_alone():
    plan = plan_dense(64, 100, 50, gather=True)
    other = dataclasses.asdict(dataclasses.replace(plan, rows=16, columns=128))
    with looked_up() as problems, trying({"gemm_gather 64x100x50": other}):
        assert plan_dense(64, 100, 50, gather=True).columns == 128
    assert problems == ["gemm_gather 64x100x50"]
    assert plan_dense(64, 100, 50, gather=True) == plan


@pytest.mark.parametrize("size", [(64, 3136, 576), (512, 49, 4608), (20, 30, 40), (256, 196, 2304)])
@pytest.mark.parametrize("kernel", ["gemm_scalar", "gemm_gather", "sparse_gemm"])
def test_candidates_are_what_the_kernels_take(kernel, size):
    M, N, K = size
    candidates = gemm_candidates(kernel, M, N, K)
    assert candidates
    for plan in candidates:
        assert kernel == "sparse_gemm" or plan.rows <= M
        assert plan.waves >> plan.column_shift >> plan.slice_shift >= 1
        assert plan.slices(K) == 1 or plan.k_slice % (32 if kernel == "sparse_gemm" else 4) == 0


@pytest.mark.parametrize("phase", ["forward", "data_gradient", "filter_gradient"])
@pytest.mark.parametrize("images", [1, 3])
def test_dense_phases_with_some_rows_whole_and_the_others_split(phase, images):
    shape = ConvolutionShape(images, 66, 9, 7, 80, 3, 3, pad_h=1, pad_w=1)  # channels that gemm_window does not take
    J = shape.outputs
    M, N, K = {"forward": (80, J, 594), "data_gradient": (66, J, 720), "filter_gradient": (80, 594, J)}[phase]
    plan = GemmPlan("gemm_gather", 16, 64, 4, 0, 2, 8, 2, whole=2)
    assert plan.partial_results(K) > 1
    rng = np.random.default_rng(images)
    sizes = {"x": shape.input_shape, "dy": shape.output_shape, "w": shape.filter_shape}
    values = {name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    with CoSimulation() as session:
        arrays = {name: session.array(value, name=name) for name, value in values.items()}
        layouts = conv.FilterLayouts(session, shape, arrays["w"], "split")
        with trying({f"gemm_gather {M}x{N}x{K}": dataclasses.asdict(plan)}):
            operation = conv.dense(phase, session, "split", shape, x=arrays["x"], layouts=layouts, dy=arrays["dy"])
        with operation:
            launched = [launch.kernel for launch in operation.run().launches]
            assert "sum_slices_rows" in launched
            assert compare(operation.output.numpy(), expected(phase, shape, **values))[0]


def test_direct_candidates_split_no_finer_than_channel_tiles_and_rows():
    problem = forward_problem(SMALL)
    for plan in [*direct_candidates(problem), plan_direct(problem)]:
        assert plan.slices <= problem.channel_tiles * problem.filter_height
        assert plan.slices % (1 << plan.slice_shift) == 0


def test_plans_of_small_images_give_every_block_a_work_group():
    problem = problem_of("data_gradient", SMALL)
    plans = plane_candidates(problem)
    assert plan_plane(problem) in plans
    for plan in plans:
        assert -(-problem.out_height // plan.rows) * -(-problem.filters // 64) <= plan.workgroups
    assert plan_plane(problem_of("forward", dataclasses.replace(SMALL, width=16))) is None
    assert plan_plane(problem_of("forward", dataclasses.replace(SMALL, pad_h=2))) is None
    # The words behind the counts of 16 rows belong to the first row.
    assert plan_plane(problem_of("forward", dataclasses.replace(SMALL, height=16))) is None


def test_work_is_shared_out_by_what_it_costs():
    assert share_out([6.0, 3.0, 1.0], 7, 4) == [4, 2, 1]
    assert share_out([6.0, 3.0, 1.0], 64, 4) == [4, 2, 1]  # the longest has as many as it can
    assert share_out([1.0, 1.0], 2, 1) == [1, 1]


@pytest.mark.parametrize("width", [56, 112, 224])
def test_the_largest_work_groups_of_direct_plans_fit_a_compute_unit(width, tmp_path):
    shape = ConvolutionShape(1, 32, 3, width, 64, 3, 3, pad_h=1, pad_w=1)
    problem = forward_problem(shape)
    plan = DirectPlan(64, problem.group_waves[-1], 2, 4)
    case = Case("wide", shape, "forward", "x", Pattern(density=0.4), Pattern(density=0.4))
    with trying({problem.key: dataclasses.asdict(plan)}):
        assert measure(Store(tmp_path), "r9nano", case)["verified"]


def test_the_tuner_keeps_the_fastest(tmp_path):
    case = Case("small", SMALL, "forward", "x", Pattern(density=0.4), Pattern(density=0.4))
    trials = []
    known = {"gemm_gather 32x64x144": {}}
    entries = tune_case(case, "r9nano", known, on_trial=lambda what, cycles: trials.append(cycles))
    assert trials
    assert all(problem.startswith("sparse_plane_conv 1x16x8x8 to 32") for problem in entries)
    for entry in entries.values():
        assert entry["cycles"] == min(trials) < entry["rule_cycles"]
    path = tmp_path / "table.json"
    write_table(path, {"b": {"plan": {}}}, "r9nano")
    write_table(path, {"a": {"plan": {}}}, "r9nano")
    assert list(json.loads(path.read_text())["plans"]) == ["a", "b"]


def test_a_broken_table_is_named(tmp_path):
    path = tmp_path / "table.json"
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match=r"table\.json: expected a table of tuned plans, 'plans'"):
        read_table(path)

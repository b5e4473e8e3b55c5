"""Measuring many things: each once, several at a time, and on after what fails or was stored before."""

from __future__ import annotations

import threading

import pytest

from bridge.errors import ConfigurationError
from bridge.worth.collect import collect, tasks
from bridge.worth.page import BEGIN, END, page, with_sums
from bridge.worth.report import case_table, network_table, profiling_table, reached, sampling_table, where
from bridge.worth.run import Task, missing, run_tasks
from bridge.worth.selection import Selection, benchmarks_folder, load_selections
from bridge.worth.store import Store
from bridge.worth.targets import target_table


def task(number, make=None):
    return Task({"number": number}, make or (lambda: {"made": number}), f"task {number}", 1.0)


def test_equal_tasks_are_measured_once_and_stored_ones_not_again(tmp_path):
    store = Store(tmp_path)
    store.get({"number": 2}, lambda: {"made": "before"})
    seen = []
    failed = run_tasks(store, [task(1), task(1), task(2), task(3)], 2, seen.append)
    assert not failed
    assert sorted(progress.record["made"] for progress in seen) == [1, 3]
    assert [(progress.done, progress.total) for progress in seen] == [(1, 2), (2, 2)]
    assert seen[-1].left_s == 0
    assert store.stored({"number": 2})["made"] == "before"
    assert missing(store, [task(1), task(2), task(3)]) == []


def test_as_many_run_at_a_time_as_there_are_cores(tmp_path):
    together = threading.Barrier(2, timeout=20)

    def meet():
        together.wait()
        return {}

    assert not run_tasks(Store(tmp_path), [task(1, meet), task(2, meet)], 2, lambda _: None)


def test_a_task_that_fails_is_told_and_does_not_stop_the_others(tmp_path):
    def fail():
        raise ConfigurationError("no such thing")

    failed = run_tasks(Store(tmp_path), [task(1, fail), task(2)], 1, lambda _: None)
    assert [(progress.task.label, str(progress.error)) for progress in failed] == [("task 1", "no such thing")]
    assert Store(tmp_path).stored({"number": 2})["made"] == 2


def test_the_shipped_list_names_what_ships_and_each_part_adds_something(tmp_path):
    selections = load_selections(benchmarks_folder() / "worth.toml")
    store, before = Store(tmp_path), 0
    for count in range(1, len(selections) + 1):
        now = len(missing(store, tasks(selections[:count])))
        assert now > before
        before = now


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[measurement]]\nimages = 0\n", "entry 1: images: "),
        ('[[measurement]]\nphases = ["sideways"]\n', "a phase is forward, data_gradient or filter_gradient"),
        ("[[measurement]]\nbatch = 8\n", "entry 1: batch: "),
        ("x = 1\n", r"expected TOML with \[\[measurement\]\] entries"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path, text, message):
    path = tmp_path / "worth.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_selections(path)


def test_zeros_in_clusters_are_measured_and_told_apart(tmp_path):
    even = Selection(networks=("resnet18",), layers=("conv5_shortcut",), phases=("forward",), densities=(0.25,))
    uneven = even.model_copy(update={"row_imbalance": 2.0, "seed": 7})
    found = tasks([even, uneven])
    dense = [task for task in found if task.what["side"] == "dense"]
    assert len(missing(Store(tmp_path), found)) == len(found) - 1  # dense once for both
    assert dense[0].what == dense[1].what
    results = collect(Store(tmp_path), [even, uneven])
    assert [where(result) for result in results] == [
        "ResNet-18 (conv5_shortcut, forward), N = 1, r9nano",
        "ResNet-18 (conv5_shortcut, row imbalance 2, seed 7, forward), N = 1, r9nano",
    ]
    ((case,), (other,)) = (result.points[0].cases for result in results)
    assert case.x.density == other.x.density == 0.25
    assert (other.x.row_imbalance, other.x.seed, other.dy.seed) == (2.0, 7, 8)


def test_a_density_that_nothing_reaches_is_told_so():
    assert reached([0.1, 0.5], [3.0, 1.5], 2.0) == "0.30"
    assert reached([0.1, 0.5], [3.0, 1.5], 3.4) == "not reached"
    assert reached([0.1, 0.5], [3.0, 1.5], 1.2) == "≥ 0.5"


def test_sampling_saves_what_is_counted_in_sampled_iterations_alone(tmp_path):
    selection = Selection(networks=("resnet18",), layers=("conv5_1b",), profiling=True)
    store = Store(tmp_path)
    assert not run_tasks(store, tasks([selection]), 2, lambda _: None)
    results = collect(store, [selection])
    rows = {row[3]: [float(cell.replace(",", "")) for cell in row[4:]] for row in sampling_table(results).rows}
    hardware, always, software, fused = rows["every iteration"]
    (alone,), read = results[0].profiled.overheads(burst=True), results[0].profiled.read_back["register_cycles"]
    assert (hardware, software, fused) == pytest.approx((alone.hardware, alone.software, alone.fused), abs=0.05)
    assert always == hardware
    assert rows["every 64th"][0] == pytest.approx(hardware / 64, abs=0.05)
    assert rows["every 64th"][1] == pytest.approx(hardware - read * 63 / 64, abs=0.05)
    assert {row[4] for row in profiling_table(results).rows} == {"tensor by tensor", "once an iteration"}


def test_measured_cases_become_tables(tmp_path):
    # A shortcut of one image: the cheapest layer there is.
    selection = Selection(
        networks=("resnet18",), layers=("conv5_shortcut",), phases=("forward",), densities=(0.5, 0.25), software=True
    )
    store = Store(tmp_path)
    assert not run_tasks(store, tasks([selection]), 2, lambda _: None)
    (result,) = collect(store, [selection])
    assert [point.label for point in result.points] == ["0.25", "0.5"]
    ((case, record),) = result.points[1].measured
    assert record["software"]["cycles"] > record["spartan"]["cycles"]  # a kernel converts first
    (row,) = case_table(result, result.points[1]).rows
    assert row[:3] == (case.layer, "forward", "x")
    assert f"{record['software']['cycles']:,}" in row
    sums = network_table([result]).rows
    assert [line[3] for line in sums] == ["density 0.25", "density 0.5"]
    assert sums[1][5] == f"{record['dense']['cycles'] / record['spartan']['cycles']:.2f}"
    targets = {line[0]: line[-1] for line in target_table([result]).rows}
    assert targets["outputs equal to numpy's within the error bound"] == "yes"
    written = page([result], [])
    assert f"| {case.layer} | forward | x | 0.500 | {record['dense']['cycles']:,} |" in written
    marked = with_sums(f"before\n{BEGIN}\nold\n{END}\nafter\n", [result], [])
    assert marked.startswith(f"before\n{BEGIN}\n\n### Targets\n")
    assert marked.endswith(f"\n{END}\nafter\n")
    assert "old" not in marked
    assert with_sums("no marks", [result], []) is None
    result.points[1].records[0]["verified"] = False
    assert {line[0]: line[-1] for line in target_table([result]).rows} != targets

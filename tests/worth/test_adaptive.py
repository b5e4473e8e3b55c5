"""The adaptive controller: hysteresis, periods that follow the densities, and its record."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.adaptive import AdaptiveController, AdaptivePolicy
from bridge.errors import ConfigurationError


def sides(densities, **policy):
    controller = AdaptiveController(AdaptivePolicy(**policy))
    found = []
    for iteration, density in enumerate(densities):
        controller.observe("conv1", "forward", iteration, density)
        found.append(controller.choose("conv1", "forward", iteration))
    return found, controller


def test_dense_until_something_is_known():
    controller = AdaptiveController()
    assert controller.choose("conv1", "forward", 0) == "dense"
    assert controller.decisions[0].density is None


def test_a_phase_changes_sides_only_beyond_the_margin():
    found, controller = sides([0.8, 0.48, 0.44, 0.52, 0.54, 0.56], break_even=0.5, margin=0.05)
    assert found == ["dense", "dense", "spartan", "spartan", "spartan", "dense"]
    assert [d.iteration for d in controller.decisions if d.changed] == [2, 5]


@settings(deadline=None)
@given(st.lists(st.floats(0.46, 0.54), max_size=50))
def test_noise_within_the_margin_never_switches_back_and_forth(densities):
    found, controller = sides([0.1, *densities], break_even=0.5, margin=0.04)
    assert set(found) == {"spartan"}
    assert sum(decision.changed for decision in controller.decisions) == 1


def test_measured_break_evens_are_by_layer_and_phase():
    policy = AdaptivePolicy(break_even=0.5, break_even_by_phase={"conv1 forward": 0.9})
    controller = AdaptiveController(policy)
    for phase in ("forward", "data_gradient"):
        controller.observe("conv1", phase, 0, 0.7)
    assert controller.choose("conv1", "forward", 0) == "spartan"
    assert controller.choose("conv1", "data_gradient", 0) == "dense"


def readings(density, iterations, **policy):
    controller = AdaptiveController(AdaptivePolicy(**policy))
    read = []
    for iteration in range(iterations):
        if controller.due("conv1", "forward", iteration):
            controller.observe("conv1", "forward", iteration, density(iteration))
            read.append(iteration)
        controller.choose("conv1", "forward", iteration)
    return read, controller


def test_the_period_doubles_while_nothing_changes_up_to_its_limit():
    read, controller = readings(lambda _: 0.4, 40, longest_period=8)
    assert read == [0, 1, 3, 7, 15, 23, 31, 39]
    assert max(decision.age for decision in controller.decisions) == 7


def test_a_density_that_moves_is_read_every_time():
    read, _ = readings(lambda iteration: 0.4 + 0.05 * (iteration % 2), 10, steady=0.02)
    assert read == list(range(10))


def test_the_record_is_written(tmp_path):
    _, controller = sides([0.2])
    controller.write(tmp_path / "decisions.json")
    written = json.loads((tmp_path / "decisions.json").read_text())
    assert written["policy"]["break_even"] == 0.75
    assert written["decisions"] == [
        {
            "iteration": 0,
            "layer": "conv1",
            "phase": "forward",
            "side": "spartan",
            "density": 0.2,
            "age": 0,
            "changed": True,
        }
    ]
    assert repr(controller) == "<AdaptiveController 1 of 1 phases with Spartan>"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"break_even": 1.2}, "break_even: expected a density from 0 to 1, got 1.2"),
        ({"margin": -0.1}, "margin: expected a difference from 0 to below 1"),
        ({"longest_period": 0}, "longest_period: expected 1 iteration or more, got 0"),
        ({"break_even_by_phase": {"conv1 forward": -1}}, "conv1 forward: expected a density"),
    ],
)
def test_nonsense_is_refused(keys, message):
    with pytest.raises(ConfigurationError, match=message):
        AdaptivePolicy(**keys)


def test_readings_come_in_order_and_in_range():
    controller = AdaptiveController()
    controller.observe("conv1", "forward", 3, 0.5)
    with pytest.raises(ConfigurationError, match="iteration 2 lies before the latest, 3"):
        controller.observe("conv1", "forward", 2, 0.5)
    with pytest.raises(ConfigurationError, match=r"expected a density from 0 to 1, got 1\.5"):
        controller.observe("conv1", "forward", 4, 1.5)

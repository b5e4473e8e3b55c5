"""Break-evens from a sweep know the faster dense side, and an adaptive run with them does not lose."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import ConfigurationError
from bridge.adaptive import break_even_between
from bridge.worth.adaptive import break_evens, fastest_dense, sweep_of, worst_excess


def sweep(spartan, dense=100, winograd=None):
    record = {"dense": {"cycles": dense}} | ({} if winograd is None else {"winograd": {"cycles": winograd}})
    cases = {
        density: [{"layer": "conv2", "phase": "forward", "density": density, "spartan": {"cycles": cycles}, **record}]
        for density, cycles in spartan.items()
    }
    cases[0.5].append({"layer": "conv1", "phase": "forward", "density": 1.0, "spartan": {"cycles": 1}, **record})
    return sweep_of(cases)


def test_the_break_even_lies_where_the_faster_dense_side_is_met():
    cycles = {0.1: 20, 0.5: 60, 0.9: 100}
    assert break_evens(sweep(cycles), 0.0) == {"conv2 forward": pytest.approx(0.9)}
    assert break_evens(sweep(cycles, winograd=80), 0.0) == {"conv2 forward": pytest.approx(0.7)}
    assert break_evens(sweep(cycles, winograd=80), 0.1) == {"conv2 forward": pytest.approx(0.6)}
    assert break_evens(sweep(cycles, winograd=10), 0.03) == {"conv2 forward": 0.0}
    assert fastest_dense(sweep(cycles, winograd=80)["conv2 forward"][0.5]) == 80


@settings(deadline=None)
@given(st.floats(1, 200), st.floats(0, 200), st.integers(20, 150))
def test_a_run_never_loses_where_cycles_grow_with_density(fixed, slope, winograd):
    densities = [0.1, 0.3, 0.5, 0.7, 0.9]
    measured = sweep({d: round(1000 * (fixed + slope * d)) for d in densities}, dense=100_000, winograd=1000 * winograd)
    assert worst_excess(measured) <= 0.02


def test_a_wrong_break_even_would_be_seen():
    # Faster at 0.5 than its neighbours tell, slower at 0.7: what the others promise of 0.7 is wrong.
    measured = sweep({0.1: 10, 0.3: 20, 0.5: 30, 0.7: 150, 0.9: 60})
    assert worst_excess(measured) > 0.4


def test_two_measurements_tell_the_constant_part_from_the_rest():
    # 40 cycles whatever the density, and 100 more at density 1: equal to 90 dense cycles at density 0.5.
    assert break_even_between(90, (0.2, 60), (0.6, 100)) == pytest.approx(0.5)
    assert break_even_between(90, (0.2, 60), (0.6, 100), margin=0.03) == pytest.approx(0.47)
    assert break_even_between(30, (0.2, 60), (0.6, 100)) == 0.0
    assert break_even_between(500, (0.2, 60), (0.6, 100)) == 1.0
    assert [break_even_between(dense, (0.2, 60), (0.6, 60)) for dense in (50, 70)] == [0.0, 1.0]
    with pytest.raises(ConfigurationError, match=r"two densities in ascending order, got 0\.6"):
        break_even_between(90, (0.6, 60), (0.6, 100))

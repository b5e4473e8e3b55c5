"""The dropout's generator gives the published vectors, on the device and in the reference."""

from __future__ import annotations

import numpy as np
import pytest

from bridge import CoSimulation
from bridge.reference.elementwise import dropout_keep, philox

# Known answers of Philox4x32-10 as its authors publish them with Random123: counter, key, output.
VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> np.ndarray:
    return np.array([int(word, 16) for word in text.split()], np.uint32)


@pytest.mark.parametrize(("counter", "key", "output"), VECTORS)
def test_known_answers(counter, key, output):
    low, high = (int(word) for word in words(key))
    np.testing.assert_array_equal(philox(words(counter)[None], (low, high))[0], words(output))
    with CoSimulation(mode="functional") as session:
        counters = session.array(np.tile(words(counter), (3, 1)), name="counters")
        found = session.empty((3, 4), np.uint32, name="words")
        args = {"counters": counters, "words": found, "n": 3, "key_low": low, "key_high": high}
        session.launch("philox_words", args=args)
        np.testing.assert_array_equal(found.numpy(), np.tile(words(output), (3, 1)))


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
def test_the_share_that_is_dropped(probability):
    n = 100_000
    kept = dropout_keep(n, probability, seed=5).mean()
    assert abs(kept - (1 - probability)) <= 4 * np.sqrt(probability * (1 - probability) / n)

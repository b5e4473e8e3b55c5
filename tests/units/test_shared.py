"""Payloads in shared memory are gone when both sides are."""

from __future__ import annotations

import shutil

import numpy as np

from spartan_units.shared import SHARED_THRESHOLD, SharedPayloads
from spartan_units.wire import common_pb2


def test_closing_removes_what_nobody_took(tmp_path):
    payloads = SharedPayloads(str(tmp_path))
    payloads.write(bytes(SHARED_THRESHOLD))
    assert len(list(tmp_path.iterdir())) == 1
    payloads.close()
    assert not list(tmp_path.iterdir())


def test_what_was_read_leaves_no_name(tmp_path):
    sender, receiver = SharedPayloads(str(tmp_path)), SharedPayloads(str(tmp_path))
    data = np.random.default_rng(0).integers(0, 256, SHARED_THRESHOLD, np.uint8)
    payload = sender.write(data.tobytes())
    assert isinstance(payload, common_pb2.Payload)
    assert np.array_equal(receiver.read(payload), data)
    assert not list(tmp_path.iterdir())


def test_closing_after_the_session_took_its_folder_away_is_no_error(tmp_path):
    folder = tmp_path / "session"
    folder.mkdir()
    payloads = SharedPayloads(str(folder))
    payloads.write(bytes(SHARED_THRESHOLD))
    shutil.rmtree(folder)
    payloads.close()

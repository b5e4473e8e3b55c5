"""Tests on upstream MGPUSim: skipped, with the reason, where mgpusim-bridge is not installed."""

from __future__ import annotations

import pytest

from bridge.backend import BRIDGE_VARIABLE, find_bridge


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = f"mgpusim-bridge is not installed ({BRIDGE_VARIABLE}, beside gpusim, PATH): docs/mgpusim.md"
    missing = find_bridge() is None
    for item in items:
        if "mgpusim" in item.path.parts:
            item.add_marker(pytest.mark.mgpusim)
            if missing:
                item.add_marker(pytest.mark.skip(reason=reason))

"""kernels.toml says what the code objects say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KERNELS = Path(__file__).parents[2] / "kernels"
CATALOGUE: dict[str, Any] = tomllib.loads((KERNELS / "kernels.toml").read_text())


def _metadata(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Kernel → (size, kind) of each argument, from the YAML text in the note of a version 2 code object."""
    content = path.read_bytes()
    text = content[content.index(b"Version:") : content.index(b"\n...\n")].decode()
    kernels: dict[str, list[tuple[int, str]]] = {}
    for part in re.split(r"(?m)^ *- Name: +(?=\S+\n +SymbolName)", text)[1:]:
        sizes = re.findall(r"(?m)^ +Size: +(\d+)\n +Align: +\d+\n +ValueKind: +(\w+)", part)
        kernels[part.split()[0]] = [(int(size), kind) for size, kind in sizes if not kind.startswith("Hidden")]
    return kernels


def test_every_kernel_of_every_object_is_described() -> None:
    found = {(name, p.name) for p in KERNELS.glob("*.hsaco") for name in _metadata(p)}
    assert found == {(name, entry["object"]) for name, entry in CATALOGUE.items()}


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_arguments_match_the_object(name: str) -> None:
    entry = CATALOGUE[name]
    described = [(8, "GlobalBuffer") if a["type"] == "buffer" else (4, "ByValue") for a in entry["arguments"]]
    assert _metadata(KERNELS / entry["object"])[name] == described

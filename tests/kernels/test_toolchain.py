"""The committed code objects are what the committed sources give."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "kernels"
LIBRARY = ROOT / "tests" / "kernels" / "library"
VARIANTS = ["15-v4", "16-v2", "16-v3", "16-v4", "16-v5", "19-v4", "19-v5"]


@pytest.mark.toolchain
def test_kernels_rebuild_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run(["make", "-C", KERNELS, f"OUT={tmp_path}"], check=True, capture_output=True)
    committed = sorted(p.name for p in KERNELS.glob("*.hsaco"))
    assert sorted(p.name for p in tmp_path.glob("*.hsaco")) == committed
    _, differ, errors = filecmp.cmpfiles(KERNELS, tmp_path, committed, shallow=False)
    assert (differ, errors) == ([], [])
    portable = sorted(p.name for p in (KERNELS / "portable").glob("*.hsaco"))
    assert sorted(p.name for p in (tmp_path / "portable").glob("*.hsaco")) == portable
    _, differ, errors = filecmp.cmpfiles(KERNELS / "portable", tmp_path / "portable", portable, shallow=False)
    assert (differ, errors) == ([], [])


@pytest.mark.parametrize("source", sorted(p.name for p in (KERNELS / "src").glob("*.s")))
def test_assembly_is_what_its_generator_writes(source: str, tmp_path: Path) -> None:
    shutil.copytree(KERNELS / "generate", tmp_path / "generate")
    (tmp_path / "src").mkdir()
    generator = tmp_path / "generate" / source.replace(".s", ".py")
    subprocess.run(["python3", generator], check=True)
    assert (tmp_path / "src" / source).read_text() == (KERNELS / "src" / source).read_text()


@pytest.mark.toolchain
@pytest.mark.parametrize("variant", VARIANTS)
def test_library_rebuilds_byte_for_byte(variant: str, tmp_path: Path) -> None:
    compiler = f"clang-{variant.split('-')[0]}"
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    make = ["make", "-C", LIBRARY, f"OUT={tmp_path}", f"VARIANTS={variant}"]
    subprocess.run(make, check=True, capture_output=True)
    committed = LIBRARY / "objects" / f"clang{variant}"
    names = sorted(p.name for p in committed.glob("*.hsaco"))
    assert len(names) == len(list((LIBRARY / "src").glob("*.cl")))
    _, differ, errors = filecmp.cmpfiles(committed, tmp_path / f"clang{variant}", names, shallow=False)
    assert (differ, errors) == ([], [])

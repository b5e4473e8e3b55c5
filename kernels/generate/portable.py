"""Replace instructions that upstream MGPUSim v4.2 lacks by others that do the same, in assembly text of the compiler.

    python generate/portable.py < compiled.s > portable.s

What upstream lacks stands in gpu_model/upstream/opcodes.tsv. Every replacement leaves the same values in all registers
that the program may read afterwards; temporaries are registers behind those that a kernel uses, and its header is told
of them. A wait counter stays right where one LDS instruction becomes two, since more of them are then under way, so
that a wait for N waits for more.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

PAIR = re.compile(r"([sv])\[(\d+):(\d+)\]$")


def split(operands: str) -> list[str]:
    """Return operands, with modifiers such as offset:4 as the last one's tail."""
    return [part.strip() for part in operands.split(",")]


def halves(operand: str) -> tuple[str, str]:
    """Return the low and the high dword of a 64-bit operand."""
    found = PAIR.match(operand)
    if found:
        return f"{found[1]}{found[2]}", f"{found[1]}{found[3]}"
    if operand in ("vcc", "exec"):
        return f"{operand}_lo", f"{operand}_hi"
    if re.fullmatch(r"-?\d+", operand) and -16 <= int(operand) <= 64:
        return operand, "-1" if int(operand) < 0 else "0"
    raise ValueError(f"no 64-bit operand that can be taken apart: {operand}")


class Kernel:
    """The lines of one kernel, and the registers that it has to spare."""

    def __init__(self, lines: list[str]) -> None:
        """Find the highest registers in use."""
        self.lines = lines
        first_s, first_v = self._highest("s") + 1, self._highest("v") + 1
        first_s += first_s % 2
        self.scalar, self.pair = f"s{first_s}", f"s[{first_s}:{first_s + 1}]"
        self.vector = (f"v{first_v}", f"v{first_v + 1}")
        self.used_scalar = self.used_vector = False

    def _highest(self, kind: str) -> int:
        text = "\n".join(line.split(";")[0] for line in self.lines)
        single = [int(n) for n in re.findall(rf"\b{kind}(\d+)\b", text)]
        ranges = [int(n) for n in re.findall(rf"\b{kind}\[\d+:(\d+)\]", text)]
        return max([0, *single, *ranges])

    def rewrite(self) -> list[str]:
        """Return the kernel without the instructions that upstream lacks."""
        out: list[str] = []
        for line in self.lines:
            found = re.match(r"\t([a-z]\w+)\s+(.*?)\s*(?:;.*)?$", line)
            rule = RULES.get(found[1]) if found else None
            if found is None or rule is None:
                out.append(line)
                continue
            out.extend(f"\t{text}" for text in rule(self, found[1], split(found[2])))
        return [self._header(line) for line in out]

    def _header(self, line: str) -> str:
        found = re.match(r"(\t\t)(\w+) = (\d+)$", line)
        if not found:
            return line
        name, value = found[2], int(found[3])
        if self.used_scalar and name == "wavefront_sgpr_count":
            return f"\t\t{name} = {value + 3}"
        if self.used_vector and name == "workitem_vgpr_count":
            return f"\t\t{name} = {value + 2}"
        if self.used_scalar and name == "granulated_wavefront_sgpr_count":
            return f"\t\t{name} = {-(-(self._count('wavefront_sgpr_count') + 3) // 8) - 1}"
        if self.used_vector and name == "granulated_workitem_vgpr_count":
            return f"\t\t{name} = {-(-(self._count('workitem_vgpr_count') + 2) // 4) - 1}"
        return line

    def _count(self, name: str) -> int:
        return next(int(line.split("=")[1]) for line in self.lines if line.strip().startswith(f"{name} ="))


Rule = Callable[[Kernel, str, list[str]], list[str]]


def _offsets(operand: str) -> tuple[str, int, int]:
    """Return the register of `v2 offset0:1 offset1:2` and the two offsets in bytes."""
    register, *rest = operand.split()
    at = {"offset0": 0, "offset1": 0}
    for part in rest:
        name, _, value = part.partition(":")
        at[name] = int(value)
    return register, 256 * at["offset0"], 256 * at["offset1"]


def _offset(bytes_: int) -> str:
    return f" offset:{bytes_}" if bytes_ else ""


def store_two(_: Kernel, __: str, operands: list[str]) -> list[str]:
    """ds_write2st64_b32."""
    address, first, last = operands
    second, at0, at1 = _offsets(last)
    return [f"ds_write_b32 {address}, {first}{_offset(at0)}", f"ds_write_b32 {address}, {second}{_offset(at1)}"]


def load_two(_: Kernel, __: str, operands: list[str]) -> list[str]:
    """ds_read2st64_b32."""
    low, high = halves(operands[0])
    address, at0, at1 = _offsets(operands[1])
    both = [f"ds_read_b32 {low}, {address}{_offset(at0)}", f"ds_read_b32 {high}, {address}{_offset(at1)}"]
    return both[::-1] if low == address else both  # the address is overwritten last


def load_wide(kernel: Kernel, _: str, operands: list[str]) -> list[str]:
    """ds_read_b128."""
    address, *rest = operands[1].split()
    at = int(rest[0].partition(":")[2]) if rest else 0
    lines = []
    if at // 8 + 1 > 255 or at % 8:
        kernel.used_scalar = kernel.used_vector = True
        far = kernel.vector[0]
        lines = [
            f"s_movk_i32 {kernel.scalar}, {at:#x}",
            f"v_add_u32_e64 {far}, {kernel.pair}, {kernel.scalar}, {address}",
        ]
        address, at = far, 0
    return [*lines, f"ds_read2_b64 {operands[0]}, {address} offset0:{at // 8} offset1:{at // 8 + 1}"]


def multiply(kernel: Kernel, name: str, operands: list[str]) -> list[str]:
    """v_mul_f32_e64 without modifiers: its second source goes into a vector register."""
    result, a, b = operands
    if "|" in a + b or "-" in a + b or " " in b:
        return [f"{name} {', '.join(operands)}"]  # stays: such a kernel is refused
    if a.startswith("v") and a != "vcc":
        a, b = b, a
    if b.startswith("v"):
        return [f"v_mul_f32_e32 {result}, {a}, {b}"]
    kernel.used_vector = True
    return [f"v_mov_b32_e32 {kernel.vector[0]}, {b}", f"v_mul_f32_e32 {result}, {a}, {kernel.vector[0]}"]


def select(_: Kernel, __: str, operands: list[str]) -> list[str]:
    """s_cselect_b64, which leaves SCC alone."""
    return [f"s_cselect_b32 {', '.join(parts)}" for parts in zip(*(halves(o) for o in operands), strict=True)]


def compare_order(kernel: Kernel, name: str, operands: list[str]) -> list[str]:
    """s_cmp_ge_u32, s_cmp_le_u32: a is the larger (smaller) of both."""
    kernel.used_scalar = True
    extreme = "s_max_u32" if "_ge_" in name else "s_min_u32"
    a, b = operands
    return [f"{extreme} {kernel.scalar}, {a}, {b}", f"s_cmp_eq_u32 {kernel.scalar}, {a}"]


def compare_wide(kernel: Kernel, name: str, operands: list[str]) -> list[str]:
    """s_cmp_eq_u64, s_cmp_lg_u64 with zero."""
    if operands[1] != "0":
        raise ValueError(f"{name} with something else than zero: {operands[1]}")
    kernel.used_scalar = True
    differs = [f"s_or_b64 {kernel.pair}, {operands[0]}, 0"]  # its SCC: the result is not zero
    if "_lg_" in name:
        return differs
    return [*differs, f"s_cselect_b32 {kernel.scalar}, 0, 1", f"s_cmp_lg_u32 {kernel.scalar}, 0"]


def load_sixteen(_: Kernel, __: str, operands: list[str]) -> list[str]:
    """s_load_dwordx16."""
    found = PAIR.match(operands[0])
    base = PAIR.match(operands[1])
    assert found
    assert base
    first, offset = int(found[2]), int(operands[2], 0)
    parts = [(first, offset), (first + 8, offset + 32)]
    if first <= int(base[2]) < first + 8:  # the base is overwritten last
        parts.reverse()
    return [f"s_load_dwordx8 s[{at}:{at + 7}], {operands[1]}, {where:#x}" for at, where in parts]


def multiply_add(kernel: Kernel, _: str, operands: list[str]) -> list[str]:
    """v_mad_u64_u32: its carry, which the compiler never reads, holds that between the halves."""
    kernel.used_vector = True
    result, carry, a, b, addend = operands
    low, high = kernel.vector
    to_low, to_high = halves(result)
    lines = [f"v_mul_lo_u32 {low}, {a}, {b}", f"v_mul_hi_u32 {high}, {a}, {b}"]
    if addend != "0":
        add_low, add_high = halves(addend)
        lines.append(f"v_add_u32_e64 {low}, {carry}, {low}, {add_low}")
        lines.append(f"v_addc_u32_e64 {high}, {carry}, {high}, {add_high}, {carry}")
    return [*lines, f"v_mov_b32_e32 {to_low}, {low}", f"v_mov_b32_e32 {to_high}, {high}"]


RULES: dict[str, Rule] = {
    "ds_write2st64_b32": store_two,
    "ds_read2st64_b32": load_two,
    "ds_read_b128": load_wide,
    "v_mul_f32_e64": multiply,
    "s_cselect_b64": select,
    "s_cmp_ge_u32": compare_order,
    "s_cmp_le_u32": compare_order,
    "s_cmp_eq_u64": compare_wide,
    "s_cmp_lg_u64": compare_wide,
    "s_load_dwordx16": load_sixteen,
    "v_mad_u64_u32": multiply_add,
}


def main() -> None:
    """Rewrite standard input."""
    out: list[str] = []
    kernel: list[str] | None = None
    for line in sys.stdin.read().splitlines():
        if kernel is None:
            out.append(line)
            if line.startswith("\t.amd_kernel_code_t"):
                kernel = []
        elif line.startswith(".Lfunc_end"):
            out.extend([*Kernel(kernel).rewrite(), line])
            kernel = None
        else:
            kernel.append(line)
    sys.stdout.write("\n".join(out) + "\n")


main()

"""Random OpenCL C functions that mean the same on every conforming target: for comparing a GPU with the host."""

from __future__ import annotations

import random

INTEGERS = {"char": 8, "uchar": 8, "short": 16, "ushort": 16, "int": 32, "uint": 32, "long": 64, "ulong": 64}
FLOATS = {"float": 32, "double": 64}
TYPES = [*INTEGERS, *FLOATS]

# Conversions that C leaves undefined are kept away by SMALL; division by zero and of the least integer by DENOMINATOR.
PRELUDE = """
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define SMALL(x) ((x) > -1e4 && (x) < 1e4 ? (x) : 7)
#define UNSIGNED_SMALL(x) ((x) > 0 && (x) < 1e4 ? (x) : 7)
"""


class Generator:
    """Writes functions `void NAME(inputs, outputs, gid)`; the same seed gives the same text."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names: list[tuple[str, str]] = []
        self._table = False  # the table is filled

    def function(self, outputs: int) -> str:
        """Return a body that fills `out[0 … outputs)` (ulong) from `in[0 … 8)` (ulong)."""
        lines = []
        self._names = []
        for index, name in enumerate(TYPES):
            source = f"in[{index % 8}]"
            if name in FLOATS:
                pick = self._random.random()
                bits = f"as_{name}(({'uint' if name == 'float' else 'ulong'}){source})"
                number = f"({name})(({'int' if name == 'float' else 'long'}){source} % 1000) / ({name})8"
                lines.append(f"{name} v{index} = {bits if pick < 0.5 else number};")
            else:
                lines.append(f"{name} v{index} = ({name}){source};")
            self._names.append((f"v{index}", name))
        lines.append("int table[8];")
        self._table = False
        lines += [f"table[{i}] = {self.expression('int', 2)};" for i in range(8)]
        self._table = True
        for _ in range(4):
            lines.append(self._statement())
        for index in range(outputs):
            name = self._random.choice(TYPES)
            value = self.expression(name, 5)
            if name in FLOATS:
                bits = "as_uint" if name == "float" else "as_ulong"
                lines.append(f"{{ {name} r = {value}; out[{index}] = r == r ? (ulong){bits}(r) : 0x7ff8dead; }}")
            else:
                lines.append(f"out[{index}] = (ulong)({value});")
        return "\n  ".join(lines)

    def _statement(self) -> str:
        name, kind = self._random.choice([pair for pair in self._names if pair[1] in INTEGERS])
        match self._random.randrange(4):
            case 0:
                bound = self.expression("uint", 2)
                step = f"{name} = ({kind})({name} * 3 + (int)i + {self.expression(kind, 2)});"
                return f"for (uint i = 0, n = ({bound}) & 7u; i < n; i++) {step}"
            case 1:
                return f"table[({self.expression('uint', 2)}) & 7u] += {self.expression('int', 2)};"
            case 2:
                first, second = self.expression(kind, 3), self.expression(kind, 3)
                return f"if ({self._condition(2)}) {name} = {first}; else {name} = {second};"
            case _:
                arms = " ".join(f"case {i}: {name} = {self.expression(kind, 2)}; break;" for i in range(4))
                return f"switch (({self.expression('uint', 2)}) & 7u) {{ {arms} default: {name} ^= 85; }}"

    def _condition(self, depth: int) -> str:
        kind = self._random.choice(TYPES)
        relation = self._random.choice(["<", "<=", ">", ">=", "==", "!="])
        return f"{self.expression(kind, depth - 1)} {relation} {self.expression(kind, depth - 1)}"

    def _constant(self, kind: str) -> str:
        if kind in FLOATS:
            value = self._random.choice([0.0, 1.0, -1.5, 3.25, 1e10, -7e-5, 0.1])
            return f"({kind}){value!r}"
        bits = INTEGERS[kind]
        value = self._random.choice([0, 1, 2, 3, -1, 10, 255, 65535, self._random.getrandbits(bits)])
        return f"({kind}){value & (1 << bits) - 1:#x}UL"

    def expression(self, kind: str, depth: int) -> str:
        """Return an expression of a type."""
        r = self._random
        if depth <= 0 or r.random() < 0.1:
            names = [name for name, of in self._names if of == kind]
            if kind == "int" and r.random() < 0.2:
                return "table[v5 & 7u]" if self._table else self._constant(kind)
            return r.choice(names) if names and r.random() < 0.7 else self._constant(kind)
        choice = r.random()
        if choice < 0.15:
            return (
                f"({self._condition(depth)} ? {self.expression(kind, depth - 1)} : {self.expression(kind, depth - 1)})"
            )
        if choice < 0.35:
            return self._cast(kind, depth)
        if kind in FLOATS:
            return self._float(kind, depth)
        return self._integer(kind, depth)

    def _cast(self, kind: str, depth: int) -> str:
        source = self._random.choice(TYPES)
        value = self.expression(source, depth - 1)
        if source in FLOATS and kind in INTEGERS:
            guard = "UNSIGNED_SMALL" if kind.startswith("u") else "SMALL"
            wide = "int" if INTEGERS[kind] < 32 else kind
            value = f"({wide}){guard}({value})"
        return f"({kind})({value})"

    def _float(self, kind: str, depth: int) -> str:
        a, b, c = (self.expression(kind, depth - 1) for _ in range(3))
        suffix = "f" if kind == "float" else ""
        match self._random.randrange(9):
            case 0 | 1:
                return f"({a} + {b})"
            case 2:
                return f"({a} - {b})"
            case 3 | 4:
                return f"({a} * {b})"
            case 5:
                return f"({a} / {b})"
            case 6:
                return f"__builtin_fma{suffix}({a}, {b}, {c})"
            case 7:
                return f"__builtin_{self._random.choice(['floor', 'ceil', 'trunc', 'rint', 'fabs'])}{suffix}({a})"
            case _:  # the sign of a NaN is nobody's business
                return f"(({b}) < 0 ? -__builtin_fabs{suffix}({a}) : __builtin_fabs{suffix}({a}))"

    def _integer(self, kind: str, depth: int) -> str:
        a, b = self.expression(kind, depth - 1), self.expression(kind, depth - 1)
        unsigned = kind.startswith("u")
        bits = INTEGERS[kind]
        match self._random.randrange(10):
            case 0 | 1 | 2:
                return f"({kind})({a} {self._random.choice(['+', '-', '*'])} {b})"
            case 3 | 4:
                return f"({kind})({a} {self._random.choice(['&', '|', '^'])} {b})"
            case 5:
                operator = self._random.choice(["/", "%"])
                # LLVM 16 divides numbers wrongly that it knows to be sign-extended, or extended from 32 to 64 bits: it
                # takes them for 24-bit ones. The constant hides that.
                mixed = f"({kind})0x5a5a5a5a5a5a5a5aUL"
                denominator = f"(({b} ^ {mixed}) | 1)" if unsigned else f"(({b} & 0x7f) | 1)"
                return f"({kind})(({a} ^ {mixed}) {operator} {denominator})"
            case 6:
                amount = f"({self.expression('uint', depth - 1)} & {bits - 1}u)"
                return f"({kind})({a} {self._random.choice(['<<', '>>'])} {amount})"
            case 7:
                return f"({kind})(~{a})"
            case 8:
                return f"({kind})(-{a})"
            case _:
                wide, of = ("l", "ulong") if bits == 64 else ("", "uint")
                name = self._random.choice(["popcount", "clz", "ctz"])
                operand = f"({of})({a})" if name == "popcount" else f"(({of})({a}) | 1)"
                return f"({kind})__builtin_{name}{wide}({operand})"

"""Templates: `$N`-style variables in a `.dnnmark` file, with the names and defaults of DNNMark's template runner."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

__all__ = ["TEMPLATE_DEFAULTS", "substitute"]

TEMPLATE_DEFAULTS: dict[str, str] = {
    "N": "64",
    "C": "3",
    "H": "32",
    "W": "32",
    "K": "128",
    "S": "3",
    "U": "1",
    "P": "1",
    "conv_bwd_filter_pref": "fastest",
    "CUDNN_CBFA": "",
    "CUDNN_CBDA": "",
}
"""Variables of DNNMark's templates: batch, channels, height, width, filters, filter size, stride, padding. The two
CUDNN ones stand for a whole line (algo=…, algod=…) that is empty where they have no value."""

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def substitute(line: str, variables: Mapping[str, str]) -> str:
    """Return the line with its variables replaced; `variables` come before DNNMark's defaults.

    Raises:
        ValueError: for a variable without a value; the nearest known name is told.
    """
    known = {**TEMPLATE_DEFAULTS, **variables}

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean ${near[0]}?" if near else f"known: {', '.join('$' + k for k in known)}"
        raise ValueError(f"the variable ${name} has no value; {hint}")

    return _VARIABLE.sub(value, line)

"""Reads `.dnnmark` text: sections in brackets, `key=value` lines, `#` comments."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from bridge.dnnmark.layers import LAYERS, Layer
from bridge.dnnmark.template import substitute
from bridge.errors import ConfigurationError

__all__ = ["Description", "RunMode", "parse_file", "parse_text"]

RunMode = Literal["none", "standalone", "composed"]


@dataclass(frozen=True)
class Description:
    """What a file says.

    Attributes:
        file: the file's name, for messages.
        run_mode: none (nothing is run), standalone (every layer by itself) or composed (a network).
        layers: in file order, names filled in and unique.
    """

    file: str
    run_mode: RunMode
    layers: tuple[Layer, ...]


@dataclass
class _Section:
    heading: str
    line: int
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def parse_file(path: Path, variables: Mapping[str, str] | None = None) -> Description:
    """Read a `.dnnmark` file or template.

    Args:
        path: the file.
        variables: values of `$NAME` variables, before DNNMark's defaults.

    Raises:
        ConfigurationError: for a file that can't be read, or as `parse_text`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{path} can't be read: {reason}") from None
    return parse_text(text, str(path), variables)


def parse_text(text: str, file: str = "<text>", variables: Mapping[str, str] | None = None) -> Description:
    """Read the text of a `.dnnmark` file or template; see `parse_file`.

    Raises:
        ConfigurationError: for an unknown section, key or value, a malformed line or a name that is used twice; the
            message begins with file and line and tells the nearest known name.
    """
    run_mode: RunMode = "none"
    layers: list[Layer] = []
    names: dict[str, int] = {}
    for section in _sections(text, file, variables or {}):
        if section.heading == "DNNMark":
            run_mode = _run_mode(section, file)
            continue
        layer = _layer(section, file)
        if not layer.name:
            layer = layer.model_copy(update={"name": f"{layer.section.lower()}{len(layers) + 1}"})
        if layer.name in names:
            raise _error(
                file,
                section.lines.get("name", section.line),
                f"the name {layer.name!r} is taken by the layer of line {names[layer.name]}; give this one another",
            )
        names[layer.name] = section.line
        layers.append(layer)
    if not layers:
        raise ConfigurationError(f"{file}: no layer is described; expected a section such as [Convolution]")
    return Description(file, run_mode, tuple(layers))


def _sections(text: str, file: str, variables: Mapping[str, str]) -> list[_Section]:
    sections: list[_Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        if raw.lstrip().startswith("#"):
            continue
        try:
            line = substitute(raw, variables).strip()
        except ValueError as error:
            raise _error(file, number, str(error)) from None
        if not line:
            continue
        if line.startswith("["):
            heading = line[1:-1] if line.endswith("]") else line[1:]
            if not line.endswith("]") or heading not in ("DNNMark", *LAYERS):
                raise _error(
                    file, number, f"there is no section {line}; {_near(heading, ['DNNMark', *LAYERS], '[{}]')}"
                )
            sections.append(_Section(heading, number))
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise _error(file, number, f"expected key=value or [Section], got {line!r}")
        if not sections:
            raise _error(file, number, f"the key {key!r} stands before any section; begin the file with [DNNMark]")
        section = sections[-1]
        known = _keys(section.heading)
        if key not in known:
            raise _error(file, number, f"[{section.heading}] has no key {key!r}; {_near(key, known)}")
        for name in _expand(section.heading, key):
            section.values[name] = value
            section.lines[name] = number
    return sections


def _keys(heading: str) -> list[str]:
    if heading == "DNNMark":
        return ["run_mode"]
    layer = LAYERS[heading]
    return [key for key in (*layer.model_fields, *layer.pairs) if key != "line"]


def _expand(heading: str, key: str) -> tuple[str, ...]:
    return (key,) if heading == "DNNMark" else LAYERS[heading].pairs.get(key, (key,))


def _run_mode(section: _Section, file: str) -> RunMode:
    value = section.values.get("run_mode", "none")
    for mode in get_args(RunMode):
        if value == mode:
            known: RunMode = mode
            return known
    raise _error(file, section.lines["run_mode"], f"run_mode can't be {value!r}; {_near(value, get_args(RunMode))}")


def _layer(section: _Section, file: str) -> Layer:
    values: dict[str, object] = dict(section.values)
    for key in ("previous_layer", "residual_layer"):
        if values.get(key) == "null":
            values[key] = None
    try:
        return LAYERS[section.heading].model_validate({**values, "line": section.line})
    except ValidationError as error:
        first = error.errors()[0]
    key = str(first["loc"][0])
    value = section.values[key]
    context = first.get("ctx", {})
    wanted = {
        "int_parsing": "expected a whole number",
        "float_parsing": "expected a number",
        "greater_than": f"it must be greater than {context.get('gt')}",
        "greater_than_equal": f"it must be at least {context.get('ge')}",
        "less_than": f"it must be less than {context.get('lt')}",
        "less_than_equal": f"it must be at most {context.get('le')}",
    }.get(first["type"])
    if first["type"] == "literal_error":
        choices = _choices(section.heading, key)
        wanted = _near(value, choices)
    raise _error(file, section.lines[key], f"{key} can't be {value!r}; {wanted or first['msg']}")


def _choices(heading: str, key: str) -> list[str]:
    annotation = LAYERS[heading].model_fields[key].annotation
    return [
        str(choice).lower() if isinstance(choice, bool) else str(choice)
        for choice in get_args(annotation)
        if choice != ""
    ]


def _near(word: str, known: Iterable[str], form: str = "{!r}") -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {form.format(near[0])}?"
    return f"known: {', '.join(form.format(name) for name in names)}"


def _error(file: str, line: int, message: str) -> ConfigurationError:
    return ConfigurationError(f"{file}:{line}: {message}")

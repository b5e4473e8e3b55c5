"""The command loads what it is asked for and knows all else."""

from __future__ import annotations

import pkgutil

import pytest
import typer.main

from bridge import cli

MODULES = sorted(module.name for module in pkgutil.iter_modules(cli.__path__) if not module.name.startswith("_"))


def commands(asked: str) -> list[str]:
    return list(typer.main.get_command(cli.make_app(asked)).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_the_command_of_its_name(module):
    name = module.replace("_", "-")
    assert commands(name) == [name]


@pytest.mark.parametrize("asked", ["", "--help", "no-such-command", "_report"])
def test_all_commands_are_there_where_none_is_asked_for(asked):
    assert sorted(commands(asked)) == [module.replace("_", "-") for module in MODULES]

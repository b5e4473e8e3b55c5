"""Build hook: compiles the Go GPU model into bridge/_bin/gpusim, for wheels and for editable installs alike."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "tools"))

import build_gpusim


class GpuModelBuildHook(BuildHookInterface):  # type: ignore[misc]
    def dependencies(self) -> list[str]:
        """Where no recent Go is on PATH, the toolchain comes as a build requirement."""
        return [] if build_gpusim.find_go() else [build_gpusim.GO_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        build_gpusim.build(Path(self.root))
        if version == "standard":  # an editable install reads them from the source tree
            kernels = Path(self.root) / "kernels"
            for path in sorted([*kernels.glob("*"), *(kernels / "portable").glob("*")]):
                if path.suffix in (".hsaco", ".toml"):
                    build_data["force_include"][str(path)] = f"bridge/_kernels/{path.relative_to(kernels)}"
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"

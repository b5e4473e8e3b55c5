"""Choosing a GPU back end, where upstream's is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge import CoSimulation
from bridge.backend import BRIDGE_VARIABLE, model_program
from bridge.catalogue import kernel_object
from bridge.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
SPARTAN = str(Path(sys.executable).parent / "spartan")


@pytest.fixture
def without_bridge(tmp_path: Path) -> dict[str, str]:
    """An environment in which no mgpusim-bridge can be found."""
    if os.access(ROOT / "bridge" / "_bin" / "mgpusim-bridge", os.X_OK):
        pytest.skip("mgpusim-bridge is installed beside the GPU model")
    environment = {key: value for key, value in os.environ.items() if key != BRIDGE_VARIABLE}
    return {**environment, "PATH": str(tmp_path)}


def run(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [SPARTAN, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_missing_back_end_is_named_with_the_command_that_installs_it(without_bridge, tmp_path):
    for arguments in (
        ["run", "benchmarks/photo_conv_small.toml", "--backend", "mgpusim", "--out", tmp_path / "out"],
        ["layer", "pool", "--backend", "mgpusim"],
        ["compare-backends", "benchmarks/photo_conv_small.toml"],
    ):
        result = run(without_bridge, *arguments)
        assert result.returncode == 2, arguments
        (sentence,) = result.stderr.strip().splitlines()
        assert "the back end mgpusim needs the program mgpusim-bridge, which is not installed" in sentence
        assert "go build -mod=mod -o ../bridge/_bin/mgpusim-bridge ./cmd/mgpusim-bridge" in sentence


def test_doctor_tells_of_both_back_ends_and_of_the_host(without_bridge):
    result = run(without_bridge, "doctor")
    assert result.returncode == 0, result.stderr
    assert "back end embedded: available" in result.stdout
    assert "back end mgpusim: not available: mgpusim-bridge is neither named by" in result.stdout
    assert "install it in a checkout with: cd mgpusim_patches && go build" in result.stdout
    report = json.loads(run(without_bridge, "doctor", "--json").stdout)
    assert report["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert report["packages"]["numpy"] == np.__version__
    assert report["kernels"]["number"] > 50
    assert report["backends"]["mgpusim"]["available"] is False


def test_a_variable_that_names_no_program_is_told(without_bridge, tmp_path):
    result = run({**without_bridge, BRIDGE_VARIABLE: str(tmp_path / "none")}, "layer", "pool", "--backend", "mgpusim")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"{BRIDGE_VARIABLE} names {tmp_path / 'none'}, which is no program" in result.stderr
    assert "not available" in run({**without_bridge, BRIDGE_VARIABLE: str(tmp_path)}, "doctor").stdout


def test_names_of_back_ends_and_kernels_are_checked(without_bridge):
    with pytest.raises(ConfigurationError, match="the back end is embedded or mgpusim, got 'amd'"):
        model_program("amd")
    with pytest.raises(ConfigurationError, match="the kernels are best or portable, got 'fast'"):
        CoSimulation(kernels="fast")
    result = run(without_bridge, "run", "benchmarks/photo_conv_small.toml", "--kernels", "fast")
    assert result.returncode == 2
    assert "--kernels is best or portable, got 'fast'" in result.stderr


def test_portable_kernels_give_the_bits_of_the_others():
    """The rewritten instructions compute the same: both objects come from one source."""
    assert kernel_object("gemm.hsaco", portable=True) != kernel_object("gemm.hsaco")
    assert kernel_object("softmax.hsaco", portable=True) == kernel_object("softmax.hsaco")
    rng = np.random.default_rng(3)
    M, N, K = 70, 65, 33
    a, b = rng.standard_normal((M, K)).astype(np.float32), rng.standard_normal((K, N)).astype(np.float32)
    products = []
    for kernels in ("best", "portable"):
        with CoSimulation(kernels=kernels, mode="functional") as session:
            c = session.empty((M, N), name="c")
            sizes = {"M": M, "N": N, "K": K, "lda": K, "ldb": N, "ldc": N}
            args = {"a": session.array(a, name="a"), "b": session.array(b, name="b"), "c": c, **sizes}
            session.launch("gemm_nn", args=args)
            products.append(c.numpy())
    assert products[0].tobytes() == products[1].tobytes()
    np.testing.assert_allclose(products[1], a.astype(float) @ b, rtol=1e-4, atol=1e-4)


def test_every_portable_kernel_verifies_on_the_embedded_model(tmp_path):
    """The script that records them runs each layer against numpy; the capsules then give the same memory."""
    folder = tmp_path / "kernels"
    environment = dict(os.environ)
    script = ROOT / "benchmarks" / "record_kernels.py"
    made = run(environment, "capsule", "record", folder, "--script", script, "--each-kernel")
    assert made.returncode == 0, made.stderr
    capsules = sorted(folder.iterdir())
    assert len(capsules) >= 20
    assert run(environment, "capsule", "run", *capsules).returncode == 0


def test_a_convolution_of_several_images_verifies_with_portable_kernels():
    shape = ("--n", 2, "--c", 5, "--h", 9, "--k", 10, "--density", 0.4)
    result = run(dict(os.environ), "layer", "conv", *shape, "--kernels", "portable")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(" yes ") >= 3

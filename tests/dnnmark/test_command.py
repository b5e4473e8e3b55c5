"""`spartan dnnmark` and `spartan layer` as processes: output, JSON, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.dnnmark import Network, parse_file

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "benchmarks" / "dnnmark"
BLOCK = """[DNNMark]
run_mode=composed
[Convolution]
name=conv1
n=2
c=3
h=17
w=17
conv_mode=convolution
propagation=false
num_output=16
kernel_size=3
pad=1
stride=2
[BatchNorm]
name=bn1
previous_layer=conv1
batchnorm_mode=spatial
[Activation]
name=relu1
previous_layer=bn1
[Convolution]
name=conv2
previous_layer=relu1
num_output=16
kernel_size=3
pad=1
[Add]
name=sum
previous_layer=conv2
residual_layer=relu1
[Pooling]
name=pool
previous_layer=sum
[FullyConnected]
name=fc
previous_layer=pool
num_output=10
[Softmax]
name=softmax
previous_layer=fc
"""
FORWARD = ["ConvFwd", "BnFwd", "ActFwd", "ConvFwd", "AddFwd", "PoolFwd", "FcFwd", "SoftmaxFwd"]
BACKWARD = ["SoftmaxBwd", "FcBwdData", "FcBwdFilter", "PoolBwd", "AddBwd", "ConvBwdData", "ConvBwdFilter", "SumBwd"]
BACKWARD += ["ActBwd", "BnBwd", "ConvBwdFilter"]


def spartan(*arguments: object, kernels: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from bridge.cli import main; main()", *map(str, arguments)]
    env = dict(os.environ, **({} if kernels is None else {"SPARTAN_KERNELS": str(kernels)}))
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=240, check=False)


@pytest.fixture
def block(tmp_path: Path) -> Path:
    path = tmp_path / "block.dnnmark"
    path.write_text(BLOCK)
    return path


def test_a_network_in_timing_mode(block, tmp_path):
    out = tmp_path / "out.json"
    done = spartan("dnnmark", block, "--json", out, "--iterations", 2)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())
    assert [row["label"] for row in rows] == FORWARD + BACKWARD
    assert {frozenset(row) for row in rows} == {
        frozenset(["label", "layer", "phase", "cycles", "ms", "density", "verified", "spartan"])
    }
    for row in rows:
        assert row["verified"] is True
        assert row["cycles"] > 0
        assert row["ms"] == pytest.approx(row["cycles"] / 1e6)
        assert 0 < row["density"] <= 1
        assert (row["spartan"] is not None) == row["label"].startswith(("Conv", "Fc"))
    first = rows[3]
    assert first["layer"] == "conv2"
    assert 0.3 < first["density"] < 0.7
    figures = first["spartan"]
    assert figures["speedup"] == pytest.approx(first["cycles"] / figures["cycles"])
    assert figures["ideal_speedup"] > 1
    lines = done.stdout.splitlines()
    assert lines[2].split()[:2] == ["ConvFwd", "conv1"]
    assert [line.split()[0] for line in lines[2 : 2 + len(rows)]] == FORWARD + BACKWARD
    after = [line.split() for line in lines[2 + len(rows) :] if line]
    assert [words[0] for words in after] == ["total", "layer", "conv1", "conv2", "fc", "all"]
    compared = [row for row in rows if row["spartan"] is not None]
    better = sum(min(row["cycles"], row["spartan"]["cycles"]) for row in compared)
    assert float(after[-1][4].replace(",", "")) == pytest.approx(better, abs=0.5)


def test_phases_layers_and_units_can_be_left_out(block, tmp_path):
    out = tmp_path / "out.json"
    common = ["dnnmark", block, "--mode", "functional", "--no-spartan", "--json", out]

    def labels(*arguments: object) -> list[str]:
        done = spartan(*common, *arguments)
        assert done.returncode == 0, done.stderr
        rows = json.loads(out.read_text())
        assert all(row["verified"] and row["spartan"] is None for row in rows)
        return [row["label"] for row in rows]

    assert labels("--phase", "forward") == FORWARD
    assert labels("--phase", "backward") == BACKWARD
    assert labels("--layer", "conv2", "--n", 1) == ["ConvFwd", "ConvBwdData", "ConvBwdFilter", "SumBwd"][:3]


def test_a_template_and_a_photograph():
    done = spartan(
        "dnnmark", SHIPPED / "conv_block.dnntemplate", "--n", 1, "--h", 10, "--w", 12, "--k", 16,
        "--mode", "functional", "--inputs", "photo",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == [
        "ConvFwd", "BnFwd", "ActFwd", "ActBwd", "BnBwd", "ConvBwdData", "ConvBwdFilter", "total",
    ]  # fmt: skip


def corrupt(path: Path) -> None:
    """Turn every v_add_f32 of a code object into v_sub_f32: bits 31…25 of a VOP2 word, opcode 1 to opcode 2."""
    data = bytearray(path.read_bytes())
    (sections,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, sections + i * size) for i in range(count)]
    text = next(h for h in headers if data[headers[names][4] + h[0] :].startswith(b".text\0"))
    changed = 0
    for at in range(text[4], text[4] + text[5], 4):
        (word,) = struct.unpack_from("<I", data, at)
        if word >> 25 == 1:
            struct.pack_into("<I", data, at, word & 0x01FFFFFF | 2 << 25)
            changed += 1
    assert changed
    path.write_bytes(data)


def test_a_corrupted_kernel_is_named(block, tmp_path):
    kernels = tmp_path / "kernels"
    shutil.copytree(ROOT / "kernels", kernels, ignore=shutil.ignore_patterns("src", "generate"))
    corrupt(kernels / "activation.hsaco")
    out = tmp_path / "out.json"
    done = spartan("dnnmark", block, "--mode", "functional", "--no-spartan", "--json", out, kernels=kernels)
    assert done.returncode == 1
    assert "results differ from their reference: AddFwd of sum" in done.stderr
    assert "Traceback" not in done.stderr
    wrong = [row for row in json.loads(out.read_text()) if not row["verified"]]
    # Each primitive is compared with the reference of what it read: those after a wrong one are right.
    assert [row["label"] for row in wrong] == ["AddFwd", "SumBwd"]
    assert "sum y[" in wrong[0]["message"]


def test_a_corrupted_sparse_kernel_is_named(tmp_path):
    """What the units' side writes is verified, too: the dense side is right, and the primitive fails."""
    kernels, out = tmp_path / "kernels", tmp_path / "out.json"
    shutil.copytree(ROOT / "kernels", kernels, ignore=shutil.ignore_patterns("src", "generate"))
    corrupt(kernels / "sparse_dense.hsaco")
    done = spartan(
        "layer", "fc", "--c", 70, "--h", 1, "--k", 40, "--mode", "functional", "--json", out, kernels=kernels
    )
    assert done.returncode == 1
    assert "results differ from their reference: FcFwd of fc, FcBwdData of fc; fc FcFwd spartan y[" in done.stderr
    assert [row["verified"] for row in json.loads(out.read_text())] == [False, False, True]


def test_a_run_layer_by_layer_goes_on_where_it_was(block, tmp_path):
    out, file = tmp_path / "run", tmp_path / "out.json"
    command = ["dnnmark", block, "--mode", "functional", "--no-spartan", "--resume", out, "--json", file]
    assert spartan(*command).returncode == 0
    rows = json.loads(file.read_text())
    whole = tmp_path / "whole.json"
    assert spartan("dnnmark", block, "--mode", "functional", "--no-spartan", "--json", whole).returncode == 0
    of_whole = json.loads(whole.read_text())
    assert sorted((row["layer"], row["label"]) for row in rows) == sorted((r["layer"], r["label"]) for r in of_whole)
    density = {(row["layer"], row["label"]): row["density"] for row in of_whole}
    assert all(row["density"] == density[row["layer"], row["label"]] for row in rows)
    assert "SumBwd" in {row["label"] for row in rows}
    assert all(row["verified"] for row in rows)
    # A row that is there is taken as it is; a layer that is not is measured again.
    kept = out / "rows" / "001.json"
    marked = json.loads(kept.read_text())
    marked[0]["cycles"] = 12345.0
    kept.write_text(json.dumps(marked))
    (out / "rows" / "003.json").unlink()
    assert spartan(*command).returncode == 0
    again = json.loads(file.read_text())
    assert [row["cycles"] for row in again if row["label"] == "BnFwd"] == [12345.0]
    assert [{**row, "cycles": 0.0, "ms": 0.0} for row in again] == [{**row, "cycles": 0.0, "ms": 0.0} for row in rows]
    done = spartan(*command, "--seed", 5)
    assert done.returncode == 2
    assert "holds the results of another job; choose another folder or remove it" in done.stderr


def test_a_killed_run_goes_on_where_it_was(block, tmp_path):
    out, file, whole = tmp_path / "run", tmp_path / "out.json", tmp_path / "whole.json"
    command = ["dnnmark", block, "--mode", "functional", "--no-spartan", "--resume"]
    line = [sys.executable, "-c", "from bridge.cli import main; main()", *map(str, command), str(out)]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while not (out / "rows" / "001.json").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        process.kill()
        process.wait()
    kept = sorted((out / "rows").glob("*.json"))
    assert 2 <= len(kept) < 8
    times = [path.stat().st_mtime_ns for path in kept]
    assert spartan(*command, out, "--json", file).returncode == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert spartan(*command, tmp_path / "other", "--json", whole).returncode == 0
    assert json.loads(file.read_text()) == json.loads(whole.read_text())


def test_run_mode_none_prints_shapes_and_runs_nothing(block):
    block.write_text(BLOCK.replace("composed", "none").replace(BLOCK[BLOCK.index("[BatchNorm]") :], ""))
    done = spartan("dnnmark", block)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "conv1: Convolution 2×3×17×17 → 2×16×9×9"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--phase", "sideways"], "--phase is forward, backward, both, got 'sideways'"),
        (["--layer", "conv9"], "there is no layer 'conv9'; did you mean 'conv"),
        (["--inputs", "noise"], "inputs are gaussian or photo, got 'noise'"),
        (["--json", "/nowhere/out.json"], "--json: the folder /nowhere does not exist"),
        (["--set", "N"], "--set takes NAME=VALUE, got 'N'"),
        (["--gpu", "r9"], "r9nano"),
    ],
)
def test_wrong_options_end_in_one_sentence(block, arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spartan", "dnnmark", str(block), "--mode", "functional", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_single_layer(tmp_path):
    out = tmp_path / "out.json"
    done = spartan(
        "layer", "conv", "--c", 16, "--k", 24, "--h", 9, "--w", 7, "--density", 0.25, "--set", "groups=2", "--mode",
        "functional", "--json", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())
    assert [row["label"] for row in rows] == ["ConvFwd", "ConvBwdData", "ConvBwdFilter"]
    assert rows[0]["density"] == pytest.approx(0.25, abs=0.05)
    assert rows[0]["spartan"]["ideal_speedup"] == pytest.approx(4, rel=0.2)
    done = spartan("layer", "convolve")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no layer 'convolve'; known: conv, pool" in done.stderr
    done = spartan("layer", "pool", "--set", "pool_mode=median")
    assert done.returncode == 2
    assert "pool_mode can't be 'median'" in done.stderr


@pytest.mark.parametrize("path", sorted(SHIPPED.iterdir()), ids=lambda path: path.stem)
def test_shipped_files_are_read(path):
    assert Network.from_description(parse_file(path)).nodes


# Shapes as published: see the heading of each file. shared/reference/layers.toml of the developers says the same.
MACS = {"alexnet": 1_076_634_144, "alexnet_grouped": 665_784_864, "vgg16": 15_346_630_656, "resnet18": 1_813_561_344}


@pytest.mark.parametrize("name", MACS)
def test_shipped_networks_have_the_published_multiply_adds(name):
    total = 0
    for node in Network.from_description(parse_file(SHIPPED / f"{name}.dnnmark")).nodes:
        layer = node.layer
        if layer.section == "Convolution":
            _, filters, p, q = node.output_shape
            taps = node.input_shape[1] // layer.groups * layer.kernel_size_h * layer.kernel_size_w
            total += filters * p * q * taps
    assert total == MACS[name]

"""The `.dnnmark` format: every section, key, value and default, templates, and the message for each kind of mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import ConfigurationError
from bridge.dnnmark import Network, parse_file, parse_text
from bridge.dnnmark.layers import LAYERS

HEADER = "[DNNMark]\nrun_mode=standalone\n"


def one(text: str):
    (layer,) = parse_text(HEADER + text).layers
    return layer


# DNNMark's defaults: core/include/dnn_param.h and common.h of its public repository.
DEFAULTS = {
    "Convolution": {
        "conv_mode": "cross_correlation",
        "propagation": True,
        "num_output": 32,
        "kernel_size_h": 5,
        "kernel_size_w": 5,
        "pad_h": 2,
        "pad_w": 2,
        "stride_h": 1,
        "stride_w": 1,
        "algo": "",
        "algod": "",
        "conv_fwd_pref": "fastest",
        "conv_bwd_filter_pref": "fastest",
        "conv_bwd_data_pref": "fastest",
        "groups": 1,
        "dilation_h": 1,
        "dilation_w": 1,
        "bias": False,
    },
    "Pooling": {
        "pool_mode": "max",
        "kernel_size_h": 3,
        "kernel_size_w": 3,
        "pad_h": 0,
        "pad_w": 0,
        "stride_h": 2,
        "stride_w": 2,
        "rounding": "up",
    },
    "LRN": {"lrn_mode": "cross_channel_dim1", "local_size": 5, "alpha": 0.0001, "beta": 0.75, "k": 2.0},
    "Activation": {"activation_mode": "relu", "ceiling": 6.0},
    "FullyConnected": {"num_output": 4096, "bias": False},
    "Softmax": {"softmax_algo": "accurate", "softmax_mode": "channel"},
    "BatchNorm": {
        "batchnorm_mode": "per_activation",
        "save_intermediates": True,
        "exp_avg_factor": 1.0,
        "epsilon": 1e-5,
    },
    "Dropout": {"dropout_probability": 0.5, "random_seed": 0},
    "Bypass": {},
    "Add": {"residual_layer": None},
    "GlobalAveragePooling": {},
}
COMMON = {
    "n": 0,
    "c": 0,
    "h": 0,
    "w": 0,
    "previous_layer": None,
    "density": None,
    "gradient_density": None,
    "trace": None,
}

# Section, line, what it sets.
KEYS = [
    ("Convolution", "conv_mode=convolution", {"conv_mode": "convolution"}),
    ("Convolution", "conv_mode=cross_correlation", {"conv_mode": "cross_correlation"}),
    ("Convolution", "propagation=false", {"propagation": False}),
    ("Convolution", "propagation=true", {"propagation": True}),
    ("Convolution", "num_output=96", {"num_output": 96}),
    ("Convolution", "kernel_size=11", {"kernel_size_h": 11, "kernel_size_w": 11}),
    ("Convolution", "kernel_size_h=7", {"kernel_size_h": 7}),
    ("Convolution", "kernel_size_w=1", {"kernel_size_w": 1}),
    ("Convolution", "pad=0", {"pad_h": 0, "pad_w": 0}),
    ("Convolution", "pad_h=1", {"pad_h": 1}),
    ("Convolution", "pad_w=3", {"pad_w": 3}),
    ("Convolution", "stride=4", {"stride_h": 4, "stride_w": 4}),
    ("Convolution", "stride_h=2", {"stride_h": 2}),
    ("Convolution", "stride_w=3", {"stride_w": 3}),
    *[("Convolution", f"algo={a}", {"algo": a}) for a in ("0", "1", "3", "fft", "fft_tiling", "winograd", "auto")],
    *[("Convolution", f"algo={a}", {"algo": a}) for a in ("winograd_nonfused", "cudnn", "autoex", "")],
    *[("Convolution", f"algod={a}", {"algod": a}) for a in ("0", "1", "fft", "winograd")],
    *[
        ("Convolution", f"{key}={value}", {key: value})
        for key in ("conv_fwd_pref", "conv_bwd_filter_pref", "conv_bwd_data_pref")
        for value in ("no_workspace", "fastest", "specify_workspace_limit")
    ],
    ("Convolution", "groups=2", {"groups": 2}),
    ("Convolution", "dilation=2", {"dilation_h": 2, "dilation_w": 2}),
    ("Convolution", "dilation_h=3", {"dilation_h": 3}),
    ("Convolution", "dilation_w=4", {"dilation_w": 4}),
    ("Convolution", "bias=true", {"bias": True}),
    *[
        ("Pooling", f"pool_mode={mode}", {"pool_mode": mode})
        for mode in ("max", "avg", "avg_include_padding", "avg_exclude_padding")
    ],
    ("Pooling", "kernel_size=2", {"kernel_size_h": 2, "kernel_size_w": 2}),
    ("Pooling", "kernel_size_h=4", {"kernel_size_h": 4}),
    ("Pooling", "kernel_size_w=5", {"kernel_size_w": 5}),
    ("Pooling", "pad=1", {"pad_h": 1, "pad_w": 1}),
    ("Pooling", "pad_h=2", {"pad_h": 2}),
    ("Pooling", "pad_w=1", {"pad_w": 1}),
    ("Pooling", "stride=3", {"stride_h": 3, "stride_w": 3}),
    ("Pooling", "stride_h=1", {"stride_h": 1}),
    ("Pooling", "stride_w=4", {"stride_w": 4}),
    ("Pooling", "rounding=up", {"rounding": "up"}),
    ("Pooling", "rounding=down", {"rounding": "down"}),
    ("LRN", "lrn_mode=cross_channel_dim1", {"lrn_mode": "cross_channel_dim1"}),
    ("LRN", "lrn_mode=within_channel", {"lrn_mode": "within_channel"}),
    ("LRN", "local_size=3", {"local_size": 3}),
    ("LRN", "alpha=0.001", {"alpha": 0.001}),
    ("LRN", "beta=0.5", {"beta": 0.5}),
    ("LRN", "k=1.0", {"k": 1.0}),
    *[
        ("Activation", f"activation_mode={mode}", {"activation_mode": mode})
        for mode in ("relu", "sigmoid", "tanh", "clipped_relu", "soft_relu")
    ],
    ("Activation", "ceiling=1.5", {"ceiling": 1.5}),
    ("FullyConnected", "num_output=10", {"num_output": 10}),
    ("FullyConnected", "bias=true", {"bias": True}),
    *[("Softmax", f"softmax_algo={a}", {"softmax_algo": a}) for a in ("fast", "accurate", "log")],
    *[("Softmax", f"softmax_mode={m}", {"softmax_mode": m}) for m in ("instance", "channel")],
    *[("BatchNorm", f"batchnorm_mode={m}", {"batchnorm_mode": m}) for m in ("per_activation", "spatial")],
    ("BatchNorm", "save_intermediates=false", {"save_intermediates": False}),
    ("BatchNorm", "save_intermediates=true", {"save_intermediates": True}),
    ("BatchNorm", "exp_avg_factor=0.5", {"exp_avg_factor": 0.5}),
    ("BatchNorm", "epsilon=2e-5", {"epsilon": 2e-5}),
    ("Dropout", "dropout_probability=.3", {"dropout_probability": 0.3}),
    ("Dropout", "random_seed=18446744073709551615", {"random_seed": 2**64 - 1}),
    ("Add", "residual_layer=conv1", {"residual_layer": "conv1"}),
    ("Add", "residual_layer=null", {"residual_layer": None}),
    *[
        (section, line, value)
        for section in LAYERS
        for line, value in [
            ("name=layer7", {"name": "layer7"}),
            ("n=2", {"n": 2}),
            ("c=3", {"c": 3}),
            ("h=4", {"h": 4}),
            ("w=5", {"w": 5}),
            ("previous_layer=conv0", {"previous_layer": "conv0"}),
            ("previous_layer=null", {"previous_layer": None}),
            ("density=0.25", {"density": 0.25}),
            ("gradient_density=1", {"gradient_density": 1.0}),
            ("trace=runs/a.safetensors", {"trace": "runs/a.safetensors"}),
        ]
    ],
]


def test_every_section_and_key_is_listed_here():
    assert set(DEFAULTS) == set(LAYERS)
    for section, layer in LAYERS.items():
        tested = {line.partition("=")[0] for heading, line, _ in KEYS if heading == section}
        assert tested == {*layer.model_fields, *layer.pairs} - {"line"}, section


@pytest.mark.parametrize("section", LAYERS)
def test_defaults(section):
    layer = one(f"[{section}]\n")
    wanted = {**COMMON, **DEFAULTS[section], "name": f"{section.lower()}1", "line": 3}
    assert layer.model_dump() == wanted


@pytest.mark.parametrize(("section", "line", "value"), KEYS)
def test_key(section, line, value):
    assert one(f"[{section}]\n{line}\n").model_dump() == {**one(f"[{section}]\n").model_dump(), **value}


@pytest.mark.parametrize("mode", ["none", "standalone", "composed"])
def test_run_mode(mode):
    assert parse_text(f"[DNNMark]\nrun_mode={mode}\n[Bypass]\n").run_mode == mode


def test_without_a_run_mode_nothing_is_run():
    assert parse_text("[Bypass]\n").run_mode == "none"


def test_a_later_key_overrides_an_earlier_one():
    layer = one("[Convolution]\nkernel_size_h=7\nkernel_size=3\nkernel_size_w=1\nstride=2\nstride=4\n")
    assert (layer.kernel_size_h, layer.kernel_size_w, layer.stride_h) == (3, 1, 4)


def test_space_and_comments_do_not_matter():
    text = "# first\n\n  [DNNMark]  \n\trun_mode = composed\r\n\n  # more $X\n [Bypass]\n  n = 2 \nc=1\nh=1\nw=1\n"
    description = parse_text(text)
    assert description.run_mode == "composed"
    assert (description.layers[0].n, description.layers[0].line) == (2, 7)


MISTAKES = [
    ("[Convolutoin]", "t.dnnmark:3: there is no section [Convolutoin]; did you mean [Convolution]?"),
    ("[Quux]", "t.dnnmark:3: there is no section [Quux]; known: [DNNMark], [Convolution], [Pooling]"),
    ("[Pooling\n", "t.dnnmark:3: there is no section [Pooling; did you mean [Pooling]?"),
    ("[Convolution]\nkernelsize=3", "t.dnnmark:4: [Convolution] has no key 'kernelsize'; did you mean 'kernel_size'?"),
    ("[Bypass]\nkernel_size=3", "t.dnnmark:4: [Bypass] has no key 'kernel_size'; known: 'name', 'n', 'c', 'h', 'w'"),
    ("[Pooling]\n\npool_mode=maximum", "t.dnnmark:5: pool_mode can't be 'maximum'; did you mean 'max'?"),
    (
        "[Softmax]\nsoftmax_algo=quick",
        "t.dnnmark:4: softmax_algo can't be 'quick'; known: 'fast', 'accurate', 'log'",
    ),
    ("[Convolution]\nalgo=fftt", "t.dnnmark:4: algo can't be 'fftt'; did you mean 'fft'?"),
    ("[Convolution]\npropagation=flase", "t.dnnmark:4: propagation can't be 'flase'; did you mean 'false'?"),
    ("[Convolution]\nkernel_size=3x3", "t.dnnmark:4: kernel_size_h can't be '3x3'; expected a whole number"),
    ("[Convolution]\nstride=0", "t.dnnmark:4: stride_h can't be '0'; it must be at least 1"),
    ("[LRN]\nalpha=small", "t.dnnmark:4: alpha can't be 'small'; expected a number"),
    ("[LRN]\nk=0", "t.dnnmark:4: k can't be '0'; it must be greater than 0"),
    ("[BatchNorm]\nepsilon=1e-7", "t.dnnmark:4: epsilon can't be '1e-7'; it must be at least 1e-05"),
    ("[Dropout]\ndropout_probability=1", "t.dnnmark:4: dropout_probability can't be '1'; it must be less than 1"),
    ("[Bypass]\ndensity=2", "t.dnnmark:4: density can't be '2'; it must be at most 1"),
    ("[Bypass]\nn=-1", "t.dnnmark:4: n can't be '-1'; it must be at least 0"),
    ("[Bypass]\nn", "t.dnnmark:4: expected key=value or [Section], got 'n'"),
    ("[Bypass]\nline=3", "t.dnnmark:4: [Bypass] has no key 'line'; did you mean 'name'?"),
    ("[Bypass]\nname=a\n[Bypass]\nname=a", "t.dnnmark:6: the name 'a' is taken by the layer of line 3;"),
    ("[Bypass]\nn=$M", "t.dnnmark:4: the variable $M has no value; known: $N, $C"),
    ("[Bypass]\nn=$conv_bwd_filter_perf", "the variable $conv_bwd_filter_perf has no value; did you mean $conv_bwd"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_mistake(text, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        parse_text(HEADER + text, "t.dnnmark")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n=2\n", "t.dnnmark:1: the key 'n' stands before any section; begin the file with [DNNMark]"),
        ("[DNNMark]\nrunmode=none", "t.dnnmark:2: [DNNMark] has no key 'runmode'; did you mean 'run_mode'?"),
        ("[DNNMark]\nrun_mode=alone", "t.dnnmark:2: run_mode can't be 'alone'; did you mean 'standalone'?"),
        ("[DNNMark]\nrun_mode=none", "t.dnnmark: no layer is described; expected a section such as [Convolution]"),
        ("", "t.dnnmark: no layer is described"),
    ],
)
def test_mistake_in_the_frame(text, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        parse_text(text, "t.dnnmark")


def test_a_missing_file_and_a_binary_one(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"none\.dnnmark can't be read: No such file or directory"):
        parse_file(tmp_path / "none.dnnmark")
    (tmp_path / "binary.dnnmark").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="it is not UTF-8 text"):
        parse_file(tmp_path / "binary.dnnmark")


def test_a_byte_order_mark_and_line_ends_of_other_systems(tmp_path: Path):
    path = tmp_path / "windows.dnnmark"
    path.write_bytes(b"\xef\xbb\xbf[DNNMark]\r\nrun_mode=composed\r\n[Bypass]\r\nn=2\r\n")
    description = parse_file(path)
    assert (description.run_mode, description.layers[0].n) == ("composed", 2)


TEMPLATE = """[DNNMark]
run_mode=composed
[Convolution]
n=$N
c=${C}
h=$H
w=$W
num_output=$K
kernel_size=$S
pad=$P
stride=$U
conv_bwd_filter_pref=$conv_bwd_filter_pref
$CUDNN_CBFA
$CUDNN_CBDA
"""


def test_a_template_has_the_defaults_of_its_runner():
    (layer,) = parse_text(TEMPLATE).layers
    assert (layer.n, layer.c, layer.h, layer.w) == (64, 3, 32, 32)
    assert (layer.num_output, layer.kernel_size_h, layer.stride_h, layer.pad_w) == (128, 3, 1, 1)
    assert (layer.algo, layer.algod) == ("", "")


def test_variables_of_a_template():
    values = {"N": "2", "K": "7", "CUDNN_CBFA": "algo=fft", "conv_bwd_filter_pref": "no_workspace"}
    (layer,) = parse_text(TEMPLATE, variables=values).layers
    assert (layer.n, layer.num_output, layer.algo, layer.conv_bwd_filter_pref) == (2, 7, "fft", "no_workspace")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_is_read_or_refused_with_one_sentence(text):
    message = "t: "
    try:
        parse_text("[DNNMark]\n[Convolution]\n" + text, "t")
    except ConfigurationError as error:
        message = str(error)
    assert re.match(r"t(:\d+)?: ", message)


NETWORK = """[DNNMark]
run_mode=composed
[Convolution]
name=conv1
n=2
c=3
h=227
w=227
previous_layer=null
num_output=96
kernel_size=11
pad=0
stride=4
[Pooling]
name=pool1
previous_layer=conv1
[Convolution]
name=conv2
previous_layer=pool1
num_output=96
[Add]
name=sum
previous_layer=conv2
residual_layer=pool1
[GlobalAveragePooling]
name=mean
previous_layer=sum
[FullyConnected]
name=fc
previous_layer=mean
num_output=10
"""


def test_shapes_of_a_network():
    network = Network.from_description(parse_text(NETWORK))
    assert [node.output_shape for node in network.nodes] == [
        (2, 96, 55, 55),
        (2, 96, 27, 27),
        (2, 96, 27, 27),
        (2, 96, 27, 27),
        (2, 96, 1, 1),
        (2, 10, 1, 1),
    ]
    assert network["sum"].inputs == ("conv2", "pool1")
    assert [node.name for node in network.readers("pool1")] == ["conv2", "sum"]
    assert Network.from_description(parse_text(NETWORK), {"n": 1})["fc"].output_shape == (1, 10, 1, 1)


@pytest.mark.parametrize(
    ("size", "window", "stride", "pad", "out"),
    # Rounded up; no window begins beyond the input and its padding.
    [
        (55, 3, 2, 0, 27),
        (12, 3, 2, 0, 6),
        (32, 2, 2, 0, 16),
        (5, 2, 3, 0, 2),
        (4, 1, 3, 0, 2),
        (3, 1, 3, 0, 1),
        (112, 3, 2, 1, 57),
        (5, 2, 2, 1, 3),
        (2, 3, 2, 0, 1),
        (1, 3, 2, 1, 1),
    ],
)
def test_extents_of_pooling(size, window, stride, pad, out):
    text = f"{HEADER}[Pooling]\nn=1\nc=1\nh={size}\nw={size}\nkernel_size={window}\nstride={stride}\npad={pad}\n"
    assert Network.from_description(parse_text(text)).nodes[0].output_shape == (1, 1, out, out)


def test_extents_of_pooling_rounded_down():
    text = f"{HEADER}[Pooling]\nn=1\nc=1\nh=112\nw=5\nkernel_size=3\nstride=2\npad=1\nrounding=down\n"
    assert Network.from_description(parse_text(text)).nodes[0].output_shape == (1, 1, 56, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("previous_layer=conv1", "previous_layer=conv3", "layer 'pool1': there is no layer 'conv3' above it; did you"),
        ("previous_layer=conv1", "previous_layer=fc", "layer 'pool1': there is no layer 'fc' above it; a layer must"),
        ("previous_layer=null", "previous_layer=x", "layer 'conv1' states n, c, h and w and follows 'x'; a layer does"),
        ("previous_layer=conv1", "", "layer 'pool1' needs n, c, h and w, or a previous_layer"),
        ("residual_layer=pool1", "", "layer 'sum' needs a residual_layer"),
        (
            "residual_layer=pool1",
            "residual_layer=conv1",
            "layer 'sum' adds 'conv2' of shape [2, 96, 27, 27] and 'conv1'",
        ),
        (
            "kernel_size=11",
            "kernel_size=300",
            "a filter of 300 × 300 does not fit an input of 227 × 227 with padding 0",
        ),
        ("stride=4", "stride=4\ngroups=2", "groups = 2 must divide the 3 input channels and num_output = 96"),
        (
            "run_mode=composed",
            "run_mode=standalone",
            "layer 'pool1' must state n, c, h and w where run_mode is standal",
        ),
        ("name=pool1", "name=pool1\npad=3", "padding 3 × 3 must be smaller than the window of 3 × 3"),
    ],
)
def test_mistakes_in_a_network(old, new, message):
    assert old in NETWORK
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Network.from_description(parse_text(NETWORK.replace(old, new)))


def test_an_unknown_layer_is_named_with_the_nearest():
    with pytest.raises(ConfigurationError, match="there is no layer 'conv11'; did you mean 'conv1'"):
        Network.from_description(parse_text(NETWORK))["conv11"]

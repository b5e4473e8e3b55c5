"""DNNMark's benchmark files: read, checked and laid out as a network of layers with known shapes.

The format is that of DNNMark (S. Dong and D. Kaeli, GPGPU-10, 2017), read unchanged; docs/dnnmark.md lists every key.
"""

from bridge.dnnmark.network import Network, Node
from bridge.dnnmark.parser import Description, RunMode, parse_file, parse_text
from bridge.dnnmark.template import TEMPLATE_DEFAULTS

__all__ = ["TEMPLATE_DEFAULTS", "Description", "Network", "Node", "RunMode", "parse_file", "parse_text"]

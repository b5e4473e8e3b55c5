"""Leaves out the tests against PyTorch where it is not installed: `make test-torch` then fails for want of tests."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["test_torch.py"]

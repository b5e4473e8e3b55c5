"""Certificates, tokens and unit servers on TCP for tests."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import trustme

from bridge._process import Child
from bridge.units import TcpSecurity
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind


class Files:
    """Certificates of an authority, a server on 127.0.0.1 and a client, and a token."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority, stranger = trustme.CA(), trustme.CA()
        self.ca = self._write("ca.pem", authority.cert_pem.bytes())
        self.server = self._pair("server", authority.issue_cert("127.0.0.1", "localhost"))
        self.client = self._pair("client", authority.issue_cert("driver@example.org"))
        self.stranger = self._pair("stranger", stranger.issue_cert("driver@example.org"))
        self.token = self._write("token", b"s3same\n")

    def _write(self, name: str, content: bytes) -> Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def _pair(self, name: str, issued: trustme.LeafCert) -> tuple[Path, Path]:
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return self._write(f"{name}.pem", chain), self._write(f"{name}.key", issued.private_key_pem.bytes())


@contextlib.contextmanager
def serving(
    kind: UnitKind, log: Path, *options: str, listen: str = "tcp://127.0.0.1:0", spec: str | None = None
) -> Iterator[str]:
    """A server of the default unit of a kind, or of `spec`; its address."""
    unit = spec or DEFAULT_UNITS[kind]
    command = [sys.executable, "-m", "spartan_units.serve", "--unit", unit, "--listen", listen, *options]
    child = Child(command, log=log)
    try:
        child.wait_ready(30)
        yield f"tcp://{child.address}"
    finally:
        child.stop()


def server_options(files: Files, how: str) -> list[str]:
    tls = ["--tls-certificate", str(files.server[0]), "--tls-key", str(files.server[1])]
    return {
        "mutual": [*tls, "--tls-client-ca", str(files.ca)],
        "token": [*tls, "--token-file", str(files.token)],
        "bare": ["--insecure-loopback"],
    }[how]


def security(files: Files, how: str) -> TcpSecurity:
    return {
        "mutual": TcpSecurity.from_files(ca=files.ca, certificate=files.client[0], key=files.client[1]),
        "token": TcpSecurity.from_files(ca=files.ca, token=files.token),
        "bare": TcpSecurity(insecure_loopback=True),
        "stranger": TcpSecurity.from_files(ca=files.ca, certificate=files.stranger[0], key=files.stranger[1]),
        "wrong token": TcpSecurity(ca=files.ca.read_bytes(), token="guess"),
        "nothing": TcpSecurity(),
    }[how]

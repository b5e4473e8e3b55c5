"""Unit servers on TCP: what protects them, what is refused, and that the result is the same."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from bridge import CoSimulation, UnitChoice, UnitFailedError
from bridge._process import Child, ChildError
from bridge.units import TcpSecurity
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from tests.cosim.jobs import run


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


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@contextlib.contextmanager
def serving(kind: UnitKind, log: Path, *options: str, listen: str = "tcp://127.0.0.1:0") -> Iterator[str]:
    command = [sys.executable, "-m", "spartan_units.serve", "--unit", DEFAULT_UNITS[kind], "--listen", listen, *options]
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


@pytest.mark.parametrize("how", ["mutual", "token", "bare"])
def test_the_result_is_that_of_the_units_built_in(files, tmp_path, how):
    with contextlib.ExitStack() as stack:
        units = [
            UnitChoice(
                kind,
                stack.enter_context(serving(kind, tmp_path / "log", *server_options(files, how))),
                security=security(files, how),
            )
            for kind in UnitKind
        ]
        with CoSimulation(units=units) as session:
            outcome = run(session)
    with CoSimulation(units=[UnitChoice(kind, "builtin") for kind in UnitKind]) as session:
        assert run(session) == outcome


@pytest.mark.parametrize(
    ("server", "client", "message"),
    [
        ("mutual", "stranger", "no unit server answers|handshake|its process is gone"),
        ("mutual", "nothing", "needs mutual TLS, or a token over TLS, or --insecure-loopback"),
        ("token", "wrong token", "the token is not the one that this unit server expects"),
        ("mutual", "bare", "no unit server answers|handshake|its process is gone"),
    ],
)
def test_who_does_not_belong_there_is_refused(files, tmp_path, server, client, message):
    kind = UnitKind.SCHEDULER
    with serving(kind, tmp_path / "log", *server_options(files, server)) as address:
        choice = UnitChoice(kind, address, security=security(files, client))
        with pytest.raises(UnitFailedError, match=message), CoSimulation(units=[choice], reply_deadline_s=5):
            pass


def test_a_bare_connection_leaves_the_host_neither_way(files, tmp_path):
    bare = serving(UnitKind.MONITOR, tmp_path / "log", "--insecure-loopback", listen="tcp://0.0.0.0:0")
    with pytest.raises(ChildError, match=r"loopback addresses only, 0\.0\.0\.0 is none"), bare:
        pass
    choice = UnitChoice(UnitKind.MONITOR, "tcp://192.0.2.1:9", security=security(files, "bare"))
    with pytest.raises(UnitFailedError, match=r"192\.0\.2\.1 is none"), CoSimulation(units=[choice]):
        pass


def test_a_server_on_tcp_without_protection_does_not_start(tmp_path):
    command = [sys.executable, "-m", "spartan_units.serve", "--unit", DEFAULT_UNITS[UnitKind.MONITOR]]
    result = subprocess.run(
        [*command, "--listen", "tcp://127.0.0.1:0"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert result.returncode == 2
    assert "needs mutual TLS" in result.stderr
    assert len(result.stderr.splitlines()) == 1

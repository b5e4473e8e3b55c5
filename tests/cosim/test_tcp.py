"""Unit servers on TCP: what protects them, what is refused, and that the result is the same."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import pytest

from bridge import CoSimulation, UnitChoice, UnitFailedError
from bridge._process import ChildError
from spartan_units.registry import DEFAULT_UNITS
from spartan_units.types import UnitKind
from tests.cosim.jobs import run
from tests.cosim.test_jobs import DEFAULT, JOB, spartan
from tests.cosim.tls import Files, security, server_options, serving


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


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


TLS = {
    "mutual": 'ca = "ca.pem"\ncertificate = "client.pem"\nkey = "client.key"\n',
    "token": 'ca = "ca.pem"\ntoken_file = "token"\n',
    "bare": "insecure_loopback = true\n",
}


def job(addresses: dict[str, str], tables: str) -> str:
    units = "".join(f'[units.{kind}]\nspec = "{address}"\n' for kind, address in addresses.items())
    return JOB.replace("[input]", f"{units}{tables}[input]", 1)


def test_a_job_file_says_how_tcp_is_protected(files, tmp_path):
    """For all units or for one, in the file or on the command line; the result is that of the units built in."""
    how = {"monitor": "mutual", "compaction": "token", "scheduler": "bare"}
    with contextlib.ExitStack() as stack:
        addresses = {
            kind: stack.enter_context(serving(UnitKind(kind), tmp_path / "log", *server_options(files, protection)))
            for kind, protection in how.items()
        }
        tables = "".join(f"[units.{kind}.tls]\n{TLS[how[kind]]}" for kind in ("compaction", "scheduler"))
        (files.folder / "job.toml").write_text(job(addresses, f"{tables}[tls]\n{TLS['mutual']}"))
        # From another folder: the paths in a file are relative to it.
        ran = spartan("run", str(files.folder / "job.toml"), "--out", "out", cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        (files.folder / "bare.toml").write_text(job({"scheduler": addresses["scheduler"]}, f"[tls]\n{TLS['mutual']}"))
        options = [f"--unit=monitor={addresses['monitor']}", "--tls-ca", str(files.ca)]
        options += ["--tls-certificate", str(files.client[0]), "--tls-key", str(files.client[1])]
        (files.folder / "plain.toml").write_text(JOB)
        again = spartan("run", str(files.folder / "plain.toml"), "--out", "out2", *options, cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        refused = spartan("run", str(files.folder / "bare.toml"), "--out", "out3", cwd=tmp_path)
        assert refused.returncode == 3
        assert "scheduler failed at the handshake" in refused.stderr
    builtin = [f"--unit={kind}=builtin" for kind in DEFAULT]
    alone = spartan("run", str(files.folder / "plain.toml"), "--out", "out4", *builtin, cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    results = [json.loads((tmp_path / out / "results.json").read_text()) for out in ("out", "out2", "out4")]
    assert {unit["placement"] for unit in results[0]["units"]} == {"tcp"}
    assert len({result["trace_hash"] for result in results}) == 1


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('ca = "no.pem"', "no.pem can't be read: No such file or directory"),
        ('certficate = "client.pem"', "there is no key units.monitor.tls.certficate; did you mean 'certificate'?"),
        ("", "needs mutual TLS, or a token over TLS, or --insecure-loopback"),
    ],
)
def test_what_a_job_file_says_wrong_of_tls_ends_in_one_sentence(files, tmp_path, table, sentence):
    tables = f"[units.monitor.tls]\n{table}\n"
    (tmp_path / "job.toml").write_text(job({"monitor": "tcp://127.0.0.1:9"}, tables))
    ran = spartan("run", "job.toml", "--out", "out", cwd=tmp_path)
    assert ran.returncode == (2 if table else 3)
    assert sentence in ran.stderr
    assert len(ran.stderr.splitlines()) == 1

"""Runs the `spartan` command as a user does, and tells what it left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[2]
SPARTAN = str(Path(sys.executable).parent / "spartan")


@dataclass
class Finished:
    """How a command ended: exit status, output, seconds from `since` to its end, and what it left."""

    status: int
    out: str
    err: str
    seconds: float
    left: list[str]

    @property
    def sentence(self) -> str:
        """The message on standard error, without what the progress display drew."""
        lines = [line for line in self.err.splitlines() if line.startswith("spartan: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0].removeprefix("spartan: ")


class Command:
    """A running `spartan` command whose temporary files go to a folder of its own."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        # Unix sockets have short names, and tmp_path may be long.
        self.temporary = Path(subprocess.check_output(["mktemp", "-d", "/tmp/st.XXXXXX"], text=True).strip())
        self.cwd = tmp_path
        self.process = subprocess.Popen(
            [SPARTAN, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={
                **os.environ,
                "TMPDIR": str(self.temporary),
                "SPARTAN_SESSION_FOLDER": str(self.temporary),
                "TERM": "dumb",
            },
        )
        self.since = time.monotonic()

    def children(self) -> dict[str, int]:
        """Return the process ids of the command's children: "model", and the units by kind."""
        found = {}
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in map(int, text.split()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if words[0].endswith("gpusim"):
                found["model"] = pid
            elif "spartan_units.serve" in words:
                found[words[words.index("--kind") + 1]] = pid
        return found

    def wait_until_busy(self) -> dict[str, int]:
        """Wait until the model has used a second of processor time; return the children."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.communicate()
            children = self.children()
            if len(children) == 4:
                fields = Path(f"/proc/{children['model']}/stat").read_text().rpartition(")")[2].split()
                if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 1:
                    return children
            time.sleep(0.05)
        raise AssertionError("the model never got busy")

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        """Send a signal, and count the time from now."""
        os.kill(pid, number)
        self.since = time.monotonic()

    def finish(self, timeout: float = 120, pids: dict[str, int] | None = None) -> Finished:
        """Wait for the end; `pids` are children that must be gone then."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        seconds = time.monotonic() - self.since
        left = sorted(str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*"))
        left += [f"process {name}" for name, pid in (pids or {}).items() if Path(f"/proc/{pid}").exists()]
        subprocess.run(["rm", "-r", str(self.temporary)], check=True)
        return Finished(self.process.returncode, out, err, seconds, left)


def spartan(tmp_path: Path, *arguments: str, timeout: float = 120) -> Finished:
    """Run a command to its end."""
    return Command(tmp_path, *arguments).finish(timeout)

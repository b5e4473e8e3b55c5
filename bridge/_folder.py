"""Where a session has its folder of sockets and shared payloads."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["session_folder"]

_SHARED_ROOM = 256 << 20  # bytes that must be free for payloads in memory


def session_folder() -> str | None:
    """Return where sessions have their folders.

    That is what SPARTAN_SESSION_FOLDER says, else a file system in memory where the host has one with room. The path is
    short, because the address of a Unix socket has at most 107 bytes.
    """
    chosen = os.environ.get("SPARTAN_SESSION_FOLDER")
    if chosen:
        return chosen
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free > _SHARED_ROOM:
        return str(memory)
    return None if len(tempfile.gettempdir()) <= 60 else "/tmp"

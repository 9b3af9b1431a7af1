"""Where and with what a training runs: versions, processor, threads, seed, command line, commit."""
from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import netdef
from netdef.kernels import threads
from netdef.kernels.doctor import processor

_PACKAGES = ("numpy", "numba", "llvmlite", "protobuf", "h5py", "lmdb", "Pillow")


def environment(seed: int, command: Sequence[str]) -> dict[str, Any]:
    """The facts that may make two runs of one config differ, and when the run began; plain values for JSON."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": list(command),
        "folder": str(Path.cwd()),
        "seed": seed,
        "versions": {"netdef": netdef.__version__, "python": platform.python_version(),
                     **{name.lower(): version for name in _PACKAGES if (version := _version(name))}},
        "kernels": os.environ.get("NETDEF_KERNELS") or "compiled where they pay",
        "threads": threads.wanted() or _cores(),
        "processor": processor(),
        "cores": _cores(),
        "system": platform.platform(),
        "git": git_commit(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def git_commit() -> dict[str, Any] | None:
    """The commit of the working directory, and whether tracked files differ from it; None outside of a checkout, or
    without git."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return None
    return {"commit": commit, "changed": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL,
                              env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

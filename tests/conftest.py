"""What every test gets: NumPy kernels unless marked ``compiled``, a kernel cache of its own, the fixture ``shared``."""
from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_KERNELS = "NETDEF_KERNELS"
_CACHE = "NETDEF_CACHE_DIR"


def pytest_configure(config: pytest.Config) -> None:
    """Give the session a kernel cache, unless the caller brings one (``.ci/run`` brings a warm one)."""
    os.environ.pop(_KERNELS, None)  # the marks decide, not the caller
    if _CACHE not in os.environ:
        folder = tempfile.mkdtemp(prefix="netdef-cache-")
        os.environ[_CACHE] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> Iterator[None]:
    """Every test finds the log as a fresh Python has it: commands run within a test (``-q``) set its level for the process."""
    log = logging.getLogger("netdef")
    log.setLevel(logging.NOTSET)
    for handler in list(log.handlers):
        log.removeHandler(handler)
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Run an unmarked test on the NumPy kernels, in this process and in those that it starts.

    A hook and not an autouse fixture, since hypothesis refuses fixtures of a test's own.
    """
    if item.get_closest_marker("compiled"):
        yield
        return
    from netdef.kernels import table

    os.environ[_KERNELS] = "reference"
    try:
        with table.only_reference():
            yield
    finally:
        os.environ.pop(_KERNELS, None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data: ``$NETDEF_SHARED`` or ``../shared``. Skips where it is absent."""
    folder = Path(os.environ.get("NETDEF_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("needs the reference data folder ../shared")
    return folder

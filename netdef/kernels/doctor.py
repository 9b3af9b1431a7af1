"""What this machine offers to the kernels, as printed by `netdef doctor`."""
from __future__ import annotations

import os
import platform
import sys
import time

import numpy as np


def facts() -> dict[str, str]:
    """Versions, processor, threads, BLAS, Numba's threading layer and the kernel cache, by name."""
    import llvmlite
    import numba

    from netdef import __version__
    from netdef.kernels import cache, threads

    return {
        "netdef": __version__,
        "Python": f"{platform.python_version()} ({sys.executable})",
        "NumPy": np.__version__,
        "Numba": f"{numba.__version__} (llvmlite {llvmlite.__version__})",
        "processor": processor(),
        "vector features": ", ".join(_features()) or "none of AVX, AVX2, FMA, AVX-512",
        "cores": str(os.cpu_count()),
        "kernel threads": str(threads.wanted() or numba.config.NUMBA_NUM_THREADS),
        "threading layer": threads.start(),
        "BLAS": _blas(),
        "kernels": os.environ.get("NETDEF_KERNELS") or "compiled where they pay",
        "kernel cache": str(cache.folder()),
    }


def warm_report() -> str:
    """Compile every kernel that is not in the cache; one line that says how many and how long."""
    from netdef.kernels import jit

    begin = time.perf_counter()
    new = jit.warm()
    seconds = time.perf_counter() - begin
    return f"kernels ready: {len(jit.kernels())}; compiled now: {new}; seconds: {seconds:.1f}"


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
        return names[0] if names else platform.processor()
    except OSError:
        return platform.processor() or platform.machine()


def _features() -> list[str]:
    import llvmlite.binding as llvm

    host = llvm.get_host_cpu_features()
    return [f for f in ("avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl") if host.get(f)]


def _blas() -> str:
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas['version']}"
    except (TypeError, KeyError):
        return "unknown"

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compiled


def f():
    """Something to cache."""


@pytest.fixture
def cache():
    """The module, with no warning given yet."""
    from netdef.kernels import cache

    cache._warn_once.cache_clear()
    return cache


def test_folder(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("NETDEF_CACHE_DIR", str(tmp_path))
    assert cache.folder() == tmp_path / "kernels" / cache.digest()
    monkeypatch.delenv("NETDEF_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.user_cache() == tmp_path / "xdg" / "netdef"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.user_cache() == Path.home() / "Library" / "Caches" / "netdef"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache.user_cache() == tmp_path / "local" / "netdef" / "Cache"


def test_digest_sees_every_source_but_the_reference(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "_HERE", tmp_path)
    seen = []
    for name in ("jit.py", "compiled/a.py", "reference/b.py"):
        cache.digest.cache_clear()
        seen.append(cache.digest())
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1")
    cache.digest.cache_clear()
    seen.append(cache.digest())
    cache.digest.cache_clear()
    assert seen[0] != seen[1] != seen[2] == seen[3]


def test_unwritable_folder_warns_once_and_steps_aside(cache, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NETDEF_CACHE_DIR", str(tmp_path / "file"))
    assert cache.Locator.from_function(f, __file__) is None
    assert cache.Locator.from_function(f, __file__) is None
    assert len(caplog.messages) == 1 and "Set NETDEF_CACHE_DIR" in caplog.messages[0]


def test_read_only_folder_that_is_filled_is_used(cache, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("NETDEF_CACHE_DIR", str(tmp_path))
    cache.folder().mkdir(parents=True)

    def refuse(self):
        raise PermissionError("read-only")

    monkeypatch.setattr(cache.Locator, "ensure_cache_path", refuse)
    locator = cache.Locator.from_function(f, __file__)
    assert locator.get_cache_path() == str(cache.folder())
    made = cache.KernelCache(f, lambda place: None)
    monkeypatch.setattr(cache.caching.FunctionCache, "save_overload", lambda self, sig, data: refuse(self))
    made.save_overload(None, None)
    made.save_overload(None, None)
    assert len(caplog.messages) == 1 and "could not be kept" in caplog.messages[0]


def test_no_place_at_all(cache, monkeypatch, caplog):
    def nowhere(*args):
        raise RuntimeError("cannot cache function")

    class Dispatcher:
        py_func = f

    misses = []
    monkeypatch.setattr(cache, "KernelCache", nowhere)
    cache.attach(Dispatcher, misses.append)
    Dispatcher._cache.load_overload(None, None)
    Dispatcher._cache.save_overload(None, None)
    assert misses == ["not cached"] and len(caplog.messages) == 1


def folders(path, *names):
    """Cache folders, each used a minute after the one before."""
    for minute, name in enumerate(names):
        (path / name).mkdir(parents=True)
        (path / name / "index.nbi").write_text("")
        os.utime(path / name, (1e9 + 60 * minute, 1e9 + 60 * minute))


def test_prune_keeps_those_used_last_and_what_is_not_ours(cache, tmp_path):
    old, *new = (digit * 20 for digit in "abcd")
    folders(tmp_path, old, *new, "notes", "e" * 20 + ".gone-7")
    assert cache.prune(tmp_path) == [old]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*new, "notes"])
    assert cache.prune(tmp_path) == []
    assert cache.prune(tmp_path / "absent") == []


def test_prune_leaves_what_another_process_took(cache, monkeypatch, tmp_path):
    folders(tmp_path, *(digit * 20 for digit in "abcd"))

    def taken(self, target):
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "rename", taken)
    assert cache.prune(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 4


PRUNERS = """
import sys, numpy as np
from pathlib import Path
from netdef.kernels import cache, table
for _ in range(20):
    for digit in "0123456789":
        (Path(sys.argv[1]) / "kernels" / (digit * 20)).mkdir(parents=True, exist_ok=True)
    cache.prune(Path(sys.argv[1]) / "kernels", 1)
x = np.full(4, -1, np.float32)
table.TABLE["scale"].compiled(2.0, x, x)
assert x.tolist() == [-2] * 4
"""


def test_processes_prune_and_compile_at_once(tmp_path):
    env = {**os.environ, "NETDEF_CACHE_DIR": str(tmp_path)}
    started = [subprocess.Popen([sys.executable, "-c", PRUNERS, str(tmp_path)], env=env, stderr=subprocess.PIPE, text=True)
               for _ in range(3)]
    for process in started:
        assert process.wait(120) == 0, process.stderr.read()
        process.stderr.close()


def test_use_marks_a_folder_and_a_new_kernel_prunes(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("NETDEF_CACHE_DIR", str(tmp_path))
    folders(cache.folder().parent, cache.digest())
    cache._mark_used_once(str(cache.folder()))
    assert cache.folder().stat().st_mtime > 1.5e9
    cache._prune_once.cache_clear()
    seen = []
    monkeypatch.setattr(cache, "prune", lambda path: seen.append(path) or ["x"])
    monkeypatch.setattr(cache.caching.FunctionCache, "save_overload", lambda self, sig, data: None)
    for _ in range(2):
        cache.KernelCache(f, lambda place: None).save_overload(None, None)
    assert seen == [cache.folder().parent]

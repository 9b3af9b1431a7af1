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

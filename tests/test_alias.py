"""Stand-in modules: there while they are offered, never over a real module."""
import sys
from types import ModuleType

import pytest

from netdef import _alias

NAME = "netdef_test_alias"


def make():
    module = ModuleType(NAME)
    module.answer = 42
    return module


def test_offered_only_inside():
    for _ in range(2):
        with _alias.offering(NAME, make):
            module = __import__(NAME)
            assert module.answer == 42 and sys.modules[NAME] is module
        assert NAME not in sys.modules
        with pytest.raises(ModuleNotFoundError):
            __import__(NAME)


def test_leaves_no_finder_behind_after_an_error():
    before = list(sys.meta_path)
    with pytest.raises(RuntimeError), _alias.offering(NAME, make):
        __import__(NAME)
        raise RuntimeError
    assert sys.meta_path == before and NAME not in sys.modules


def test_a_real_module_wins(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text("answer = 'real'")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        with _alias.offering(NAME, make):
            assert __import__(NAME).answer == "real"
        assert sys.modules[NAME].answer == "real"  # imported for good, as ever
    finally:
        sys.modules.pop(NAME, None)


def test_a_loaded_module_wins(monkeypatch):
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))
    with _alias.offering(NAME, make):
        assert not hasattr(__import__(NAME), "answer")
    assert NAME in sys.modules


def test_one_inside_another():
    module = make()
    with _alias.offering(NAME, lambda: module):
        first = __import__(NAME)
        with _alias.offering(NAME, lambda: module):
            assert __import__(NAME) is first
        assert __import__(NAME) is first
    assert NAME not in sys.modules

"""The extra part of a state: there and back."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import WeightsError
from netdef.solvers.state import ExtraState, decode, encode


def test_there_and_back():
    extra = ExtraState(1, "SGD", "ab", 2**62, {"pass_number": 3, "layers": {"lstm": {
        "h": np.arange(6, dtype=np.float32).reshape(2, 3), "flags": np.array([True]), "n": np.int64(4)}}}, [{}])
    back = decode(encode(extra))
    h = back.train["layers"]["lstm"].pop("h")
    assert h.dtype == np.float32 and (h == np.arange(6).reshape(2, 3)).all() and h.flags.writeable
    assert back.train["layers"]["lstm"].pop("flags").tolist() == [True]
    assert back.train == {"pass_number": 3, "layers": {"lstm": {"n": 4}}}
    assert (back.version, back.type, back.digest, back.seed, back.tests) == (1, "SGD", "ab", 2**62, [{}])


def test_nothing_is_version_0():
    assert decode("") == ExtraState()


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1}', '{"version": "x"}', "null"])
def test_damage_is_reported(text):
    with pytest.raises(WeightsError, match="damaged"):
        decode(text, "a.solverstate")


def test_a_later_version_is_refused():
    with pytest.raises(WeightsError, match="of version 9; this netdef reads up to 2"):
        decode('{"version": 9}')


def test_an_earlier_version_lacks_what_came_later():
    text = '{"version": 1, "type": "SGD", "digest": "", "seed": 3, "train": {}, "tests": []}'
    assert decode(text) == ExtraState(1, "SGD", "", 3)
    with pytest.raises(WeightsError, match="damaged"):
        decode(text.replace('"seed": 3, ', ""))


def test_what_no_state_can_hold():
    with pytest.raises(TypeError, match="a state cannot hold a set"):
        encode(ExtraState(train={"x": {1}}))

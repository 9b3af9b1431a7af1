"""Solver states: round trip, protobuf, real files."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import weights
from netdef.config import blobproto, schema
from netdef.errors import WeightsError

HISTORY = [np.arange(6, dtype="f4").reshape(2, 3), np.ones(2, "f4")]


def test_round_trip_and_protobuf(tmp_path):
    path = tmp_path / "x.solverstate"
    weights.write_solverstate(path, 12, "x.caffemodel", HISTORY, 3)
    state = weights.read_solverstate(path)
    assert (state.iter, state.learned_net, state.current_step) == (12, "x.caffemodel", 3)
    for array, wanted in zip(state.history, HISTORY, strict=True):
        np.testing.assert_array_equal(array, wanted)
    message = schema.new("SolverState")
    message.ParseFromString(path.read_bytes())
    assert message.SerializeToString() == path.read_bytes()


def test_negative_numbers_take_ten_bytes(tmp_path):
    path = tmp_path / "x.solverstate"
    weights.write_solverstate(path, -1, "", [], -2)
    state = weights.read_solverstate(path)
    assert (state.iter, state.current_step) == (-1, -2)


def test_a_caffemodel_is_no_solverstate(tmp_path):
    path = tmp_path / "x"
    weights.write_caffemodel(path, [], "a net")
    with pytest.raises(WeightsError, match="expected a .solverstate; byte 0"):
        weights.read_solverstate(path)


def test_real_states_agree_with_protobuf(shared):
    files = [*(shared / "models").glob("*/*.solverstate"), *(shared / "conformance").glob("*/*.solverstate")]
    assert files
    for path in files:
        state = weights.read_solverstate(path)
        message = schema.new("SolverState")
        message.ParseFromString(path.read_bytes())
        assert (state.iter, state.learned_net) == (message.iter, message.learned_net)
        assert state.current_step == message.current_step and len(state.history) == len(message.history)
        for array, blob in zip(state.history, message.history, strict=True):
            np.testing.assert_array_equal(array, blobproto.to_array(blob))


def test_histories_of_adam_come_in_two_halves(shared):
    state = weights.read_solverstate(shared / "conformance/solvers/adam_fixed_iter_10.solverstate")
    assert state.iter == 10 and [a.shape for a in state.history[:4]] == [a.shape for a in state.history[4:]]
    assert all((a >= 0).all() for a in state.history[4:])

"""The .solverstate.h5."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import weights
from netdef.errors import WeightsError

h5py = pytest.importorskip("h5py")


def test_round_trip(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    history = [np.arange(i, dtype="f4") for i in range(12)] + [np.ones(2, "f8")]
    weights.write_solverstate(path, 7, "ä.caffemodel.h5", history, 2, '{"seed":1}')
    found = weights.read_solverstate(path)
    assert (found.iter, found.learned_net, found.current_step, found.extra) == (7, "ä.caffemodel.h5", 2, '{"seed":1}')
    assert len(found.history) == 13 and found.history[12].dtype == np.float64 and not any(found.legacy)
    for mine, theirs in zip(history, found.history, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_it_has_the_layout_of_caffes(shared, tmp_path):
    real = shared / "conformance/solvers/h5snap_iter_10.solverstate.h5"
    found = weights.read_solverstate(real)
    assert (found.iter, found.current_step, found.learned_net) == (10, 2, "h5snap_iter_10.caffemodel.h5")
    assert [a.shape for a in found.history] == [(4, 2, 3, 3), (4,), (3, 48), (3,)] and found.extra == ""
    weights.write_solverstate(tmp_path / "x.h5", found.iter, found.learned_net, found.history, found.current_step)
    with h5py.File(real) as theirs, h5py.File(tmp_path / "x.h5") as mine:
        assert sorted(theirs) == sorted(mine)
        for name in ("iter", "current_step", "learned_net", "history/0", "history/3"):
            a, b = theirs[name], mine[name]
            assert (a.shape, a.dtype, a.id.get_type().get_class()) == (b.shape, b.dtype, b.id.get_type().get_class())
            assert np.array_equal(a[()], b[()])
        for file in (theirs, mine):
            kind = file["learned_net"].id.get_type()
            assert kind.get_strpad() == h5py.h5t.STR_NULLTERM and not kind.is_variable_str()


@pytest.mark.parametrize(("make", "words"), [
    (lambda f: f.create_group("data"), "weights go to --weights"),
    (lambda f: (f.create_group("history"), f.create_dataset("iter", data=[1, 2])), "/iter is not one integer"),
    (lambda f: (f.create_group("history"), f.create_dataset("iter", data=1), f.create_dataset("learned_net", data=1)),
     "/learned_net is no text"),
    (lambda f: (f.create_dataset("history/1", data=[1.0]), f.create_dataset("iter", data=1)), "expected arrays 0 to 0"),
])
def test_other_files(tmp_path, make, words):
    with h5py.File(tmp_path / "x", "w") as file:
        make(file)
    with pytest.raises(WeightsError, match=words):
        weights.read_solverstate(tmp_path / "x")


def test_a_cut_off_file(tmp_path):
    weights.write_solverstate(tmp_path / "x.h5", 1, "n", [np.ones(3)])
    raw = (tmp_path / "x.h5").read_bytes()
    (tmp_path / "x.h5").write_bytes(raw[:-1])
    with pytest.raises(WeightsError, match=f"of its {len(raw) - 1} bytes"):
        weights.read_solverstate(tmp_path / "x.h5")

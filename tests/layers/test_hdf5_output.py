"""HDF5Output: what stands in the file after each pass, after a resume, and what cannot be written."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, ShapeError
from netdef.testing import check_layer

h5py = pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def net_of(name="out.h5", data=(2, 3), label=(2,)):
    shapes = "".join(f'shape {{ {" ".join(f"dim: {n}" for n in s)} }}' for s in (data, label))
    text = f'''layer {{ name: "in" type: "Input" top: "a" top: "b" input_param {{ {shapes} }} }}
        layer {{ name: "out" type: "HDF5Output" bottom: "a" bottom: "b" hdf5_output_param {{ file_name: "{name}" }} }}'''
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), seed=1)


def run(net, *passes):
    for k in passes:
        net.forward(a=np.full((2, 3), k), b=[k, 10 * k])


def rows(name="out.h5"):
    with h5py.File(name) as file:
        assert set(file) == {"data", "label"}
        assert file["data"].shape[1:] == (3, 1, 1) and file["label"].shape[1:] == (1, 1, 1), "four axes, as in Caffe"
        assert file["data"].dtype == np.float32 and len(file["data"]) == len(file["label"])
        assert (file["data"][::2, 0, 0, 0] == file["label"][::2, 0, 0, 0]).all()
        return file["label"][:, 0, 0, 0].astype(int).tolist()


def test_rows_of_all_passes():
    with net_of() as net:
        run(net, 1)
        assert rows() == [1, 10]
        run(net, 2, 3)
        assert rows() == [1, 10, 2, 20, 3, 30]
    with net_of() as net:
        run(net, 4)
    assert rows() == [4, 40], "a file of another run is replaced"


def test_a_resumed_run_goes_on_behind_its_rows():
    with net_of() as net:
        run(net, 1, 2)
        state = net.state()
        run(net, 3, 4)
    with net_of() as net:
        net.set_state(state)
        run(net, 5)
    assert rows() == [1, 10, 2, 20, 5, 50]


def test_what_cannot_be(here):
    with pytest.raises(ShapeError, match="expected as many rows in both bottoms, got shapes .2, 3. and .3,."):
        net_of(label=(3,))
    with pytest.raises(FieldError, match="file_name: missing; expected the path of the file to write"):
        net_of("")
    with net_of("no/out.h5") as net, pytest.raises(DataError, match="file_name: there is no folder 'no' to write 'out.h5' into"):
        run(net, 1)
    (here / "folder.h5").mkdir()
    with net_of("folder.h5") as net, pytest.raises(DataError, match="file_name: 'folder.h5' cannot be written: "):
        run(net, 1)
    with net_of() as net:
        run(net, 1)
        with pytest.raises(DataError, match=r"'data' has rows of shape \(3, 1, 1\), and now they have \(4, 1, 1\)"):
            net.forward(a=np.zeros((2, 4)), b=[1, 2])
        (here / "out.h5").unlink()
        with pytest.raises(DataError, match="'out.h5' is gone, with the 2 rows that were written so far"):
            run(net, 1)
        with h5py.File("out.h5", "w") as file:
            file["data"] = np.zeros((1, 3, 1, 1))
        with pytest.raises(DataError, match="has less than the 2 rows of 'data' that were written so far"):
            run(net, 1)


def test_battery():
    report = check_layer('type: "HDF5Output" hdf5_output_param { file_name: "o.h5" }', [np.ones((2, 3)), np.zeros(2)], tops=0,
                         skip=["other shape"])
    assert {"shapes", "untouched"} <= set(report.passed)

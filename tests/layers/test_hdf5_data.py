"""HDF5Data: batches, shuffling that a snapshot remembers (traps 25 and 26), and where errors point."""
import numpy as np
import pytest

import netdef
from netdef.errors import FieldError
from netdef.testing import check_layer

h5py = pytest.importorskip("h5py")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two files with three and four rows beside a net, and the tests somewhere else."""
    home = tmp_path / "net"
    home.mkdir()
    for name, rows in (("a", np.arange(3)), ("b", np.arange(3, 7))):
        with h5py.File(home / f"{name}.h5", "w") as file:
            file["data"], file["label"] = rows[:, None, None] * np.ones((1, 2, 2)), rows
    (home / "list.txt").write_text("a.h5\nb.h5\n")
    monkeypatch.chdir(tmp_path)
    return home


def net(folder, more="", tops='top: "data" top: "label"', rest="", **options):
    (folder / "net.prototxt").write_text(
        f'layer {{ name: "rows" type: "HDF5Data" {tops} {rest} '
        f'hdf5_data_param {{ source: "list.txt" batch_size: 5 {more} }} }}')
    return netdef.Net(folder / "net.prototxt", **{"seed": 1, **options})


def labels(net_, passes):
    return [net_.forward()["label"].astype(int).tolist() for _ in range(passes)]


def test_a_batch_goes_on_in_the_next_file_and_round(folder):
    with net(folder) as a:
        assert a.blobs["data"].shape == (5, 2, 2) and a.blobs["label"].shape == (5,)
        assert labels(a, 3) == [[0, 1, 2, 3, 4], [5, 6, 0, 1, 2], [3, 4, 5, 6, 0]]
        assert a.blobs["data"].data[:, 1, 1].tolist() == [3, 4, 5, 6, 0]
        assert [a.steps[0].layer.record_at(i) for i in range(5)] == [3, 4, 5, 6, 0]


def test_trap_25_shuffle_is_by_the_seed(folder):
    with net(folder, "shuffle: true") as a, net(folder, "shuffle: true") as b, net(folder, "shuffle: true",
                                                                                   seed=2) as c:
        first, second, other = labels(a, 7), labels(b, 7), labels(c, 7)
    assert first == second != other
    flat = sum(first, [])
    assert all(sorted(flat[k: k + 7]) == list(range(7)) for k in range(0, 35, 7))


def test_trap_26_a_resumed_run_reads_on_where_it_stopped(folder):
    with net(folder, "shuffle: true") as a, net(folder, "shuffle: true") as b:
        labels(a, 3)
        b.set_state(a.state())
        assert labels(a, 4) == labels(b, 4)


def test_one_top_of_any_name(folder):
    with net(folder, tops='top: "label"') as a:
        assert labels(a, 1) == [[0, 1, 2, 3, 4]]


def test_battery(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with h5py.File("a.h5", "a") as a, h5py.File("b.h5", "a") as b:
        for file in (a, b):
            file["t0"], file["t1"] = file["data"][()], file["label"][()]  # what the battery calls the tops
    report = check_layer('type: "HDF5Data" hdf5_data_param { source: "list.txt" batch_size: 5 shuffle: true }', [],
                         tops=2, batch=False)
    assert {"shapes", "repeatable", "float32", "constraints"} <= set(report.passed)


@pytest.mark.parametrize("options, message", [
    ({"rest": "transform_param { scale: 2 }"}, "transform_param: this type does not transform data"),
    ({"tops": 'top: "image"'}, "source: no dataset 'image', the name of a top; the file has 'data', 'label'"),
])
def test_mistakes_are_located(folder, options, message):
    with pytest.raises(FieldError, match=message) as caught:
        net(folder, **options)
    assert "net.prototxt:1:" in str(caught.value)


def test_no_source(folder):
    (folder / "net.prototxt").write_text(
        'layer { name: "rows" type: "HDF5Data" top: "data" hdf5_data_param { batch_size: 5 } }')
    with pytest.raises(FieldError, match="source: missing; expected a text file that lists HDF5 files"):
        netdef.Net(folder / "net.prototxt")


def test_a_missing_list_names_both_places(folder):
    (folder / "list.txt").unlink()
    with pytest.raises(FieldError, match=r"source: no file 'list.txt': tried '.*net/list.txt' and '.*/list.txt'"):
        net(folder)

"""Making data sets: what lands in them, in any number of threads, after kills, on full disks and with bad pictures."""
from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from netdef import data
from netdef.config import schema
from netdef.datasets import copying, target, write_lmdb
from netdef.datasets.copying import Prepare, copy, ordered
from netdef.datasets.making import open_job
from netdef.datasets.reading import open_records
from netdef.datasets.records import Record
from netdef.datasets.target import Target
from netdef.errors import DataError


def make(source, out, prepare=None, kind=None, threads=2, skip_bad=False, options=None, **how):
    job = open_job(str(source), options or {}, str(out), kind, prepare or Prepare(), skip_bad=skip_bad, **how)
    try:
        return copy(job.records, [job.target], job.prepare, threads=threads, skip_bad=skip_bad)
    finally:
        job.records.close()


def datum(raw):
    message = schema.new("Datum")
    message.ParseFromString(raw)
    return message


def test_lmdb_of_a_folder(pictures, entries, pixels):
    made = make("pets", "db")
    assert made.counts == [6] and made.skipped == 0
    found = entries("db")
    assert [k for k, _ in found] == [f"{i:08d}_{n}/{i % 3}.png".encode() for i, n in enumerate(["cat"] * 3 + ["dog"] * 3)]
    first = datum(found[4][1])
    assert (first.channels, first.height, first.width, first.label) == (3, 4, 5, 1) and first.HasField("encoded")
    assert np.frombuffer(first.data, np.uint8).tolist() == pixels(11).ravel().tolist()
    assert (pictures / "db" / "labels.txt").read_text() == "cat\ndog\n"
    assert sorted(os.listdir("db")) == ["data.mdb", "labels.txt"] and not list(pictures.glob(".*"))


def test_lmdb_of_idx_has_caffes_keys(here, entries):
    make("builtin:mnist10k/test", "db", limit=3)
    keys, values = zip(*entries("db"), strict=True)
    assert keys == (b"00000000", b"00000001", b"00000002") and not datum(values[0]).HasField("encoded")


@pytest.mark.parametrize(("name", "prepare"), [("raw_lmdb", Prepare()), ("enc_lmdb", Prepare(encoded="png"))])
def test_byte_for_byte_as_caffe(shared, here, name, prepare, entries):
    """Records that were written for Caffe, from the same pictures and list."""
    folder = shared / "conformance" / "data"
    make(folder / "list.txt", "db", prepare, options={"root": str(folder / "img")})
    assert entries("db") == entries(folder / name)


def test_encoded_files_stay_and_changed_ones_are_written_anew(pictures, entries):
    raw = (pictures / "pets/dog/2.png").read_bytes()
    make("pets", "same", Prepare(encoded="same"))
    assert datum(entries("same")[5][1]).data == raw
    make("pets", "small", Prepare(size=(2, 3), encoded="png"))
    small = datum(entries("small")[5][1])
    assert small.data != raw and data.open("small").shape == (3, 2, 3)
    make("pets", "gray", Prepare(gray=True, encoded="png"))
    assert data.open("gray").shape == (1, 4, 5)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_matter(pictures, threads, entries):
    make("pets", "one", Prepare(size=(9, 8)), threads=1, shuffle=True, seed=3)
    make("pets", "other", Prepare(size=(9, 8)), threads=threads, shuffle=True, seed=3)
    assert entries("one") == entries("other")
    assert [datum(v).label for _, v in entries("one")] != [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("out", ["d.npz", "d.h5", "x-images-idx3-ubyte", "x-images-idx3-ubyte.gz", "d-folder"])
def test_there_and_back(here, out):
    make("builtin:mnist10k/test", out, limit=30)
    make(out, "back", Prepare(gray=True), kind="lmdb")
    images, labels = data.open("builtin:mnist10k/test").batch(0, 30)
    found, numbers = data.open("back").batch(0, 30)
    order = np.argsort(labels, kind="stable") if out == "d-folder" else np.arange(30)
    assert (found == images[order]).all() and (numbers == labels[order]).all()


def test_vectors_go_into_arrays_only(here):
    np.savez("v.npz", data=np.zeros((3, 2), np.float32), label=np.arange(6, dtype=np.float32).reshape(3, 2))
    make("v.npz", "w.h5")
    assert data.open("hdf5:w.h5").batch(1, 1)[1].tolist() == [[2, 3]]
    with pytest.raises(DataError, match="one class number"):
        make("v.npz", "db")


def test_a_database_is_copied_as_it_is(pictures, entries):
    make("pets", "a", Prepare(encoded="same"))
    make("a", "b")
    assert entries("a") == entries("b")


def stop_at(monkeypatch, index):
    """Records from ``index`` on end the job."""
    real = copying.read

    def read(records, i):
        if i == index:
            raise KeyboardInterrupt
        return real(records, i)

    monkeypatch.setattr(copying, "read", read)


@pytest.mark.parametrize("out", ["db", "d.npz", "d.h5", "d-folder", "a-images-ubyte"])
def test_resume(here, monkeypatch, out):
    monkeypatch.setattr(copying, "COMMIT", 10)
    make("builtin:mnist10k/test", "ref.npz", limit=50)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, 37)
        make("builtin:mnist10k/test", out, limit=50, threads=1)
    assert not (here / out).exists()
    partial = here / f".{out}.partial"
    assert json.loads((partial / "progress.json").read_text())["progress"]["next"] == 37
    with pytest.raises(DataError, match="the earlier run had changes"):
        make("builtin:mnist10k/test", out, Prepare(size=(5, 5)), limit=50, resume=True)
    with pytest.raises(DataError, match="the earlier run had"):
        make("builtin:mnist10k/test", out, limit=49, resume=True)
    read = []
    real = copying.read
    with monkeypatch.context() as patch:
        patch.setattr(copying, "read", lambda records, i: read.append(i) or real(records, i))
        assert make("builtin:mnist10k/test", out, limit=50, resume=True).counts == [50]
    assert sorted(read) == list(range(37, 50)) and not partial.exists()
    make(out, "again", Prepare(gray=True), kind="npz")
    old, new = np.load("ref.npz"), np.load("again")
    if out == "d-folder":
        assert sorted(new["label"]) == sorted(old["label"])
    else:
        assert (new["data"] == old["data"]).all() and (new["label"] == old["label"]).all()


@pytest.mark.parametrize("kind", ["lmdb", "npz"])
def test_records_beyond_the_notes_are_dropped(here, pixels, kind):
    """A kill between the data's way to the disk and the notes: nothing comes twice."""
    target = Target("out", kind, {})
    for i in range(5):
        target.add(Record(i, pixels(i)))
        if i == 2:
            target.commit()
    target.writer.commit()  # of 5, while the notes say 3
    target.close()
    again = Target("out", kind, {}, resume=True)
    assert again.progress.next == 3
    for i in (3, 4):
        again.add(Record(i, pixels(i)))
    again.finish(None)
    found = open_records("out" if kind == "lmdb" else "npz:out")
    assert [found.read(i).label for i in range(len(found))] == [0, 1, 2, 3, 4]
    assert all((found.read(i).array() == pixels(i)).all() for i in range(5))


def test_killed(here, entries):
    """A real kill -9 in the middle; what stood there before is whole, and the rest follows."""
    make("builtin:mnist10k/test", "db", limit=7)
    before = entries("db")
    command = [sys.executable, "-m", "netdef.cli.main", "data", "make", "db", "--from", "builtin:mnist10k/train", "--force",
               "--resize", "60"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    notes = here / ".db.partial" / "progress.json"
    while not notes.exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and entries("db") == before
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0 and len(entries("db")) == 8000 and not notes.parent.exists()


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk(here, monkeypatch, entries):
    monkeypatch.setattr(copying, "COMMIT", 10)
    make("builtin:mnist10k/test", "db", limit=5)
    before = entries("db")
    real, calls = write_lmdb.LmdbWriter._flush, []

    def flush(self):
        calls.append(0)
        return full() if len(calls) > 2 else real(self)

    with monkeypatch.context() as patch, pytest.raises(DataError) as caught:
        patch.setattr(write_lmdb.LmdbWriter, "_flush", flush)
        make("builtin:mnist10k/test", "db", limit=60, force=True)
    assert "No space left" in caught.value.message and "--resume" in caught.value.hint and entries("db") == before
    make("builtin:mnist10k/test", "db", limit=60, force=True, resume=True)
    assert len(entries("db")) == 60


def test_lmdbs_own_full_disk(here, monkeypatch):
    """What the package lmdb raises is told apart from other errors of it."""
    import lmdb

    made = Target("db", "lmdb", {})
    with pytest.raises(OSError, match="No space") as caught:
        made.writer._call(lambda: (_ for _ in ()).throw(lmdb.DiskError("mdb_txn_commit: No space left on device")))
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(DataError, match="cannot be written: mdb_put"):
        made.writer._call(lambda: (_ for _ in ()).throw(lmdb.BadTxnError("mdb_put: bad")))
    made.close()
    assert not list(here.glob(".*"))


def test_full_disk_at_the_end(here, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(DataError, match="No space left"):
        patch.setattr(np, "savez", full)
        make("builtin:mnist10k/test", "d.npz", limit=9)
    assert not (here / "d.npz").exists()
    assert make("builtin:mnist10k/test", "d.npz", limit=9, resume=True).counts == [9]


def test_the_map_grows(here, monkeypatch, entries):
    monkeypatch.setattr(write_lmdb, "_FIRST_MAP", 1 << 16)
    make("builtin:mnist10k/test", "db", limit=500)
    assert len(entries("db")) == 500


def test_what_is_there_stays(pictures):
    make("pets", "db")
    with pytest.raises(DataError, match="something already"):
        make("list.txt", "db", options={"root": "pets"})
    with pytest.raises(DataError, match="is no LMDB"):
        make("list.txt", "pets", options={"root": "pets"}, kind="lmdb", force=True)
    with pytest.raises(DataError, match="folder that it is to stand in"):
        make("pets", "no/db")
    make("pets", "db", Prepare(size=(2, 2)), force=True)
    assert data.open("db").shape == (3, 2, 2) and not list(pictures.glob(".*"))


def test_one_at_a_time(here):
    target = Target("db", "lmdb", {})
    with pytest.raises(DataError, match="another process"):
        Target("db", "lmdb", {})
    assert (here / ".db.partial" / "made").exists()  # the second one took nothing away
    target.close()
    assert not (here / ".db.partial").exists()


def test_missing_pictures_are_listed_first(pictures):
    with open("list.txt", "a") as file:
        file.write("cat/8.png 0\n\ndog/9.png 1\n")
    with pytest.raises(DataError, match="2 of 8 pictures are missing") as caught:
        make("list.txt", "db", options={"root": "pets"})
    assert "list.txt:7 (cat/8.png)" in str(caught.value) and "list.txt:9 (dog/9.png)" in str(caught.value)
    made = make("list.txt", "db", options={"root": "pets"}, skip_bad=True)
    assert (made.counts, made.skipped) == ([6], 2)


def test_a_corrupt_picture(pictures, entries):
    path = pictures / "pets" / "cat" / "1.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="cannot be read|no picture") as caught:
        make("list.txt", "db", options={"root": "pets"})
    assert str(caught.value.where) == "list.txt:2 (cat/1.png)" and "--skip-bad" in caught.value.hint
    made = make("pets", "db", skip_bad=True)
    assert (made.counts, made.skipped) == ([5], 1)
    assert [k[:8] for k, _ in entries("db")] == [b"00000000", b"00000002", b"00000003", b"00000004", b"00000005"]


def test_arrays_need_one_shape(pictures, pixels):
    from netdef.datasets.records import encode

    (pictures / "pets/dog/1.png").write_bytes(encode(pixels(1, height=6), "png"))
    with pytest.raises(DataError, match="expected a record of 3x4x5, as the first, got 3x6x5; --resize"):
        make("pets", "d.npz")
    assert make("pets", "d.npz", Prepare(size=(4, 5)), force=True).counts == [6]
    make("pets", "db")  # an LMDB takes them


def test_ordered_ends_with_the_first_error():
    def work(i):
        if i == 5:
            raise ValueError("five")
        return i * i

    seen = []
    with pytest.raises(ValueError, match="five"):
        for i, value in ordered(work, range(100), 3):
            seen.append((i, value))
    assert seen == [(i, i * i) for i in range(5)]


def test_killed_while_the_old_one_was_aside(here, monkeypatch, entries):
    """Between the two renames of --force: the next run brings the old one back before anything else."""
    make("builtin:mnist10k/test", "db", limit=3)
    before = entries("db")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        real = os.replace

        def replace(old, new):
            if str(new) == "db":
                raise KeyboardInterrupt
            real(old, new)

        patch.setattr(os, "replace", replace)
        patch.setattr(target, "_exchanged", lambda one, two: False)
        make("builtin:mnist10k/test", "db", limit=4, force=True)
    assert (here / ".db.partial" / "replaced").exists() and not (here / "db").exists()
    with pytest.raises(DataError, match="something already"):
        make("builtin:mnist10k/test", "db", limit=4)
    assert entries("db") == before
    make("builtin:mnist10k/test", "db", limit=4, force=True, resume=True)
    assert len(entries("db")) == 4 and [p.name for p in here.iterdir()] == ["db"]


def test_a_move_that_fails_leaves_the_old_one(here, monkeypatch, entries):
    make("builtin:mnist10k/test", "db", limit=3)
    real, calls = os.replace, []

    def replace(old, new):
        calls.append(str(new))
        if calls.count("db") == 1 and str(new) == "db":
            raise PermissionError(13, "no", "db")
        real(old, new)

    with monkeypatch.context() as patch, pytest.raises(PermissionError):
        patch.setattr(os, "replace", replace)
        patch.setattr(target, "_exchanged", lambda one, two: False)
        make("builtin:mnist10k/test", "db", limit=4, force=True)
    assert len(entries("db")) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="renameat2 is Linux's")
@pytest.mark.parametrize("before", [True, False])
def test_killed_as_two_folders_change_places(here, monkeypatch, entries, before):
    """There is a whole one under the name at every moment."""
    make("builtin:mnist10k/test", "db", limit=3)
    real = target._exchanged

    def killed(one, two):
        assert before or real(one, two)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(target, "_exchanged", killed)
        make("builtin:mnist10k/test", "db", limit=4, force=True)
    assert len(entries("db")) == (3 if before else 4)
    make("builtin:mnist10k/test", "db", limit=5, force=True)
    assert len(entries("db")) == 5 and [p.name for p in here.iterdir()] == ["db"]


SMALL_DISK = """
import resource, signal, sys
from netdef.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv[1:] = sys.argv[2:]
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX's")
@pytest.mark.parametrize(("out", "room"), [("d.npz", 1 << 20), ("d.h5", 1 << 20), ("d.h5", 2000 * 784 + 1000), ("db", 1 << 20)])
def test_a_file_that_cannot_grow(here, out, room):
    """A limit of the system's, in a process of its own: HDF5, LMDB and plain files each find out in a way of their own."""
    source, words = "builtin:mnist10k/test", ["data", "make", out, "--from", "builtin:mnist10k/test", "--force"]
    make(source, out, limit=3)
    run = subprocess.run([sys.executable, "-c", SMALL_DISK, str(room), *words], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and f"{out}: error: cannot write: File too large; free some space; what stood there" in run.stderr
    with contextlib.closing(open_records(out)) as records:
        assert len(records) == 3, "the old one is whole"
    assert make(source, out, force=True, resume=True).counts == [2000]

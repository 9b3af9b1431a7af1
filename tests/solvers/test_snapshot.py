"""Where snapshots go, and that the one before stays whole whatever happens to the next."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import netdef
from netdef import weights
from netdef.config import schema
from netdef.errors import SolverError
from netdef.solvers.snapshot import Snapshots, find_weights


def values(solver):
    learned = [p.data for p in solver.net.params["ip"]]
    averages = [] if solver.ema is None else [p.data for p in solver.averages().params["ip"]]
    return b"".join(a.tobytes() for a in [*learned, *solver.update.rule.history, *averages])


@pytest.fixture
def trained(squares):
    """``trained(seed, text)``: a solver after three iterations, and the bytes of what it learned."""

    def make(seed, text=""):
        solver = squares('momentum: 0.9 snapshot_prefix: "s" ' + text, seed=seed)
        solver.step(3)
        return solver, values(solver)

    return make


# -- names --------------------------------------------------------------------------------------------------------


def test_a_given_prefix_is_used_as_written(squares, tmp_path):
    solver = squares('snapshot_prefix: "deep/er/lenet"')
    solver.step(2)
    assert solver.snapshot() == (Path("deep/er/lenet_iter_2.caffemodel"), Path("deep/er/lenet_iter_2.solverstate"))
    assert sorted(p.name for p in (tmp_path / "deep/er").iterdir()) == ["lenet_iter_2.caffemodel",
                                                                       "lenet_iter_2.solverstate"]


def test_a_folder_as_prefix_gets_the_name_of_the_solver_file(squares, tmp_path):
    (tmp_path / "folder").mkdir()
    assert squares('snapshot_prefix: "folder"').snapshot()[0] == Path("folder/solver_iter_0.caffemodel")


def test_without_a_prefix_each_run_has_a_folder_of_its_own(squares, tmp_path):
    assert squares().snapshot()[0] == Path("runs/squares/1/squares_iter_0.caffemodel")
    (tmp_path / "runs/squares/7").mkdir()
    (tmp_path / "runs/squares/old").mkdir()
    solver = squares()
    assert solver.snapshot()[0] == Path("runs/squares/8/squares_iter_0.caffemodel")
    solver.step(1)
    assert solver.snapshot()[0] == Path("runs/squares/8/squares_iter_1.caffemodel")


@pytest.mark.parametrize(("name", "folder"), [("a/b c", "a_b_c"), ("", "net"), ("..", "net"), ("ResNet-50.v2",
                                                                                               "ResNet-50.v2")])
def test_net_names_become_names_of_folders(monkeypatch, tmp_path, name, folder):
    monkeypatch.chdir(tmp_path)
    assert Snapshots("", name, "").prepare() == os.path.join("runs", folder, "1", folder)


def test_stepping_without_snapshots_leaves_no_folder(squares, tmp_path):
    squares().step(2)
    assert not (tmp_path / "runs").exists()


def test_a_place_that_cannot_be_written_is_found_at_the_start(squares, tmp_path):
    (tmp_path / "file").write_text("")
    solver = squares('max_iter: 5 snapshot_prefix: "file/s"')
    with pytest.raises(SolverError, match="cannot write snapshots to 'file/s'.*snapshot_prefix says where"):
        solver.solve()
    assert solver.iter == 0
    with pytest.raises(SolverError):
        squares('snapshot: 5 snapshot_prefix: "file/s"').step(1)


# -- contents -----------------------------------------------------------------------------------------------------


def test_caffe_can_read_the_state(squares):
    """With the schema that Caffe has, our extra field is unknown and all others are there."""
    solver = squares('momentum: 0.9 lr_policy: "step" gamma: 0.5 stepsize: 2 snapshot_prefix: "s"')
    solver.step(5)
    solver.snapshot()
    message = schema.new("SolverState")
    message.ParseFromString(Path("s_iter_5.solverstate").read_bytes())
    assert (message.iter, message.learned_net, message.current_step) == (5, "s_iter_5.caffemodel", 2)
    assert [list(h.shape.dim) for h in message.history] == [[2, 3], [2]]
    assert list(message.history[1].data) == solver.update.rule.history[1].tolist()
    net = schema.new("NetParameter")
    net.ParseFromString(Path("s_iter_5.caffemodel").read_bytes())
    assert net.name == "squares" and [layer.name for layer in net.layer] == ["rows", "ip", "loss"]
    assert list(net.layer[1].blobs[1].data) == solver.net.params["ip"][1].data.tolist()


# -- finding the weights ------------------------------------------------------------------------------------------


def test_weights_are_found_as_written_and_then_beside_the_state(trained, tmp_path, monkeypatch):
    solver, learned = trained(1)
    solver.snapshot()
    (tmp_path / "moved").mkdir()
    for name in ("s_iter_3.caffemodel", "s_iter_3.solverstate"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    other, _ = trained(2)
    other.restore("moved/s_iter_3.solverstate")
    assert values(other) == learned
    os.unlink("moved/s_iter_3.caffemodel")
    with pytest.raises(SolverError, match="its weights 's_iter_3.caffemodel' are missing: tried"):
        other.restore("moved/s_iter_3.solverstate")


def test_the_weights_with_the_right_digest_win(trained, tmp_path, caplog):
    """Another run's weights of the same name in the working directory are not mistaken for those beside the state."""
    solver, learned = trained(1)
    solver.snapshot()
    (tmp_path / "moved").mkdir()
    for name in ("s_iter_3.caffemodel", "s_iter_3.solverstate"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    other, _ = trained(2)
    other.net.save("s_iter_3.caffemodel")
    other.restore("moved/s_iter_3.solverstate")
    assert values(other) == learned
    os.unlink("moved/s_iter_3.caffemodel")
    other.restore("moved/s_iter_3.solverstate")
    assert "is not the file that was saved with this state" in caplog.text


def test_a_state_without_a_digest_takes_the_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.caffemodel").write_bytes(b"x")
    assert find_weights("a.caffemodel", tmp_path / "b.solverstate", "") == Path("a.caffemodel")


# -- faults -------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone: nothing that would clean up gets through either."""


class Faults:
    """Lets the n-th operation on files fail: by an error (``kind`` OSError) or for good (Killed)."""

    names = ("open", "fsync", "replace", "link", "unlink", "chmod", "fdopen", "mkdir")

    def __init__(self, monkeypatch):
        self.count, self.limit, self.kind, self.armed = 0, None, None, False
        for name in self.names:
            real = getattr(os, name) if name != "fsync" else lambda descriptor: None  # it would only take time here
            monkeypatch.setattr(os, name, self.wrapped(real, name))

    def wrapped(self, real, name):
        def call(*args, **kwargs):
            self.tick()
            result = real(*args, **kwargs)
            return Flaky(result, self) if name == "fdopen" and self.armed else result

        return call

    def tick(self):
        if not self.armed:
            return
        self.count += 1
        if self.count - 1 == self.limit or (self.kind is Killed and self.limit is not None
                                            and self.count > self.limit):
            raise self.kind(28, "No space left on device") if self.kind is OSError else Killed

    def during(self, limit, kind, work):
        """Run ``work`` with the fault; whether it came through, and how many operations there were."""
        self.count, self.limit, self.kind, self.armed = 0, limit, kind, True
        try:
            work()
            return True
        except (netdef.NetdefError, OSError, Killed):
            return False
        finally:
            self.armed = False


class Flaky:
    """A file whose writes may fail half-way."""

    def __init__(self, file, faults):
        self.file, self.faults = file, faults

    def write(self, data):
        self.file.write(bytes(data)[: len(data) // 2])
        self.faults.tick()
        return self.file.write(bytes(data)[len(data) // 2:])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.fixture
def faults(monkeypatch):
    return Faults(monkeypatch)


def operations(faults, solver):
    assert faults.during(None, OSError, solver.snapshot)
    return faults.count


EXTRAS = ["", "ema_decay: 0.9"]


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("kind", [OSError, Killed])
def test_an_earlier_snapshot_stays_whole(trained, faults, kind, extra):
    solver, learned = trained(1, extra)
    solver.snapshot()
    solver.step(1)
    number = operations(faults, solver)
    assert number > 15
    for k in range(number):
        for name in Path().glob("*_iter_4.*"):
            name.unlink()
        faults.during(k, kind, solver.snapshot)
        again, _ = trained(5, extra)
        again.restore("s_iter_3.solverstate")
        assert values(again) == learned, f"operation {k}"
        if kind is OSError:
            assert not list(Path().glob(".*tmp")), "nothing half-done is left lying about"


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("kind", [OSError, Killed])
def test_a_snapshot_written_over_is_the_old_or_the_new_one(trained, faults, kind, extra):
    old, was = trained(1, extra)
    new, will = trained(2, extra)
    old.snapshot()
    number = operations(faults, new)
    for k in range(number):
        old.snapshot()
        came_through = faults.during(k, kind, new.snapshot)
        again, _ = trained(5, extra)
        again.restore("s_iter_3.solverstate")
        assert values(again) in (was, will)
        if came_through:
            assert values(again) == will
        elif kind is OSError:
            assert values(again) == was
            assert Path("s_iter_3.caffemodel").read_bytes() and not Path(".s_iter_3.previous.caffemodel").exists()


@pytest.mark.parametrize("kind", [OSError, Killed])
def test_deleting_old_snapshots_never_leaves_none(trained, faults, kind):
    """Whatever fails, a state with its weights is there; where all came through, only the last one is."""
    solver, before = trained(1, "snapshot: 1 snapshot_keep: 1 ema_decay: 0.9")
    kept = {p.name: p.read_bytes() for p in Path().glob("s_iter_3.*")}
    assert faults.during(None, OSError, lambda: solver.step(1))
    number, after = faults.count, values(solver)
    again, _ = trained(5, "ema_decay: 0.9")
    for k in range(number):
        for path in [*Path().glob("s_iter_*"), *Path().glob(".s_iter_*")]:
            path.unlink()
        for name, content in kept.items():
            Path(name).write_bytes(content)
        solver.restore("s_iter_3.solverstate")
        faults.during(k, kind, lambda: solver.step(1))
        newest = "s_iter_4.solverstate" if Path("s_iter_4.solverstate").exists() else "s_iter_3.solverstate"
        again.restore(newest)
        assert values(again) == (after if "4" in newest else before), f"operation {k}"
    assert number > 25 and newest == "s_iter_4.solverstate"


def test_two_kills_in_a_row(trained, faults):
    solvers = [trained(seed) for seed in (1, 2, 3)]
    solvers[0][0].snapshot()
    number = operations(faults, solvers[1][0])
    probe, _ = trained(5)
    for first in range(number // 3, number, 2):
        for second in range(number):
            for name in Path().glob(".s_iter*"):
                name.unlink()
            solvers[0][0].snapshot()
            faults.during(first, Killed, solvers[1][0].snapshot)
            faults.during(second, Killed, solvers[2][0].snapshot)
            probe.restore("s_iter_3.solverstate")
            assert values(probe) in [learned for _, learned in solvers], (first, second)


def test_where_there_are_no_links_a_copy_does(trained, monkeypatch):
    old, was = trained(1)
    new, _ = trained(2)
    old.snapshot()

    def refuse(*args, **kwargs):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(weights, "write_solverstate", refuse)
    with pytest.raises(OSError, match="not permitted"):
        new.snapshot()
    new.restore("s_iter_3.solverstate")
    assert values(new) == was

"""Python layers: pycaffe's contract, params, the life of the user's object, numeric gradients."""
import numpy as np
import pytest

import netdef
from netdef.debug import check
from netdef.errors import FieldError, GraphError
from netdef.layers.python_user import Phase
from netdef.testing import check_layer

FORCE = "force_backward: true"
EUCLIDEAN = '''
    import caffe
    import numpy as np

    class Distance(caffe.Layer):
        """Keeps the difference between forward and backward, as the tutorials do."""

        def setup(self, bottom, top):
            if len(bottom) != 2:
                raise Exception("needs two bottoms")

        def reshape(self, bottom, top):
            if bottom[0].count != bottom[1].count:
                raise Exception("sizes differ")
            self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
            top[0].reshape(1)

        def forward(self, bottom, top):
            self.diff[...] = bottom[0].data - bottom[1].data
            top[0].data[...] = np.sum(self.diff**2) / bottom[0].num / 2.

        def backward(self, top, propagate_down, bottom):
            for i in range(2):
                if propagate_down[i]:
                    bottom[i].diff[...] = (1 if i == 0 else -1) * self.diff / bottom[i].num
'''


def test_a_loss_in_the_manner_of_the_tutorials(user):
    """Equal to EuclideanLoss, in value and gradient; nothing learns below the label."""
    before = '''
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 3 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
'''
    theirs = user.layer("Distance", bottom='bottom: "ip" bottom: "t"', top='top: "loss"', field="loss_weight: 1")
    ours = 'layer { name: "p" type: "EuclideanLoss" bottom: "ip" bottom: "t" top: "loss" }'
    found = []
    for loss in (theirs, ours):
        net = netdef.Net(user(EUCLIDEAN, before + loss), phase="TRAIN", seed=1)
        net.forward(x=np.arange(12).reshape(3, 4), t=np.ones((3, 2)))
        net.backward()
        found.append((net.loss, net.params["ip"][0].diff.copy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5)


def test_attributes(user):
    """param_str under both names, phase as number and as text, blobs with the legacy sizes."""
    path = user('''
        import caffe

        class Seen(caffe.Layer):
            def setup(self, bottom, top):
                assert self.param_str == self.param_str_ == "{'a': 1}", self.param_str
                assert self.phase == caffe.TEST == 1 and str(self.phase) == "TEST", self.phase
                b = bottom[0]
                assert (b.num, b.channels, b.height, b.width, b.count) == (3, 4, 1, 1, 12), b
                assert list(b.shape) == [3, 4] and b.data.shape == b.diff.shape == (3, 4)
                assert isinstance(self, caffe.Layer) and (len(bottom), len(top)) == (1, 2)

            def reshape(self, bottom, top):
                top[0].reshape(*bottom[0].data.shape)
                top[1].reshape(2, 5)

            def forward(self, bottom, top):
                top[0].data[...] = self.phase
                top[1].data[...] = int(self.phase) + 1
    ''', user.layer("Seen", '''param_str: "{'a': 1}"''', top='top: "y" top: "z"'))
    net = netdef.Net(path)
    assert (net.blobs["y"].shape, net.blobs["z"].shape) == ((3, 4), (2, 5))
    out = net.forward(x=np.zeros((3, 4)))
    assert (out["y"] == 1).all() and (out["z"] == 2).all()


def test_trap_30_param_str_of_py_faster_rcnn(user):
    """``self.param_str_`` and ``str(self.phase)``, and tops whose size only forward knows."""
    path = user('''
        import caffe
        import yaml

        class Proposal(caffe.Layer):
            def setup(self, bottom, top):
                self.stride = yaml.safe_load(self.param_str_)["stride"]
                self.key = str(self.phase)
                top[0].reshape(1, 4)

            def forward(self, bottom, top):
                kept = bottom[0].data[bottom[0].data[:, 0] > 0] * self.stride
                top[0].reshape(*kept.shape)
                top[0].data[...] = kept

            def backward(self, top, propagate_down, bottom):
                pass

            def reshape(self, bottom, top):
                pass
    ''', user.layer("Proposal", 'param_str: "stride: 16"') + '''
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "ip"
        inner_product_param { num_output: 2 weight_filler { value: 1 } } }''')
    net = netdef.Net(path, phase="TRAIN")
    assert net.blobs["ip"].shape == (1, 2)
    x = np.array([[1, 2, 3, 4], [-1, 0, 0, 0], [5, 6, 7, 8]])
    for _ in range(2):
        assert net.forward(x=x)["ip"].tolist() == [[160, 160], [416, 416]]
        assert net.blobs["y"].data.tolist() == [[16, 32, 48, 64], [80, 96, 112, 128]]
        assert net.forward(x=-x)["ip"].shape == (1, 2)
    assert net.steps[1].layer.user.key == "TRAIN"
    assert str(Phase.TEST) == "TEST" and Phase.TEST == 1


# params -----------------------------------------------------------------------------------------------------------

PARAMS = '''
    import caffe

    class Affine(caffe.Layer):
        def setup(self, bottom, top):
            self.blobs.add_blob(bottom[0].shape[1])
            self.blobs.add_blob(1)
            self.blobs[0].data[...] = [1, 2, 3, 4]

        def reshape(self, bottom, top):
            top[0].reshape(*bottom[0].shape)

        def forward(self, bottom, top):
            top[0].data[...] = bottom[0].data * self.blobs[0].data + self.blobs[1].data[0]

        def backward(self, top, propagate_down, bottom):
            self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum(axis=0)
            self.blobs[1].diff[...] += top[0].diff.sum()
            if propagate_down[0]:
                bottom[0].diff[...] = top[0].diff * self.blobs[0].data
'''


def test_params(user, tmp_path):
    """They begin where setup says, are the net's own, are saved and loaded."""
    path, x = user(PARAMS, user.layer("Affine")), np.ones((3, 4))
    net = netdef.Net(path)
    assert [(p.name, p.shape) for p in net.params["p"]] == [("blob0", (4,)), ("blob1", (1,))]
    assert net.params["p"][0].data.tolist() == [1, 2, 3, 4]
    net.params["p"][1].data[...] = 10
    assert net.forward(x=x)["y"][0].tolist() == [11, 12, 13, 14]
    net.save(tmp_path / "w.caffemodel")
    again = netdef.Net(path, weights=tmp_path / "w.caffemodel")
    assert again.forward(x=x)["y"][0].tolist() == [11, 12, 13, 14]
    assert len(again.forward(x=np.ones((5, 4)))["y"]) == 5
    frozen = netdef.Net(path, weights=tmp_path / "w.caffemodel", freeze=True)
    assert frozen.forward(x=x)["y"][0, 0] == 11


def test_params_are_learned(user):
    path = user(PARAMS, 'layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 3 dim: 4 } } }'
                + user.layer("Affine") + 'layer { name: "l" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "l" }')
    solver_file = path.with_name("solver.prototxt")
    solver_file.write_text('net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 60 '
                           "snapshot_after_train: false")
    with netdef.Solver(solver_file, seed=1) as solver:
        solver.net.blobs["x"].data[...] = 1
        solver.net.blobs["t"].data[...] = 5
        solver.step(60)
        np.testing.assert_allclose(solver.net.blobs["y"].data, 5, atol=1e-2)


def test_add_blob_belongs_in_setup(user):
    net = netdef.Net(user("""
        class Late:
            def forward(self, bottom, top):
                self.blobs.add_blob(1)
    """, user.layer("Late")))
    with pytest.raises(GraphError, match="Late.forward: RuntimeError: blobs.add_blob: a layer's params are made in"):
        net.forward()


@pytest.mark.parametrize("numeric", ["", "numeric_gradient: true", "numeric_gradient: true numeric_batch: 4"])
def test_battery(user, monkeypatch, numeric):
    monkeypatch.chdir(user(PARAMS, user.layer("Affine"), module="affine").parent)
    report = check_layer(f'type: "Python" python_param {{ module: "affine" layer: "Affine" {numeric} }}', [(3, 4)],
                         lambda x, w, b: x * w + b, tops=1, skip=["in place"])  # backward reads its bottom
    assert {"values", "gradients", "need", "float32", "other shape", "constraints"} <= set(report.passed)


# the life of the user's object ------------------------------------------------------------------------------------

COUNTS = """
    import caffe

    class Counts(caffe.Layer):
        made = []

        def setup(self, bottom, top):
            Counts.made.append(self)
            self.calls = []
            self.next = 0

        def reshape(self, bottom, top):
            self.calls.append("reshape")
            top[0].reshape(2)

        def forward(self, bottom, top):
            self.calls.append("forward")
            top[0].data[...] = self.next
            self.next += 1

        def state(self):
            return {"next": self.next}

        def set_state(self, state):
            self.next = state["next"]
"""


def test_setup_runs_once_and_reshape_before_each_forward(user):
    net = netdef.Net(user(COUNTS, user.layer("Counts", bottom="")))
    net.forward()
    net.forward()
    made = net.steps[1].layer.user
    assert type(made).made == [made]
    assert made.calls[-4:] == ["reshape", "forward"] * 2


def test_nets_of_one_plan_have_objects_of_their_own(user):
    first = netdef.Net(user(COUNTS, user.layer("Counts", bottom="")))
    second, third = netdef.Net(first.plan), netdef.Net(first.plan)
    for net in (first, first, second, third):
        net.forward()
    assert [net.steps[1].layer.user.next for net in (first, second, third)] == [2, 1, 1]


def test_the_state_of_a_class_is_the_layers(user):
    """A data layer that says where it is goes on there, also where its object is made later."""
    path = user(COUNTS, user.layer("Counts", bottom=""))
    a, b = netdef.Net(path), netdef.Net(path)
    a.forward()
    a.forward()
    assert a.state()["layers"] == {"p": {"user": {"next": 2}}}
    for net in (b, netdef.Net(b.plan)):
        net.set_state(a.state())
        assert net.forward()["y"].tolist() == [2, 2]


def test_replacing_an_array_is_refused(user):
    net = netdef.Net(user("""
        class Replaces:
            def forward(self, bottom, top):
                top[0].data = bottom[0].data
    """, user.layer("Replaces")))
    with pytest.raises(GraphError, match=r"AttributeError: a blob's data is its memory.*; write data\[...\] = values"):
        net.forward()


def test_no_backward(user):
    net = netdef.Net(user("class Only:\n def forward(self, bottom, top): pass", user.layer("Only"), head=FORCE))
    net.forward()
    with pytest.raises(FieldError, match="has no backward, and a layer below it learns; write one, or python_param"):
        net.backward()


# numeric gradients ------------------------------------------------------------------------------------------------

BLACK_BOX = """
    import numpy as np

    class Box:
        def setup(self, bottom, top):
            self.blobs.add_blob(2)
            self.blobs[0].data[...] = 1.5, -0.5

        def reshape(self, bottom, top):
            top[0].reshape(*bottom[0].shape)
            top[1].reshape(len(bottom[0].data))

        def forward(self, bottom, top):
            a, b, w = bottom[0].data, bottom[1].data, self.blobs[0].data
            if self.param_str == "mixed":
                a = a - a.mean(axis=0)
            top[0].data[...] = np.exp(w[0] * a) * b
            top[1].data[...] = np.sin(w[1] * a).sum(axis=1)
"""


@pytest.mark.parametrize("batch, mixed", [(0, False), (0, True), (1, False), (5, False), (100, False)])
def test_numeric_gradient(user, monkeypatch, batch, mixed):
    """Two bottoms, two tops, a param; without numeric_batch items may depend on each other."""
    def box(x, y, w):
        x = x - x.mean(axis=0) if mixed else x
        return [np.exp(w[0] * x) * y, np.sin(w[1] * x).sum(axis=1)]

    monkeypatch.chdir(user(BLACK_BOX, "", module="box").parent)
    report = check_layer(f'''type: "Python" python_param {{ module: "box" layer: "Box" numeric_gradient: true
                         numeric_batch: {batch} numeric_step: 1e-4 param_str: "{'mixed' * mixed}" }}''',
                         [(3, 2), (3, 2)], box, tops=2, empty_batch=not mixed, low=-1, high=1, skip=["in place"])
    assert {"values", "gradients", "need"} <= set(report.passed)


def test_numeric_gradient_trains_what_is_below_a_black_box(user):
    code = """
        class Cube:
            def reshape(self, bottom, top):
                top[0].reshape(*bottom[0].shape)

            def forward(self, bottom, top):
                top[0].data[...] = bottom[0].data ** 3
    """
    net = netdef.Net(user(code, '''
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2
        weight_filler { type: "xavier" } } }
''' + user.layer("Cube", "numeric_gradient: true numeric_batch: 8", bottom='bottom: "ip"', field="loss_weight: 1")),
                     phase="TRAIN", dtype="float64", seed=1)
    net.blobs["x"].data[...] = np.linspace(-1, 1, 12).reshape(3, 4)
    net.forward()
    report = check(net.plan.description.located, float32=False)
    assert report.ok, str(report)


def test_numeric_gradient_is_not_for_layers_in_place(user):
    """The bottoms' values are gone; without a gradient the same layer may stand in place."""
    code = "class A:\n def forward(self, b, t): t[0].data[...] = b[0].data ** 2"
    layer = user.layer("A", "numeric_gradient: true", top='top: "x"')
    assert netdef.Net(user(code, layer)).forward(x=np.full((3, 4), 3))["x"][0, 0] == 9
    with pytest.raises(GraphError, match=r"Python cannot work in place on 'x' in a net that learns"):
        netdef.Net(user(code, layer, head=FORCE))


@pytest.mark.parametrize("code, options, message", [
    ("class A:\n def reshape(self, b, t): t[0].reshape(1)\n def forward(self, b, t): t[0].data[...] = b[0].data.sum()",
     "numeric_batch: 8", r"numeric_batch: expected as many items \(axis 0\) in all bottoms and tops, got \(3, 4\), "
                         r"\(1,\); leave it out"),
    ("class A:\n def forward(self, b, t):\n  x = b[0].data[b[0].data > 0]\n  t[0].reshape(len(x))\n  t[0].data[...] = x",
     "", r"numeric_gradient: expected tops of shapes \(12,\) for bottoms that differ a little, got \(11,\)"),
])
def test_numeric_gradient_is_not_for_all(user, code, options, message):
    net = netdef.Net(user(code, user.layer("A", f"numeric_gradient: true {options}"), head=FORCE), phase="TRAIN")
    net.forward(x=np.full((3, 4), 1e-5))
    net.blobs["y"].diff[...] = 1
    with pytest.raises(GraphError, match=message):
        net.backward()

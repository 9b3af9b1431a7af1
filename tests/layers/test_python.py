"""Python layers: pycaffe's contract, where files are found, errors with file and line, and numeric gradients."""
import sys
import textwrap
from types import ModuleType

import numpy as np
import pytest

import netdef
from netdef.errors import FieldError, GraphError
from netdef.layers.python_user import Phase
from netdef.testing import check_layer, gradient_check

INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 } } }\n'


@pytest.fixture
def user(tmp_path, monkeypatch):
    """``user(code, layers, module="mine")``: the path of a net beside ``mine.py``; what it imports is forgotten."""
    before = dict(sys.modules)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "net").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    def make(code, layers, module="mine"):
        file = tmp_path / "net" / f"{module.replace('.', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(code))
        (tmp_path / "net" / "net.prototxt").write_text(INPUT + layers)
        return tmp_path / "net" / "net.prototxt"

    yield make
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def layer(cls, more="", bottom='bottom: "x"', top='top: "y"', field="", module="mine"):
    return (f'layer {{ name: "p" type: "Python" {bottom} {top} {field} '
            f'python_param {{ module: "{module}" layer: "{cls}" {more} }} }}\n')


EUCLIDEAN = '''
    import caffe
    import numpy as np

    class EuclideanLoss(caffe.Layer):
        """As in Caffe's tutorial: keeps the difference between forward and backward."""

        def setup(self, bottom, top):
            if len(bottom) != 2:
                raise Exception("Need two inputs to compute distance.")

        def reshape(self, bottom, top):
            if bottom[0].count != bottom[1].count:
                raise Exception("Inputs must have the same dimension.")
            self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
            top[0].reshape(1)

        def forward(self, bottom, top):
            self.diff[...] = bottom[0].data - bottom[1].data
            top[0].data[...] = np.sum(self.diff**2) / bottom[0].num / 2.

        def backward(self, top, propagate_down, bottom):
            for i in range(2):
                if not propagate_down[i]:
                    continue
                sign = 1 if i == 0 else -1
                bottom[i].diff[...] = sign * self.diff / bottom[i].num
'''


def test_a_loss_of_the_tutorial_trains(user):
    """Equal to EuclideanLoss, value and gradient; a label that nothing learns below gets no gradient."""
    net = '''
force_backward: {force}
layer {{ name: "t" type: "Input" top: "t" input_param {{ shape {{ dim: 3 dim: 2 }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
         inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
{loss}'''
    theirs = layer("EuclideanLoss", bottom='bottom: "ip" bottom: "t"', top='top: "loss"', field="loss_weight: 1")
    ours = 'layer { name: "p" type: "EuclideanLoss" bottom: "ip" bottom: "t" top: "loss" }'
    found = []
    for loss in (theirs, ours):
        made = netdef.Net(user(EUCLIDEAN, net.format(force="false", loss=loss)), phase="TRAIN", seed=1)
        made.forward(x=np.arange(12).reshape(3, 4), t=np.ones((3, 2)))
        made.clear_param_diffs()
        made.backward()
        found.append((made.loss, made.params["ip"][0].diff.copy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5)


def test_attributes(user):
    """param_str under both names, phase as number and as text, blobs with the legacy sizes, what is passed."""
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
    ''', layer("Seen", '''param_str: "{'a': 1}"''', top='top: "y" top: "z"'))
    net = netdef.Net(path)
    assert (net.blobs["y"].shape, net.blobs["z"].shape) == ((3, 4), (2, 5))
    out = net.forward(x=np.zeros((3, 4)))
    assert (out["y"] == 1).all() and (out["z"] == 2).all()


def test_trap_30_param_str_of_py_faster_rcnn(user):
    """``self.param_str_`` and ``str(self.phase)``, as its files were written for Caffe of 2015."""
    path = user('''
        import caffe
        import yaml

        class ProposalLayer(caffe.Layer):
            def setup(self, bottom, top):
                self._feat_stride = yaml.safe_load(self.param_str_)["feat_stride"]
                self.key = str(self.phase)
                top[0].reshape(1, 5)
            def forward(self, bottom, top):
                kept = bottom[0].data[bottom[0].data[:, 0] > 0] * self._feat_stride
                top[0].reshape(*kept.shape)
                top[0].data[...] = kept
            def backward(self, top, propagate_down, bottom):
                """This layer does not propagate gradients."""
                pass
            def reshape(self, bottom, top):
                """Reshaping happens during the call to forward."""
                pass
    ''', layer("ProposalLayer", '''param_str: "'feat_stride': 16"''') + '''
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "ip" inner_product_param { num_output: 2 axis: 0 } }'''
                .replace("axis: 0", "axis: 1 weight_filler { value: 1 }"))
    net = netdef.Net(path.parent / "net.prototxt", phase="TRAIN") if False else None
    text = path.read_text().replace("top[0].reshape(1, 5)", "")
    path.write_text(text.split("layer { name: \\"ip\\"")[0])
    net = netdef.Net(path, phase="TRAIN")
    x = np.array([[1, 2, 3, 4], [-1, 0, 0, 0], [5, 6, 7, 8]])
    assert net.forward(x=x)["y"].tolist() == [[16, 32, 48, 64], [80, 96, 112, 128]]
    assert net.steps[-1].layer.user.key == "TRAIN"
    assert net.forward(x=-x)["y"].shape == (1, 4)

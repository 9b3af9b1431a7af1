"""A user's file: where it is found, the caffe that it sees, and errors that name its lines."""
import sys
import textwrap
from types import ModuleType

import numpy as np
import pytest

import netdef
from netdef.errors import FieldError, GraphError

NUMBER = """
    import caffe

    class Number(caffe.Layer):
        def reshape(self, bottom, top):
            top[0].reshape(1)

        def forward(self, bottom, top):
            top[0].data[...] = {}
"""


def number(path):
    return netdef.Net(path).forward()["y"][0]


def test_beside_the_config_then_the_working_directory_then_python(user, tmp_path, monkeypatch):
    path = user(NUMBER.format(1), user.layer("Number", module="numbered"), module="numbered")
    for k, folder in enumerate(("elsewhere", "python"), 2):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "numbered.py").write_text(textwrap.dedent(NUMBER.format(k)))
    monkeypatch.syspath_prepend(str(tmp_path / "python"))
    before = list(sys.path)
    assert number(path) == 1
    (tmp_path / "net" / "numbered.py").unlink()
    assert number(path) == 2
    (tmp_path / "elsewhere" / "numbered.py").unlink()
    sys.modules.pop("numbered", None)
    assert number(path) == 3
    assert sys.path == before


def test_two_configs_with_a_module_of_one_name(user, tmp_path):
    path = user(NUMBER.format(1), user.layer("Number"))
    other = tmp_path / "other"
    other.mkdir()
    (other / "net.prototxt").write_text(path.read_text())
    (other / "mine.py").write_text(textwrap.dedent(NUMBER.format(2)))
    assert [number(p) for p in (path, other / "net.prototxt", path, other / "net.prototxt")] == [1, 2, 1, 2]


def test_a_name_that_python_has_too(user):
    """``code`` is a module of Python's own; the file beside the config is meant."""
    assert number(user(NUMBER.format(7), user.layer("Number", module="code"), module="code")) == 7


def test_packages_and_helpers_beside_the_config(user, tmp_path):
    """A dotted name without __init__.py, whose file imports others beside the config, at once and when it runs."""
    path = user("""
        import caffe
        from rpn.helper import two

        class Number(caffe.Layer):
            def reshape(self, bottom, top):
                top[0].reshape(1)

            def forward(self, bottom, top):
                import caffe
                from late import three
                top[0].data[...] = two + three + caffe.TEST
    """, user.layer("Number", module="rpn.layer"), module="rpn.layer")
    (tmp_path / "net" / "rpn" / "helper.py").write_text("two = 2")
    (tmp_path / "net" / "late.py").write_text("three = 3")
    assert number(path) == 6


def test_a_folder_that_the_file_adds_stays(user, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = user("import sys\nsys.path.insert(0, 'added')" + textwrap.dedent(NUMBER.format(1)), user.layer("Number"))
    assert number(path) == 1
    assert sys.path[0] == "added" and str(tmp_path / "net") not in sys.path


def test_yaml(user, tmp_path):
    user(NUMBER.format(5), "")
    (tmp_path / "net" / "net.yaml").write_text("layers:\n  - y: {Python: {module: mine, layer: Number}, bottom: []}\n")
    assert number(tmp_path / "net" / "net.yaml") == 5


def test_caffe_is_offered_to_users_files_only(user):
    assert number(user(NUMBER.format(1), user.layer("Number"))) == 1
    assert "caffe" not in sys.modules


def test_a_real_caffe_is_left_alone(user, monkeypatch):
    real = ModuleType("caffe")
    real.Layer = type("Layer", (), {})
    monkeypatch.setitem(sys.modules, "caffe", real)
    net = netdef.Net(user(NUMBER.format(4), user.layer("Number")))
    assert isinstance(net.steps[1].layer.user, real.Layer) and sys.modules["caffe"] is real
    assert net.forward()["y"][0] == 4


# mistakes ---------------------------------------------------------------------------------------------------------

def test_no_such_module(user):
    path = user("", user.layer("A", module="nowhere"))
    with pytest.raises(FieldError, match="module: no module 'nowhere': tried '.*net' and '.*elsewhere', then Python's"):
        netdef.Net(path)


@pytest.mark.parametrize("given, missing", [('module: "mine"', "layer: missing; expected the name of a class in it"),
                                            ('layer: "A"', "module: missing; expected the name of a module")])
def test_module_and_layer_must_be_given(user, given, missing):
    with pytest.raises(FieldError, match=missing):
        netdef.Net(user("", f'layer {{ name: "p" type: "Python" top: "y" python_param {{ {given} }} }}'))


@pytest.mark.parametrize("code, message", [
    ("import os\nclass Othre: pass", "layer: module 'mine' has no class 'Other'; it has Othre"),
    ("class Other: pass", "layer: class 'Other' has no forward"),
])
def test_a_class_that_is_none(user, code, message):
    path = user(code, user.layer("Other"))
    with pytest.raises(FieldError, match=message) as caught:
        netdef.Net(path)
    assert f"{path}:3:" in str(caught.value)


@pytest.mark.parametrize("code, message", [
    ("class Other:\n  def forward(: pass", "module 'mine' cannot be imported: SyntaxError: invalid syntax"),
    ("import numpy\nimport no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
    ("import caffe\ncaffe.set_mode_gpu()", "AttributeError: this caffe has no 'set_mode_gpu': it is netdef's stand-in"),
])
def test_a_file_that_cannot_be_imported(user, code, message):
    path = user(code, user.layer("Other"))
    with pytest.raises(GraphError, match=message) as caught:
        netdef.Net(path)
    assert f"{path}:3:" in str(caught.value)
    assert f"{path.parent / 'mine.py'}:2" in str(caught.value)


FAILS = """
    import caffe
    class Fails(caffe.Layer):
        def setup(self, bottom, top):
            self.fail("setup")
        def reshape(self, bottom, top):
            top[0].reshape(*bottom[0].shape)
            self.fail("reshape")
        def forward(self, bottom, top):
            self.fail("forward")
        def backward(self, top, propagate_down, bottom):
            self.fail("backward")
        def fail(self, where):
            if where == self.param_str:
                raise ValueError("wrong in " + where)
"""


@pytest.mark.parametrize("method", ["setup", "reshape", "forward", "backward"])
def test_errors_name_both_files_and_lines(user, method):
    """An exception reaches the caller, as the cause of one with the place in the config and in the user's file."""
    path = user(FAILS, user.layer("Fails", f'param_str: "{method}"'), head="force_backward: true")

    def run():
        net = netdef.Net(path, phase="TRAIN")
        net.forward()
        net.backward(y=np.ones((3, 4)))

    with pytest.raises(GraphError, match=rf"layer 'p' \(Python\): Fails.{method}: ValueError: wrong in {method}") as caught:
        run()
    text = str(caught.value)
    assert f"{path}:3:" in text and f"{path.parent / 'mine.py'}:15, in fail" in text
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_error_in_a_package_names_the_users_line_too(user):
    path = user("""
        import json
        class Bad:
            def forward(self, bottom, top):
                json.loads("{")
    """, user.layer("Bad"))
    with pytest.raises(GraphError, match="JSONDecodeError") as caught:
        netdef.Net(path).forward()
    assert f"{path.parent / 'mine.py'}:5, in forward" in str(caught.value) and "decoder.py" in str(caught.value)

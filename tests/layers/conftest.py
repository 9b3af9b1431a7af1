"""Files for Python layers."""
import sys
import textwrap

import pytest


class UsersFiles:
    """A folder ``net`` with a net that has an Input ``x`` (3, 4), and a module beside it; the tests run elsewhere."""

    def __init__(self, home):
        self.home = home
        (home / "elsewhere").mkdir()
        (home / "net").mkdir()

    def __call__(self, code, layers, module="mine", head=""):
        """The path of the net; ``code`` is the module's, ``layers`` the net's after its Input."""
        file = self.home / "net" / f"{module.replace('.', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(code))
        path = self.home / "net" / "net.prototxt"
        path.write_text(f'{head}\nlayer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 3 dim: 4 }} }} }}\n'
                        + layers)
        return path

    @staticmethod
    def layer(cls, more="", bottom='bottom: "x"', top='top: "y"', field="", module="mine"):
        """The text of a Python layer; ``more`` is for python_param."""
        return (f'layer {{ name: "p" type: "Python" {bottom} {top} {field} '
                f'python_param {{ module: "{module}" layer: "{cls}" {more} }} }}\n')


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A UsersFiles; what a test imports is forgotten after it."""
    before = set(sys.modules)
    made = UsersFiles(tmp_path)
    monkeypatch.chdir(tmp_path / "elsewhere")
    yield made
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]

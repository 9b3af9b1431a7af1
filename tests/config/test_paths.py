from __future__ import annotations

import pytest

from netdef.config import paths
from netdef.config.paths import builtin_config, resolve
from netdef.errors import ConfigError, Span


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for name in ("work/a.txt", "work/both.txt", "conf/b.txt", "conf/both.txt", "conf/net.prototxt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_beside_the_config_first_then_the_working_directory(folders):
    config = folders / "conf/net.prototxt"
    assert resolve("both.txt", config) == folders / "conf/both.txt"
    assert resolve("a.txt", config) == folders / "work/a.txt"
    assert resolve("b.txt", str(folders / "conf")) == folders / "conf/b.txt"
    assert resolve("b.txt", "../conf/net.prototxt") == folders / "conf/b.txt"
    assert resolve(folders / "conf/b.txt") == folders / "conf/b.txt"
    assert resolve("a.txt", "<memory>") == resolve("a.txt", "--set") == folders / "work/a.txt"


def test_the_error_names_both_places(folders):
    where = Span("net.prototxt", 3, 2, 4, ' x: "c.txt"')
    with pytest.raises(ConfigError) as caught:
        resolve("bot.txt", folders / "conf/net.prototxt", where)
    assert str(caught.value) == (
        f"net.prototxt:3:2: error: no file 'bot.txt': tried '{folders}/conf/bot.txt' and '{folders}/work/bot.txt'; "
        "did you mean 'both.txt'?\n   x: \"c.txt\"\n   ^~~~")
    with pytest.raises(ConfigError) as caught:
        resolve("/no/such/file")
    assert str(caught.value) == "error: no file '/no/such/file': tried '/no/such/file'"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    home = tmp_path / "configs/lenet"
    home.mkdir(parents=True)
    for name in ("net.prototxt", "solver.yaml", "deploy.prototxt", "README.md"):
        (home / name).write_text("x")
    (tmp_path / "netdef").mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "netdef")
    return home


def test_builtin_configs(shipped):
    assert builtin_config("builtin:lenet") == shipped / "net.prototxt"
    assert builtin_config("builtin:lenet", "solver") == shipped / "solver.yaml"
    assert builtin_config("builtin:lenet/deploy.prototxt") == shipped / "deploy.prototxt"
    assert resolve("builtin:lenet") == shipped / "net.prototxt"


def test_an_installed_package_carries_them(shipped):
    shipped.parent.rename(shipped.parent.parent / "netdef/configs")
    assert builtin_config("builtin:lenet").parent.parent.parent.name == "netdef"


@pytest.mark.parametrize(("name", "message"), [
    ("builtin:lent", "error: no built-in config 'builtin:lent'; did you mean 'builtin:lenet'?"),
    ("builtin:xyz", "error: no built-in config 'builtin:xyz'; there are: lenet"),
    ("builtin:", "error: no built-in config 'builtin:'; there are: lenet"),
    ("builtin:..", "error: no built-in config 'builtin:..'; there are: lenet"),
    ("builtin:lenet/x.yaml", "error: the built-in config 'builtin:lenet' has no x.yaml; "
     "it has: deploy.prototxt, net.prototxt, solver.yaml"),
    ("builtin:lenet/../lenet/net.prototxt", "error: the built-in config 'builtin:lenet' has no ../lenet/net.prototxt; "
     "it has: deploy.prototxt, net.prototxt, solver.yaml"),
])
def test_builtin_configs_that_are_not_there(shipped, name, message):
    with pytest.raises(ConfigError) as caught:
        builtin_config(name)
    assert str(caught.value) == message

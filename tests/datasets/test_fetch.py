"""Published data sets, from a local server and from folders; every file is compared with its checksum."""
from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
from dataclasses import replace

import pytest

from netdef.datasets.fetch import locate
from netdef.datasets.published import PUBLISHED, File
from netdef.errors import DataError

CONTENTS = {"a-images-ubyte": b"pixels" * 1000, "a-labels-ubyte": b"labels"}


def data_of(contents, **changes):
    """A published data set with these files."""
    files = tuple(File(name, hashlib.sha256(raw).hexdigest()) for name, raw in contents.items())
    base = {"files": files, "parts": {"train": "idx:{folder}/a-images-ubyte,{folder}/a-labels-ubyte"}, "places": ()}
    return replace(PUBLISHED["mnist"], **(base | changes))


@pytest.fixture
def server(here):
    """A folder, and the URL under which it is served, with ranges; ``asked`` are the requests."""
    folder = here / "served"
    folder.mkdir()
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Range"]))
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                return self.send_error(404)
            raw, start = path.read_bytes(), 0
            if self.headers["Range"]:
                start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start and start >= len(raw):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(raw) - start))
            self.end_headers()
            return self.wfile.write(raw[start:])

        def log_message(self, *args):
            """Nothing on the screen."""

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{made.server_port}", asked
    made.shutdown()
    made.server_close()


def test_download(here, server):
    folder, url, asked = server
    for name, raw in CONTENTS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
    data, told = data_of(CONTENTS), []
    sources = locate(data, None, here / "d", (f"{url}/nothing", url), lambda *seen: told.append(seen))
    assert sources == {"train": f"idx:{here}/d/a-images-ubyte.gz,{here}/d/a-labels-ubyte.gz"}
    assert len(asked) == 4 and told[0][0] == "a-images-ubyte.gz" and told[0][1] == told[0][2]
    assert locate(data, None, here / "d", (url,)) == sources and len(asked) == 4  # nothing is fetched twice


def test_a_broken_download_goes_on(here, server):
    folder, url, asked = server
    for name, raw in CONTENTS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw, mtime=0))
    (here / "d").mkdir()
    for name, part in (("a-images-ubyte", slice(20)), ("a-labels-ubyte", slice(None))):  # the second lacks only its name
        (here / "d" / f"{name}.gz.part").write_bytes((folder / f"{name}.gz").read_bytes()[part])
    locate(data_of(CONTENTS), None, here / "d", (url,))
    size = (folder / "a-labels-ubyte.gz").stat().st_size
    assert [asking for _, asking in asked] == ["bytes=20-", f"bytes={size}-", None]
    assert not list((here / "d").glob("*.part"))


def test_what_is_not_whole_is_not_kept(here, server):
    folder, url, _ = server
    for name in CONTENTS:
        (folder / f"{name}.gz").write_bytes(gzip.compress(b"another file"))
    with pytest.raises(DataError, match="cannot get a-images-ubyte.gz") as caught:
        locate(data_of(CONTENTS), None, here / "home" / "d", (url,))
    assert "expected the SHA-256" in str(caught.value) and "--from FOLDER" in caught.value.hint
    assert not (here / "home").exists()


def test_nobody_answers(here):
    with pytest.raises(DataError, match="cannot get") as caught:
        locate(data_of(CONTENTS, package="some-package"), None, here / "d", ("http://127.0.0.1:1/",))
    assert "refused" in str(caught.value) and "apt-get install some-package" in caught.value.hint


@pytest.mark.parametrize("packed", [False, True])
def test_local_copies(here, packed):
    for name, raw in CONTENTS.items():
        (here / (name + ".gz" * packed)).write_bytes(gzip.compress(raw, 1) if packed else raw)
    ending = ".gz" * packed
    wanted = {"train": f"idx:{here}/a-images-ubyte{ending},{here}/a-labels-ubyte{ending}"}
    assert locate(data_of(CONTENTS), str(here), here / "d") == wanted
    assert locate(data_of(CONTENTS, places=(str(here),)), None, here / "d") == wanted  # a package's folder
    (here / ("a-labels-ubyte" + ending)).write_bytes(b"cut"[:2] if not packed else gzip.compress(raw)[:-3])
    with pytest.raises(DataError, match="SHA-256|damaged"):
        locate(data_of(CONTENTS), str(here), here / "d")
    (here / ("a-labels-ubyte" + ending)).unlink()
    with pytest.raises(DataError, match="has no a-labels-ubyte"):
        locate(data_of(CONTENTS), str(here), here / "d")
    with pytest.raises(DataError, match="no such folder"):
        locate(data_of(CONTENTS), str(here / "none"), here / "d")


def test_archive(here):
    """The files are taken out by name; a path that leads elsewhere is not followed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, raw in [*CONTENTS.items(), ("evil", b"x")]:
            info = tarfile.TarInfo(f"../../{name}")
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    (here / "in").mkdir()
    (here / "in" / "set.tar.gz").write_bytes(buffer.getvalue())
    packed = File("set.tar.gz", hashlib.sha256(buffer.getvalue()).hexdigest())
    data = data_of(CONTENTS, archive=packed)
    wanted = {"train": f"idx:{here}/in/set/a-images-ubyte,{here}/in/set/a-labels-ubyte"}
    assert locate(data, str(here / "in"), here / "d") == wanted
    assert sorted(p.name for p in here.rglob("*") if p.is_file()) == ["a-images-ubyte", "a-labels-ubyte", "set.tar.gz"]
    (here / "in" / "set" / "a-labels-ubyte").unlink()
    (here / "in" / "set.tar.gz").write_bytes(b"broken")
    with pytest.raises(DataError, match="SHA-256"):
        locate(data, str(here / "in"), here / "d")


def test_the_list():
    for name, data in PUBLISHED.items():
        assert name == data.name and len(data.classes) == 10 and set(data.parts) == {"train", "test"}
        for file in [*data.files, *([data.archive] if data.archive else [])]:
            assert len(file.sha256) == 64 and int(file.sha256, 16)


def test_checksums_of_mnist(shared, here):
    locate(PUBLISHED["mnist"], str(shared / "data" / "mnist_idx"), here / "d")

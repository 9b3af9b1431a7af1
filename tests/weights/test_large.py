"""Half a gigabyte: how long it takes to open, and how much memory to read."""
from __future__ import annotations

import subprocess
import sys

import pytest

from netdef.config.blobproto import encode_varint

MIB = 1 << 20
LAYERS, SIZE = 10, 50 * MIB

SCRIPT = """
import resource, sys, time
import numpy as np
from netdef import weights
resident = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = resident()
start = time.process_time()
found = weights.read(sys.argv[1])
opened = time.process_time() - start
total = sum(float(a.sum()) for arrays in found.layers.values() for a in arrays)
print(found.count, total, opened, resident() - before)
"""


@pytest.mark.slow
def test_a_file_of_500_mb_opens_at_once_and_takes_little_more_than_its_size(tmp_path):
    path = tmp_path / "big.caffemodel"
    with path.open("wb") as file:
        for i in range(LAYERS):
            dim = encode_varint(SIZE // 4)
            shape = b"\x3a" + bytes([len(dim) + 1]) + b"\x08" + dim
            blob = shape + b"\x2a" + encode_varint(SIZE)
            body = b"\x0a\x02l%d\x3a" % i + encode_varint(len(blob) + SIZE) + blob
            file.write(b"\xa2\x06" + encode_varint(len(body) + SIZE) + body)
            file.truncate(file.tell() + SIZE)  # a hole: no space on the disk
            file.seek(0, 2)
    ran = subprocess.run([sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True)
    count, total, opened, grown = map(float, ran.stdout.split())
    size = path.stat().st_size
    assert count == LAYERS * SIZE // 4 and total == 0
    assert opened < 1, f"opening took {opened:.2f} s of CPU"
    assert grown * 1024 < 1.1 * size, f"reading took {grown * 1024 / size:.2f} times the file's size"

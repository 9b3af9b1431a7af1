"""Data sets that others have published: where they lie, their checksums, their classes.

The checksums of IDX files are those of the unpacked contents, so that a copy that was packed again is known too. They are
SHA-256; MNIST's and Fashion-MNIST's were computed from copies and agree with published ones, CIFAR-10's are published ones.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class File(NamedTuple):
    """A file: its name without .gz, and the SHA-256 of its contents."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Published:
    """A data set: files to get, and which files make which part."""

    name: str
    title: str
    mirrors: tuple[str, ...]
    files: tuple[File, ...]
    parts: dict[str, str]
    """part -> its source, with {folder} for where the files are"""
    classes: tuple[str, ...]
    licence: str
    places: tuple[str, ...] = ()
    """folders in which a distribution's package puts the files"""
    package: str = ""
    archive: File | None = None
    """the one file to download that holds all others, in a folder of its own"""
    otherwise: str = ""
    """what to do with a form of the data set that is not taken here"""
    advice: str = ""
    """what to type next, with {out} for the folder of the databases"""


def _idx(part: str) -> str:
    return f"idx:{{folder}}/{part}-images-idx3-ubyte,{{folder}}/{part}-labels-idx1-ubyte"


_DIGITS = {"train": _idx("train"), "test": _idx("t10k")}

PUBLISHED = {p.name: p for p in (
    Published(
        "mnist", "MNIST, handwritten digits: 60,000 + 10,000, 1x28x28",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        (File("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
         File("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
         File("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
         File("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2")),
        _DIGITS, tuple("0123456789"), "CC BY-SA 3.0",
        advice="netdef new lenet my-net; in my-net/net.yaml put {out}/train and {out}/test in place of builtin:mnist10k/..., in "
               "my-net/solver.yaml test_iter: 100; netdef train my-net/solver.yaml"),
    Published(
        "fashion-mnist", "Fashion-MNIST, pieces of clothing: 60,000 + 10,000, 1x28x28",
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
         "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),
        (File("train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
         File("train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
         File("t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
         File("t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34")),
        _DIGITS, ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        "MIT", ("/usr/share/datasets/fashion-mnist",), "dataset-fashion-mnist",
        advice="netdef train builtin:fashion_mnist, in the folder that {out} is in"),
    Published(
        "cifar10", "CIFAR-10, small photographs: 50,000 + 10,000, 3x32x32 (red, green, blue)",
        ("https://www.cs.toronto.edu/~kriz/",),
        (File("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
         File("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
         File("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
         File("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
         File("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
         File("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b")),
        {"train": "cifar10:{folder},split=train", "test": "cifar10:{folder},split=test"},
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"), "none is stated",
        archive=File("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        otherwise="the version for Python, unpacked, is read by netdef data make OUT --from cifar10:FOLDER,split=train",
        advice="put {out}/train and {out}/test into the two source options of configs/cifar10_quick/net.yaml; netdef train "
               "configs/cifar10_quick/solver.yaml"),
)}

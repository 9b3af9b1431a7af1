"""The nets of the benchmark, and a worker process that runs one of them in one library (see bench_worker.py)."""
from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench_worker import Ready, resident_now, serve  # noqa: E402

BATCHES = {"lenet": 64, "cifar10_full": 100, "caffenet": 16, "googlenet": 16, "vgg16": 4, "resnet50": 8, "squeezenet": 16,
           "mobilenet": 8}


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=sorted(LIBRARIES))
    parser.add_argument("net", help="a folder of configs/; with --weights a prototxt")
    parser.add_argument("what", choices=("train", "infer"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--weights", help="run a .caffemodel in the net that a prototxt describes")
    parser.add_argument("--outputs", help="write what the net makes to this .npz and end; with --weights")
    parser.add_argument("--once", action="store_true", help="end behind the first step")
    args = parser.parse_args(argv)
    if args.weights:
        import bench_models
        return bench_models.work(args.library, args.net, args.weights, args.threads, args.outputs)
    return serve(lambda: LIBRARIES[args.library](args.net, args.what, args.batch, args.threads), args.once)


def plan_of(net: str, phase: str, batch: int) -> Any:
    """The plan of a config with another batch size."""
    from netdef.config.load import load_net
    from netdef.graph.build import build

    located = load_net(str(ROOT / "configs" / net / "net.yaml"))
    for layer in located.message.layer:
        if layer.HasField("data_param"):
            layer.data_param.batch_size = batch
    return build(located, phase)


def first_layer(plan: Any) -> str:
    """The first layer behind the data."""
    return next(step.node.name for step in plan.steps if step.node.bottoms)


def score_layer(plan: Any) -> str:
    """The layer that makes the scores which the last loss reads."""
    loss = [step for step in plan.steps if step.node.type == "SoftmaxWithLoss"][-1]
    return plan.steps[plan.description.values[loss.node.bottoms[0]].maker].node.name


def inputs_of(plan: Any) -> tuple[Any, Any]:
    """Data and labels from a fixed seed, in the shapes of the data layer's tops."""
    import numpy as np

    rng = np.random.default_rng(0)
    data, label = (plan.shapes.values[top] for top in plan.steps[0].node.tops)
    return rng.standard_normal(data, "float32"), rng.integers(0, 10, label)


def netdef_worker(net: str, what: str, batch: int, threads: int) -> Ready:
    """netdef: forward, backward and the SGD update, or forward to the scores."""
    os.environ["NETDEF_NUM_THREADS"] = str(threads)
    import netdef.kernels.jit  # noqa: F401
    from netdef.config import schema
    from netdef.graph.memorytext import peak_bytes
    from netdef.runtime.net import Net
    from netdef.solvers.rules import rules
    from netdef.solvers.update import Update

    plan = plan_of(net, "TRAIN" if what == "train" else "TEST", batch)
    imported, planned = resident_now(), peak_bytes(plan) or 0
    made = Net(plan, seed=1, keep="outputs", freeze=what != "train")  # as `netdef train` and `predict` do
    start, data = first_layer(plan), inputs_of(plan)
    for top, array in zip(plan.steps[0].node.tops, data, strict=True):
        made.blobs[plan.description.value_name(top)].data[...] = array
    if what == "infer":
        end = score_layer(plan)
        return Ready(lambda: made.forward(start=start, end=end), imported, planned)
    p = schema.new("SolverParameter")
    p.momentum, p.weight_decay = 0.9, 0.0005
    update = Update(made, p, rules()["SGD"])

    def step() -> None:
        made.clear_param_diffs()
        made.forward(start=start)
        made.backward()
        update.apply(1e-4, 0)
    return Ready(step, imported, planned)


def torch_worker(net: str, what: str, batch: int, threads: int, last: bool = False, compiled: bool = False) -> Ready:
    """PyTorch: eager, or through torch.compile; NCHW, or channels last."""
    os.environ["NETDEF_KERNELS"] = "reference"  # Numba stays out of this process
    import torch

    torch.set_num_threads(threads)
    from bench_torch import PlanModule

    plan = plan_of(net, "TRAIN" if what == "train" else "TEST", batch)
    imported = resident_now()
    module = PlanModule(plan, None if what == "train" else score_layer(plan))
    form = torch.channels_last if last else torch.contiguous_format
    module = module.to(memory_format=form)
    tops = plan.steps[0].node.tops
    data, label = (torch.from_numpy(a) for a in inputs_of(plan))
    values = {tops[0]: data.contiguous(memory_format=form), tops[1]: label}

    def loss() -> Any:
        return module.loss(module(values))

    def scores() -> Any:
        return list(module(values).values())[-1]

    run = loss if what == "train" else scores
    if compiled:
        run = torch.compile(run)
    if what == "infer":
        module.eval()

        def infer() -> None:
            with torch.inference_mode():
                run()
        return Ready(infer, imported)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-4, momentum=0.9, weight_decay=0.0005)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        run().backward()
        optimizer.step()
    return Ready(step, imported)


def deploy_files(net: str, batch: int, folder: Path) -> tuple[Path, Path]:
    """A prototxt from an Input layer to the scores, and the weights of a fresh net, as Caffe reads them."""
    from netdef.config.load import load_net
    from netdef.config.write import to_prototxt
    from netdef.runtime.net import Net

    plan = plan_of(net, "TEST", batch)
    message = load_net(str(ROOT / "configs" / net / "net.yaml")).message
    wanted = {step.node.name: step for step in plan.steps}
    end = score_layer(plan)
    layers = [wanted[step.node.name].node.located.message for step in plan.steps if step.node.bottoms]
    names = [layer.name for layer in layers]
    del message.layer[:]
    data = message.layer.add(name="data", type="Input", top=[plan.description.value_name(plan.steps[0].node.tops[0])])
    data.input_param.shape.add().dim.extend(plan.shapes.values[plan.steps[0].node.tops[0]])
    message.layer.extend(layers[: names.index(end) + 1])
    text, weights = folder / "deploy.prototxt", folder / "net.caffemodel"
    text.write_text(to_prototxt(message), encoding="utf-8")
    Net(plan, seed=1).save(str(weights))
    return text, weights


def opencv_worker(net: str, what: str, batch: int, threads: int) -> Ready:
    """OpenCV's dnn module, inference only."""
    os.environ["NETDEF_KERNELS"] = "reference"
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(threads)
    data = inputs_of(plan_of(net, "TEST", batch))[0]
    with tempfile.TemporaryDirectory() as folder:
        _apart("deploy_files", net, batch, folder)
        imported = resident_now()
        made = cv2.dnn.readNetFromCaffe(str(Path(folder) / "deploy.prototxt"), str(Path(folder) / "net.caffemodel"))

    def infer() -> None:
        made.setInput(data)
        made.forward()
    return Ready(infer, imported)


def pycaffe_worker(net: str, what: str, batch: int, threads: int) -> Ready:
    """BVLC Caffe through its Python module; training runs its SGDSolver, data and labels lie in Input layers."""
    os.environ["NETDEF_KERNELS"] = "reference"
    caffe = import_caffe(threads)
    plan = plan_of(net, "TRAIN" if what == "train" else "TEST", batch)
    arrays = dict(zip((plan.description.value_name(top) for top in plan.steps[0].node.tops), inputs_of(plan), strict=True))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _apart("training_file" if what == "train" else "deploy_files", net, batch, name)
        imported = resident_now()
        if what == "infer":
            made = caffe.Net(str(folder / "deploy.prototxt"), str(folder / "net.caffemodel"), caffe.TEST)
            step = made.forward
        else:
            solver = folder / "solver.prototxt"
            solver.write_text(f'net: "{folder / "train.prototxt"}"\nbase_lr: 1e-4\nlr_policy: "fixed"\nmomentum: 0.9\n'
                              "weight_decay: 0.0005\nsnapshot: 0\nsnapshot_after_train: false\n", encoding="utf-8")
            trainer = caffe.SGDSolver(str(solver))
            made, step = trainer.net, partial(trainer.step, 1)
    for blob, array in arrays.items():
        if blob in made.inputs:
            made.blobs[blob].data[...] = array
    return Ready(step, imported)


def import_caffe(threads: int) -> Any:
    """BVLC Caffe's module, set to compute on the CPU."""
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    caffe = importlib.import_module("caffe")
    caffe.set_mode_cpu()
    return caffe


def _apart(function: str, net: str, batch: int, folder: str) -> None:
    """Call a function of this file in a process of its own, so that what it leaves in memory is not the caller's."""
    code = ("import pathlib, sys; sys.path.insert(0, sys.argv[1]); import bench_nets; "
            "getattr(bench_nets, sys.argv[2])(sys.argv[3], int(sys.argv[4]), pathlib.Path(sys.argv[5]))")
    done = subprocess.run([sys.executable, "-c", code, str(ROOT / "tools"), function, net, str(batch), folder],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])


def training_file(net: str, batch: int, folder: Path) -> Path:
    """The TRAIN net as prototxt, its data layer turned into an Input layer."""
    from netdef.config.load import load_net
    from netdef.config.write import to_prototxt

    plan = plan_of(net, "TRAIN", batch)
    message = load_net(str(ROOT / "configs" / net / "net.yaml")).message
    layers = [step.node.located.message for step in plan.steps if step.node.bottoms]
    del message.layer[:]
    data = message.layer.add(name="data", type="Input")
    for top in plan.steps[0].node.tops:
        data.top.append(plan.description.value_name(top))
        data.input_param.shape.add().dim.extend(plan.shapes.values[top])
    message.layer.extend(layers)
    path = folder / "train.prototxt"
    path.write_text(to_prototxt(message), encoding="utf-8")
    return path


LIBRARIES: dict[str, Callable[[str, str, int, int], Ready]] = {
    "netdef": netdef_worker,
    "torch": torch_worker,
    "torch-last": partial(torch_worker, last=True),
    "torch-compile": partial(torch_worker, compiled=True),
    "torch-compile-last": partial(torch_worker, last=True, compiled=True),
    "opencv": opencv_worker,
    "pycaffe": pycaffe_worker,
}


if __name__ == "__main__":
    sys.exit(main())

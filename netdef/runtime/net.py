"""Net: a plan with memory, params and data; what users hold in their hands."""
from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from netdef import fillers
from netdef.blob import Blob
from netdef.errors import NetdefError, did_you_mean
from netdef.graph import standin
from netdef.graph.build import build
from netdef.graph.model import GraphPlan
from netdef.kernels.arithmetic import arithmetic
from netdef.rng import Stream
from netdef.runtime.blobtable import BlobTable
from netdef.runtime.executor import Executor, RunStep, named
from netdef.runtime.hooks import Hooks
from netdef.runtime.load import load_weights, own_weights, save_weights
from netdef.runtime.loadreport import LoadReport
from netdef.runtime.memory import Memory, use_of
from netdef.runtime.rerun import Rerun


class Net:
    """A network that can run.

    ``net``      path of a prototxt or YAML file, of a .caffemodel (the net inside it, with its params), a NetParameter
                 message, or a plan made by ``netdef.graph.build``
    ``phase``    "TRAIN" or "TEST": which layers are kept and how Dropout and its kin behave
    ``weights``  path of a .caffemodel, .caffemodel.h5, .npz or .safetensors (or several, later ones win); layers are
                 matched by name
    ``level``, ``stages``  further tags for include and exclude rules
    ``dtype``    "float32" or "float64"
    ``keep``     "all": every blob can be looked at after a pass; "outputs": only inputs, outputs and losses can, the
                 others take turns in one block of memory; or names of blobs to keep beside these. Unless "all", backward
                 runs in TRAIN only, and once after each forward
    ``freeze``   params become read-only and backward is refused (prediction); where not everything is kept, BatchNorm and
                 Scale are multiplied into the weights before them
    ``fuse``     False: run layer by layer (so does ``NETDEF_FUSE=0``); fused steps give the same bits
    ``seed``     for fillers, dropout and shuffling; None takes one from the system, kept in ``net.seed``

    Raises ConfigError(s) with the place in the file, WeightsError, DataError.

    >>> import netdef
    >>> net = netdef.Net("configs/mlp/net.yaml", phase="TRAIN")    # doctest: +SKIP
    >>> net.forward()                                              # doctest: +SKIP
    >>> net.backward()                                             # doctest: +SKIP
    >>> net.params["ip1"][0].diff                                  # doctest: +SKIP
    """

    def __init__(self, net: Any, phase: str | None = "TEST", weights: str | Path | Sequence[str | Path] | None = None,
                 level: int | None = None, stages: Sequence[str] = (), dtype: str = "float32", keep: str | Sequence[str] = "all",
                 freeze: bool = False, seed: int | None = None, fuse: bool = True) -> None:
        if dtype not in ("float32", "float64"):
            raise NetdefError(f"dtype: expected float32 or float64, got {dtype}")
        if phase not in ("TRAIN", "TEST", None):
            raise NetdefError(f"phase: expected TRAIN or TEST, got {phase}")
        self.plan: GraphPlan = net if isinstance(net, GraphPlan) else build(net, phase, level, stages)
        standin.refuse(self.plan.description.layers)
        self.seed = secrets.randbits(63) if seed is None else seed
        self.dtype = np.dtype(dtype)
        self.freeze = freeze
        self.pass_number = 0
        self.loss = 0.0
        self.hooks = Hooks()
        self.param_blobs = [Blob(p.init.name, tuple(p.init.shape), self.dtype) for p in self.plan.params]
        self._values = self._make_blobs()
        use = use_of(self.plan, keep, freeze)
        self.executor = self._make_executor(use.backward)
        self.memory = Memory(self.executor, use, self.dtype, fuse)
        self._rerun = Rerun(self)
        self.blobs = BlobTable(self.plan, self._values)
        self.params: dict[str, list[Blob]] = {s.node.name: [self.param_blobs[p] for p in s.params]
                                              for s in self.plan.steps if s.params}
        self.reshape()
        self._share_params()
        self._fill()
        self.blobs.show(self.memory.kept)
        if weights is None:
            weights = own_weights(net) or ()
        for path in [weights] if isinstance(weights, (str, Path)) else weights:
            self.load(path)
        if freeze:
            self._freeze()

    # making it ------------------------------------------------------------------------------------------------

    def _make_blobs(self) -> dict[int, Blob]:
        """One blob a value; an in-place version is the blob it replaces."""
        blobs: dict[int, Blob] = {}
        for value in self.plan.description.values:
            shape = self.plan.shapes.values[value.id]
            assert shape is not None  # build() raised otherwise
            blobs[value.id] = (Blob(value.blob, shape, self.dtype) if value.replaces is None
                               else blobs[value.replaces])
        return blobs

    def _make_executor(self, backward: bool) -> Executor:
        steps = []
        for step in self.plan.steps:
            node = step.node
            assert node.layer is not None  # build() raised otherwise
            layer = type(node.layer)(node.spec)  # of one's own: it may hold a cursor or a recurrent state
            steps.append(RunStep(step, layer, [self._values[b] for b in node.bottoms if b is not None],
                                 [self._values[t] for t in node.tops], [self.param_blobs[p] for p in step.params],
                                 self.dtype))
            steps[-1].context.backward = backward and step.backward
        return Executor(self.plan, steps, self._values, self.seed)

    def _share_params(self) -> None:
        for p in self.plan.params:
            if p.owner != p.id:
                self.param_blobs[p.id].share_data(self.param_blobs[p.owner])
                self.param_blobs[p.id].share_diff(self.param_blobs[p.owner])

    def _fill(self) -> None:
        """First values of the owned params; each has a random stream of its own, keyed by layer and index."""
        for p in self.plan.params:
            if p.owner != p.id or p.init.filler is None:
                continue
            node = self.plan.description.layers[p.layer]
            data = self.param_blobs[p.id].data
            if isinstance(p.init.filler, (int, float, np.ndarray)):
                data[...] = p.init.filler
            else:
                fillers.fill(data, p.init.filler, Stream(self.seed, f"filler/{node.name}/{p.index}"),
                             node.spec.option_span(p.init.option))

    def _freeze(self) -> None:
        for blob in self.param_blobs:
            blob.data.flags.writeable = False

    # running it -----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The net's name in the config."""
        return self.plan.description.name

    @property
    def phase(self) -> str:
        """TRAIN or TEST."""
        return self.plan.description.state.phase

    @property
    def steps(self) -> list[RunStep]:
        """The layers in forward order, each with its blobs."""
        return self.executor.steps

    @property
    def inputs(self) -> list[str]:
        """Tops of Input layers, in file order."""
        return list(self.plan.description.inputs)

    @property
    def outputs(self) -> list[str]:
        """Blobs that no layer reads, by name."""
        return list(self.plan.description.outputs)

    def forward(self, *, start: str | None = None, end: str | None = None, **inputs: Any) -> dict[str, np.ndarray]:
        """Run forward and return the outputs' data as views; ``net.loss`` is the weighted sum of the losses.

        ``inputs`` are put into blobs by name, which are reshaped to fit. ``start`` and ``end`` name the first and
        the last layer to run. Raises NetdefError on an unknown name, ShapeError where a new input size does not fit.
        """
        for name, value in inputs.items():
            array = np.asarray(value, self.dtype)
            blob = self._blob(name)
            if blob.shape != array.shape:
                blob.reshape(*array.shape)
            blob.data[...] = array
        first = 0 if start is None else named(self.steps, start)
        last = None if end is None else named(self.steps, end)
        if self.memory.shares and any(run.bottoms for run in self.steps[:first]):
            raise NetdefError("forward: start needs the blobs of the pass before, which this net does not keep",
                              hint='open it with keep="all"')
        self._rerun.before_forward()
        fused = self.memory.prepare(self.hooks.parts > 0 or self.executor.cuts(first, last))
        with arithmetic(self.plan.description.located.message.winograd):
            self.loss = self.executor.forward(self.pass_number, self.hooks, first, last, fused)
        self.pass_number += 1
        return {name: self.blobs[name].data for name in self.plan.description.outputs}

    def backward(self, *, start: str | None = None, end: str | None = None, **diffs: Any) -> None:
        """Run backward: bottoms' diffs are overwritten, params' diffs are added to (see ``clear_param_diffs``).

        ``diffs`` are put into blobs' gradients by name first; ``start`` names the layer to begin at, ``end`` the last
        one to run (towards the data). Raises NetdefError in a frozen net, and in one that does not keep what it needs.
        """
        if self.freeze:
            raise NetdefError("backward: this net was made with freeze=True")
        if not self.memory.use.backward:
            raise NetdefError("backward: this net forgets in the TEST phase what it would need",
                              hint='open it with keep="all"')
        for name, value in diffs.items():
            self._blob(name).diff[...] = value
        first = None if start is None else named(self.steps, start)
        last = 0 if end is None else named(self.steps, end)
        if self.executor.fused and (self.hooks.parts or self.executor.cuts(last, first)):
            self._rerun.check_parts()
            self.executor.part()
        self._rerun.before_backward()
        with arithmetic(self.plan.description.located.message.winograd):
            self.executor.backward(self.hooks, first, last)

    def keep_all(self) -> None:
        """Keep every blob from the next pass on, as with ``keep="all"``."""
        self.memory.keep_all()
        self.blobs.show(self.memory.kept)

    def recall(self) -> None:
        """Make every blob of the last pass visible until the next one, by running it again where they were not kept.

        Data layers do not run again; losses, params and their gradients stay as they are.
        """
        self._rerun.recall()

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray, layer: str | None = None) -> None:
        """Give the first MemoryData layer (or the one named) its arrays: (M, C, H, W) and M labels.

        M must be a multiple of the batch size. Raises NetdefError where there is no such layer, DataError where sizes
        do not fit.
        """
        for run in self.steps:
            if run.type == "MemoryData" and layer in (None, run.name):
                run.layer.reset(data, labels)  # type: ignore[attr-defined]
                return
        wanted = f"'{layer}'" if layer else "of type MemoryData"
        raise NetdefError(f"net '{self.name}' has no layer {wanted} to take arrays")

    def _blob(self, name: str) -> Blob:
        if name not in self.blobs:
            raise NetdefError(f"the net has no blob '{name}'", hint=did_you_mean(name, self.blobs))
        return self.blobs[name]

    def reshape(self) -> None:
        """Give every blob the shape that follows from the inputs' present shapes, without running anything."""
        for run in self.steps:
            self.executor.fit(run)

    def clear_param_diffs(self) -> None:
        """Set the gradients of all params to zero."""
        for p in self.learnable():
            self.param_blobs[p].diff[...] = 0

    def learnable(self) -> list[int]:
        """Ids of the owned params in net order, those with lr_mult 0 included (the order of solver histories)."""
        return [p.id for p in self.plan.params if p.owner == p.id]

    def shares(self, blob: Blob) -> bool:
        """Whether a param blob uses the memory of another layer's, by ``param { name }``."""
        return any(self.param_blobs[p.id] is blob and p.owner != p.id for p in self.plan.params)

    # files and state ------------------------------------------------------------------------------------------

    def load(self, path: str | Path, strict: bool = False) -> LoadReport:
        """Read params by layer name from a weights file of any kind; says what was loaded and what was not.

        Raises WeightsError: unreadable file, shapes that differ, or (``strict``) anything left over on either side.
        """
        return load_weights(self, Path(path), strict)

    def save(self, path: str | Path) -> None:
        """Write the params by the path's ending: .h5, .npz, .safetensors, else a .caffemodel (with the net, as Caffe's).

        The file appears whole or not at all. Raises WeightsError.
        """
        save_weights(self, Path(path))

    def share_params_with(self, other: Net) -> None:
        """Use the param memory of another net, by layer name (a solver's test nets do). Raises WeightsError."""
        for name, blobs in self.params.items():
            if name not in other.params:
                continue
            for i, (mine, theirs) in enumerate(zip(blobs, other.params[name], strict=False)):
                if mine.shape != theirs.shape:
                    raise NetdefError(f"layer '{name}': param {i} has shape {mine.shape} in the {self.phase} net and "
                                      f"{theirs.shape} in the {other.phase} net")
                mine.share_data(theirs)
        self.memory.unfold()  # what is shared may change

    def state(self) -> dict[str, Any]:
        """What outlives a pass: the number of the next pass and each layer's own state."""
        layers = {run.name: run.layer.state() for run in self.steps}
        return {"pass_number": self.pass_number, "layers": {k: v for k, v in layers.items() if v}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a state: the next forward reads the same data and draws the same random numbers."""
        self.pass_number = state["pass_number"]
        for run in self.steps:
            if run.name in state["layers"]:
                run.layer.set_state(state["layers"][run.name])

    def close(self) -> None:
        """Release files and data sources."""
        for run in self.steps:
            run.layer.close()

    def __enter__(self) -> Net:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Net '{self.name}' {self.phase}: {len(self.steps)} layers, {len(self.blobs)} blobs>"

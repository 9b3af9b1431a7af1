"""Solvers: the training loop and what it needs.

``solver.py`` is the loop, in Caffe's order; ``nets.py`` makes its nets, ``settings.py`` checks its fields,
``policies.py`` says the learning rate of an iteration, ``update.py`` turns gradients into changes of params through a
rule (``rules.py``: SGD, Nesterov; ``adaptive.py``: the others), ``evaluate.py`` runs test nets,
``ema.py`` averages params, ``monitor.py`` and ``observe.py`` look at one output for plateau, early_stop and
snapshot_best, ``snapshot.py``, ``resume.py`` and ``state.py`` write and read snapshots and ``keep.py`` deletes old ones,
``recover.py`` puts in order what a killed process left,
``signals.py`` hears Ctrl-C, ``events.py`` tells listeners what happened, ``debuginfo.py`` what is in each layer, and
``log.py`` words it as Caffe's log does.

``rundir.py`` is the directory of a run: ``resolved.py`` writes its config, ``environment.py`` says where it runs,
``metrics.py`` writes its numbers and ``tbevents.py`` the same for TensorBoard. ``curves.py`` reads them (``logfile.py``:
from logs) for ``figure.py`` and ``chart.py`` to draw, ``rundiff.py`` compares two runs. ``finder.py`` looks for a learning
rate. May import: runtime and below.

To add a learning rate policy: one function in ``policies.py``. To add a rule: one class in ``rules.py`` or
``adaptive.py``.
"""

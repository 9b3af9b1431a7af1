"""Race netdef against the libraries installed beside it: whole nets of configs/, layers, kernels, data, start-up times.

Each contender runs in a fresh process of its own, with its allocator as it is and *tuned* (glibc told to keep freed memory);
they take turns in one run, so that a busy minute of the machine hits all alike. Figures are the least of all runs unless
--median is given, of single pictures always the median; ratios above 1 mean that netdef is faster. Contenders that are not
installed are left out; one that fails stands in the table as "does not work", with the reason below.

  python tools/bench.py                          all nets: training steps, inference, latency of one picture; 1, 2, all threads
  python tools/bench.py --nets lenet,resnet50 --what train --threads 2
  python tools/bench.py --model face=deploy.prototxt,net.caffemodel     nets from files against OpenCV reading the same files
  python tools/bench.py --layers resnet50        layer by layer against PyTorch's operators
  python tools/bench.py --kernels                the memory-bound kernels against NumPy and PyTorch
  python tools/bench.py --data                   reading: LMDB against LeNet's training step, JPEG against PyTorch's DataLoader
  python tools/bench.py --startup                cold and warm start
"""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_tables as tables  # noqa: E402
from bench_models import target_of  # noqa: E402
from bench_nets import BATCHES  # noqa: E402
from bench_race import CONTENDERS, WHAT, Options, Outcome, Target, chosen, race  # noqa: E402
from bench_report import Report  # noqa: E402
from bench_timing import Quiet  # noqa: E402

LABELS = [c.label for c in CONTENDERS]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables that were asked for."""
    parser = _parser()
    args = parser.parse_args(argv)
    _check(parser, args)
    try:
        report = Report(["python", "tools/bench.py", *(sys.argv[1:] if argv is None else argv)], args.json,
                        args.markdown is not None, args.markdown if args.markdown != Path("-") else None)
        return _run(args, Options(args.seconds, args.rounds, args.median, args.patience), report)
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("stopped; the figures that were done are kept", file=sys.stderr)
        return 130


def _run(args: argparse.Namespace, options: Options, report: Report) -> int:
    special = bool(args.kernels or args.layers or args.startup or args.data or args.model)
    if args.kernels:
        import bench_kernels
        bench_kernels.run("", args.threads[-1], args.seconds / 4, report)
    for net in args.layers or ():
        import bench_layers
        for threads in args.threads:
            if not bench_layers.run(net, threads, args.seconds / 4, report):
                return 1
    if args.data:
        import bench_data
        bench_data.run(args.threads, options, report)
    if args.startup:
        import bench_startup
        bench_startup.run(args.nets or bench_startup.NETS, args.rounds, args.threads[-1], report)
    if args.model:
        import bench_models
        bench_models.run(args.model, args.threads, args.only, options, report)
    if not special:
        nets(args.nets or list(BATCHES), args.what, args.threads, args.only, options, report)
    return 0


def nets(names: Sequence[str], whats: Sequence[str], threads: Sequence[int], only: Sequence[str], options: Options,
         report: Report) -> None:
    """Race over nets of configs/: for each measurement a table of times for each number of threads, one of ratios, and one
    of memory."""
    contenders, missing = chosen(only)
    for line in missing:
        report.text(line)
    for what in whats:
        able = [c for c in contenders if c.trains or what != "train"]
        labels, pick, by_threads = [c.label for c in able], options.pick(what), {}
        title = {net: net if what == "latency" else f"{net} ({BATCHES[net]})" for net in names}
        found: dict[str, dict[str, Outcome]] = {}
        for count in threads:
            quiet = Quiet()
            by_threads[count] = found = {}
            for net in names:
                found[net] = race(Target(net, BATCHES[net]), what, count, able, options)
                report.raw.setdefault("nets", {}).setdefault(what, {}).setdefault(str(count), {}).update(
                    tables.raw({net: found[net]}))
                report.save()
            report.title(f"{WHAT[what]}, {count} thread{'s' * (count > 1)}")
            report.text("Milliseconds (and peak megabytes beyond the imports):")
            report.table(*tables.times(found, labels, title, pick))
            for note in tables.notes(found):
                report.text(note)
            report.quiet(quiet)
        compared = tables.ratios(by_threads, pick)
        if compared:
            report.title(f"{WHAT[what]}: time over netdef's")
            report.text("In brackets the number of threads. A peer's better form (torch: NCHW or channels_last) over netdef,"
                        " both with the allocator as it is; best: with the better setting of the allocator for each.")
            report.table(*compared)
        remembered = tables.memory(found, labels)
        if remembered and what != "latency":
            report.title(f"{WHAT[what]}: memory, {threads[-1]} thread{'s' * (threads[-1] > 1)}")
            report.text("Peak growth of resident memory beyond the imports; the plan's peak is that of `netdef summary`.")
            report.table(*remembered)


def _parser() -> argparse.ArgumentParser:
    def names(text: str) -> list[str]:
        return [name for name in text.split(",") if name]

    def counts(text: str) -> list[int]:
        found = [int(n) for n in text.split(",")]
        if min(found) < 1:
            raise ValueError(text)
        return sorted(set(found))

    processors = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=names, default=[], metavar="A,B", help=f"of {', '.join(BATCHES)}")
    parser.add_argument("--what", type=names, default=list(WHAT), metavar="A,B", help=f"of {', '.join(WHAT)}")
    parser.add_argument("--latency", action="store_true", help="--what latency: inference of one picture, medians")
    parser.add_argument("--threads", type=counts, default=sorted({1, min(2, processors), processors}), metavar="N,M",
                        help="numbers of threads (1, 2 and all); --kernels and --startup take the last of them; with --data, "
                        "numbers of workers")
    parser.add_argument("--only", type=names, default=[], metavar="A,B",
                        help=f"contenders (or nets): {', '.join(LABELS)}")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each contender and net (%(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="turns that this time is cut into (%(default)s)")
    parser.add_argument("--median", action="store_true", help="medians instead of the least (for a quiet machine)")
    parser.add_argument("--patience", type=float, default=900.0, metavar="S",
                        help="seconds until a contender that does not answer (it may be compiling) is given up (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every time measured to this file too; what a file "
                        "holds already is kept")
    parser.add_argument("--markdown", type=Path, nargs="?", const=Path("-"), metavar="FILE",
                        help="tables without padding, with the command and the machine above them, to paste; also into FILE")
    parser.add_argument("--layers", type=names, metavar="NET", help="layer by layer")
    parser.add_argument("--kernels", action="store_true", help="the memory-bound kernels")
    parser.add_argument("--data", action="store_true", help="reading data")
    parser.add_argument("--startup", action="store_true", help="cold and warm start, of the first training step of LeNet and "
                        "ResNet-50, or of --nets")
    parser.add_argument("--model", type=target_of, action="append", metavar="NAME=PROTOTXT,CAFFEMODEL",
                        help="inference of this net; may be given several times")
    return parser


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse unknown names before anything runs, and sort nets out of --only."""
    args.nets += [name for name in args.only if name in BATCHES]
    args.only = [name for name in args.only if name not in BATCHES]
    if args.latency:
        args.what = ["latency"]
    for chosen_names, known, what in ((args.nets, BATCHES, "net"), (args.layers or [], BATCHES, "net"),
                                      (args.what, WHAT, "measurement"), (args.only, LABELS, "contender")):
        for name in chosen_names:
            if name not in known:
                parser.error(f"unknown {what} '{name}'; known: {', '.join(known)}")
    if args.seconds <= 0 or args.rounds < 1 or args.patience <= 0:
        parser.error("--seconds and --patience: expected more than 0, --rounds: at least 1")


if __name__ == "__main__":
    sys.exit(main())

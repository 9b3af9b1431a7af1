"""docs/gradients.md: its numbers by sums written out, its outputs by running its commands, its corrections by the check."""
from __future__ import annotations

import importlib.util
import math
import re
import shutil
from pathlib import Path

import pytest

from netdef.debug import check

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "gradients.md"
FOLDER = ROOT / "docs" / "gradients"
SPEC = importlib.util.spec_from_file_location("gen_gradients", ROOT / "tools" / "gen_gradients.py")
gen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gen)

TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = {m["options"].strip(): m["body"] for m in gen.BLOCK.finditer(TEXT) if m["kind"] == "numbers"}


def block(name):
    """A block of the page as rows of numbers."""
    return [[float(v) for v in line.split()] for line in BLOCKS[name].splitlines()]


def same(found, name):
    """Whether rows of numbers are those of a block, to the last digit printed."""
    wanted = block(name)
    assert [len(r) for r in found] == [len(r) for r in wanted]
    pairs = [(a, b) for r, s in zip(found, wanted, strict=True) for a, b in zip(r, s, strict=True)]
    return all(abs(a - b) <= 0.51e-4 for a, b in pairs)


@pytest.fixture(scope="module")
def worked():
    """The whole example in plain Python, from nothing but the numbers that the page gives."""
    x, k, w, t = block("data"), block("conv_kernel"), block("ip_kernel"), block("target")[0]
    four, two = range(4), range(2)
    conv = [[sum(x[i + a][j + b] * k[a][b] for a in two for b in two) + 0.1 for j in four] for i in four]
    best = {(i, j): max(((2 * i + a, 2 * j + b) for a in two for b in two), key=lambda at: conv[at[0]][at[1]])
            for i in two for j in two}
    pool = [[conv[best[i, j][0]][best[i, j][1]] for j in two] for i in two]
    s = [[1 / (1 + math.exp(-v)) for v in row] for row in pool]
    flat = [v for row in s for v in row]
    y = [sum(w[n][i] * flat[i] for i in four) + bias for n, bias in enumerate((0.1, -0.1))]
    dy = [a - b for a, b in zip(y, t, strict=True)]
    ds = [[sum(w[n][2 * i + j] * dy[n] for n in two) for j in two] for i in two]
    dp = [[ds[i][j] * s[i][j] * (1 - s[i][j]) for j in two] for i in two]
    dc = [[0.0] * 4 for _ in four]
    for (i, j), (p, q) in best.items():
        dc[p][q] = dp[i][j]
    dk = [[sum(x[i + a][j + b] * dc[i][j] for i in four for j in four) for b in two] for a in two]
    dx = [[sum(k[p - i][q - j] * dc[i][j] for i in four for j in four if 0 <= p - i < 2 and 0 <= q - j < 2)
           for q in range(5)] for p in range(5)]
    loss = sum(d * d for d in dy) / 2
    return {"conv": conv, "pool": pool, "sigmoid": s, "ip": [y], "loss": [[loss]], "delta_ip": [dy], "delta_sigmoid": ds,
            "delta_pool": dp, "delta_conv": dc, "gradient_conv_kernel": dk, "delta_data": dx, "right": dk,
            "differences": dk, "wrong": [row[::-1] for row in dk[::-1]], "flipped": [row[::-1] for row in k[::-1]],
            "gradient_conv_bias": [[sum(map(sum, dc))]], "gradient_ip_kernel": [[d * v for v in flat] for d in dy]}


@pytest.mark.parametrize("name", sorted(BLOCKS.keys() - {"steps", "kink", "direction", "passed", "sum", "one_value", "by_hand",
                                                         "other", "data", "target", "conv_kernel", "ip_kernel"}))
def test_numbers(worked, name):
    assert same(worked[name], name)


def test_the_sums_written_out(worked):
    assert BLOCKS["passed"].splitlines() == [
        "pool[0, 0] = 1.0600 came from conv[0, 1]", "pool[0, 1] = 1.1300 came from conv[1, 3]",
        "pool[1, 0] = 1.1600 came from conv[2, 0]", "pool[1, 1] = 1.2500 came from conv[3, 2]"]
    for name, value in (("sum", worked["gradient_conv_kernel"][0][0]), ("one_value", worked["delta_data"][1][1])):
        left, right = BLOCKS[name].split(" = ")
        total = sum(float(a) * float(b) for a, b in (term.split(" x ") for term in left.split(" + ")))
        assert total == pytest.approx(float(right), abs=2e-4) and float(right) == pytest.approx(value, abs=1e-4)
    assert BLOCKS["by_hand"].split()[-1] == f"{worked['gradient_conv_kernel'][0][0]:.4f}"
    one, other = BLOCKS["direction"].splitlines()[1:]
    along = [float(v) for v in BLOCKS["direction"].splitlines()[0].split()[1:]]
    flat = [v for row in worked["gradient_conv_kernel"] for v in row]
    assert one.split()[-1] == other.split()[-1] == f"{sum(a * b for a, b in zip(along, flat, strict=True)):.4f}"


def test_other_gradients_from_above(worked):
    """[1, 0] in the place of the delta of ip: only the first row of weights counts."""
    first, s, x = block("ip_kernel")[0], worked["sigmoid"], block("data")
    places = [(0, 1), (1, 3), (2, 0), (3, 2)]
    delta = [first[n] * s[n // 2][n % 2] * (1 - s[n // 2][n % 2]) for n in range(4)]
    assert same([[sum(x[p + a][q + b] * d for (p, q), d in zip(places, delta, strict=True)) for b in range(2)]
                 for a in range(2)], "other")


def test_every_block_is_filled_and_every_command_run():
    marked = [m["body"] for m in gen.BLOCK.finditer(TEXT)]
    assert all(len(body.splitlines()) > 1 for body in marked if body.startswith("$"))
    assert TEXT.count("$ netdef") == sum(body.startswith("$ netdef") for body in marked)
    assert TEXT.count("```text") + TEXT.count("```console") == len(marked)
    ran = "\n".join(re.findall(r"^\$ netdef .*", TEXT, re.M))
    for what in ("--show", "--samples", "--update", "--compare", "--why", "--backward", "--case", "--on-nan", " blame "):
        assert what in ran


def test_the_page_is_up_to_date(capsys):
    assert gen.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_noticed_and_repaired(tmp_path, capsys):
    head = TEXT[:TEXT.index("## 3.")]
    page = tmp_path / "page.md"
    page.write_text(head.replace("0.2330", "0.2331").replace("  ok\n", "  no\n", 1), encoding="utf-8")
    assert gen.main(["--page", str(page), "--check"]) == 1
    said = capsys.readouterr().err
    assert "block 'gradient_conv_kernel' is stale: run python tools/gen_gradients.py" in said
    assert "netdef check docs/gradients/net.prototxt' is stale" in said and "delta_sigmoid" not in said
    assert gen.main(["--page", str(page)]) == 0
    assert "0.2330" in page.read_text(encoding="utf-8") and gen.main(["--page", str(page), "--check"]) == 0


@pytest.mark.parametrize("one, other, relative, expected", [
    ("a 1.00 b", "a  1.01 b", 0.001, True), ("1.00", "1.01", 0.0, False), ("1.00", "1.03", 0.01, False),
    ("1.00", "1.03", 0.05, True), ("3 of 4", "3 of 5", 0.05, False), ("error 2.2e-08", "error 9e-11", 0.01, True),
    ("1.2e+03", "1.3e+03", 0.01, False),
    ("-0.0000", "0.0000", 0.0, True), ("ok", "WRONG", 0.01, False), ("1 2", "1", 0.01, False)])
def test_alike(one, other, relative, expected):
    assert gen.alike(one, other, relative) is expected


@pytest.mark.parametrize("name, wrong, right", [
    ("wrong_tanh", "(1 - t)  #", "(1 - t**2)  #"), ("wrong_kernel", "delta)[::-1, ::-1]  #", "delta)  #"),
    ("wrong_softmax", "* top[0].diff  #", "* top[0].diff / len(self.p)  #")])
def test_corrected_it_passes(tmp_path, name, wrong, right):
    """What the comment beside the mistake says is right."""
    code = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert wrong in code and not check(str(FOLDER / f"{name}.prototxt")).ok
    (tmp_path / f"{name}.py").write_text(code.replace(wrong, right), encoding="utf-8")
    shutil.copy(FOLDER / f"{name}.prototxt", tmp_path)
    report = check(str(tmp_path / f"{name}.prototxt"))
    assert report.ok and all(row.checked for row in report.rows), str(report)


def test_links():
    for page, text in ((PAGE, TEXT), (ROOT / "README.md", (ROOT / "README.md").read_text(encoding="utf-8"))):
        targets = re.findall(r"\]\(([^)#]+)\)", text)
        assert targets and all((page.parent / t).exists() for t in targets if "://" not in t)
    assert "(docs/gradients.md)" in (ROOT / "README.md").read_text(encoding="utf-8")

"""docs/learn: each page has its config, command, figures and numbers, and tools/gen_learn.py makes them again."""
from __future__ import annotations

import importlib.util
import os
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("gen_learn", ROOT / "tools" / "gen_learn.py")
gen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gen)

PAGES = gen.pages()
COMMAND = re.compile(r"^(?:    )?(?:\$ )?((?:netdef|python) .*)$", re.M)


def test_the_index_names_every_page():
    index = (gen.LEARN / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[[^\]]+\]\(([\w-]+)/README\.md\) \|", index, re.M)) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole(page):
    text, numbers = gen.readme(page), gen.committed(page)
    assert text.startswith("# ") and numbers
    assert gen.missing(page, gen.LEARN / page) == []
    quotes = list(gen.QUOTE.finditer(text))
    assert quotes and text.count("<!-- n:") == len(quotes)
    assert {m["name"] for m in quotes} <= numbers.keys()
    assert [(m["name"], m["text"]) for m in quotes] == [(m["name"], gen.quoted(m["text"], numbers[m["name"]])) for m in quotes]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_to_type(page):
    text = gen.readme(page)
    assert "```yaml\n" in text or "```prototxt\n" in text
    typed = [shlex.split(line.partition("  #")[0]) for line in COMMAND.findall(text)]
    assert ["python", "tools/gen_learn.py", page] in [words[:3] for words in typed]
    netdef = [words for words in typed if words[0] == "netdef"]
    assert netdef
    for words in netdef:
        for word in words:
            if word.startswith(("docs/", "configs/")):
                assert (ROOT / word).exists(), word


@pytest.mark.parametrize("page", PAGES)
def test_the_config_shown_is_the_file(page):
    """Each block of YAML or prototxt in a page stands in one of its files, comments and spaces aside."""
    def lines(text):
        return [line for row in text.splitlines() if (line := " ".join(re.sub(r"(^|\s)#.*", "", row).split())) and line != "..."]

    files = [lines(file.read_text(encoding="utf-8")) for file in (gen.LEARN / page).iterdir()
             if file.suffix in (".yaml", ".prototxt")]
    for block in re.findall(r"^```(?:yaml|prototxt)\n(.*?)^```", gen.readme(page), re.S | re.M):
        assert any(set(lines(block)) <= set(file) for file in files), block


@pytest.mark.parametrize("page", PAGES)
def test_quick(page, tmp_path):
    """The short form draws every figure and gives every number by its name."""
    numbers = gen.made(page, tmp_path, True)
    assert gen.problems(page, tmp_path, numbers, True) == []


SOON = ("deploy-path", "laplacian")
"""Pages whose long form takes seconds; that of the others a minute each, which is too long for every run of the tests."""


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("page", PAGES)
def test_the_numbers_come_out_again(page, tmp_path):
    if page not in SOON and os.environ.get("NETDEF_LEARN") != "all":
        pytest.skip("takes a minute: NETDEF_LEARN=all, or `python tools/gen_learn.py --check`")
    assert gen.problems(page, tmp_path, gen.made(page, tmp_path, False), False) == []


@pytest.mark.parametrize("text, value, expected", [
    ("0.97", 0.9649, "0.96"), ("97%", 0.9649, "96%"), ("1,200", 1234.4, "1,234"), ("7", 6.7, "7"), ("-0.10", -0.001, "0.00"),
    ("1.0e-03", 0.00234, "2.3e-03"), ("96.5%", 0.96, "96.0%")])
def test_quoted(text, value, expected):
    assert gen.QUOTE.fullmatch(f"<!-- n:a.b -->{text}")["text"] == text
    assert gen.quoted(text, value) == expected


def test_close():
    allowed = {"solved_*": 3.0, "*": 0.01}
    assert gen.close("solved_tanh", 55, 52, allowed) and not gen.close("solved_tanh", 56, 52, allowed)
    assert gen.close("loss", 0.11, 0.105, allowed) and not gen.close("loss", 0.13, 0.1, allowed)
    assert gen.close("loss", 104, 100, {}) and not gen.close("loss", 106, 100, {})


PAGE = '''
from pathlib import Path
from learnkit import figure, save
TOLERANCE = {"loss": 0.01}
def make(out: Path, quick: bool) -> dict[str, float]:
    drawn, axes = figure()
    axes.plot([0, 1], [0, LOSS])
    save(drawn, out / "curve.png")
    return {"loss": LOSS, "third": 1 / 3}
'''


@pytest.fixture
def learn(tmp_path, monkeypatch):
    """A docs/learn with the one page "mini"; call it with a loss to change the page."""
    page = tmp_path / "learn" / "mini"
    page.mkdir(parents=True)
    (page / "README.md").write_text("# Mini\n![curve](curve.png)\nThe loss is <!-- n:loss -->0.00.\n")

    def write(loss, code=PAGE):
        (page / "make.py").write_text(code.replace("LOSS", str(loss)))
        return page

    monkeypatch.setattr(gen, "LEARN", page.parent)
    write(0.25)
    return write


def test_a_page_is_made_and_compared(learn, capsys):
    page = learn(0.25)
    assert gen.main([]) == 0
    assert "loss is <!-- n:loss -->0.25." in (page / "README.md").read_text()
    assert "was 0.00 and is 0.25" in capsys.readouterr().out
    assert gen.committed("mini") == {"loss": 0.25, "third": 0.333333} and (page / "curve.png").stat().st_size > 1000
    learn(0.255)
    assert gen.main(["--check"]) == 0
    learn(0.27)
    assert gen.main(["mini", "--check"]) == 1
    assert "number 'loss' is 0.27, and 0.25 is committed: run python tools/gen_learn.py mini" in capsys.readouterr().err
    assert gen.main(["--quick"]) == 0 and gen.committed("mini")["loss"] == 0.25


@pytest.mark.parametrize("old, new, message", [
    ('"third"', '"fourth"', "number 'fourth' is new"), ('"third"', '"fourth"', "number 'third' is made no more"),
    ("curve.png", "other.png", "figure 'curve.png' is not drawn"),
    ("curve.png", "other.png", "figure 'other.png' stands in no text")])
def test_what_a_check_finds(learn, capsys, old, new, message):
    learn(0.25)
    gen.main([])
    learn(0.25, PAGE.replace(old, new))
    assert gen.main(["--check", "--quick"]) == 1 and message in capsys.readouterr().err


def test_bad_pages(learn, capsys):
    with pytest.raises(SystemExit) as stop:
        gen.main(["maxi"])
    assert stop.value.code == 2 and "no page 'maxi'; there are mini" in capsys.readouterr().err
    learn('float("nan")')
    with pytest.raises(ValueError, match="mini: not finite: loss"):
        gen.main(["--check"])

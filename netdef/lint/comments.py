"""Comments: those that silence rules, ``# lint: ignore RULE`` on or above a line, ``# lint: off RULE`` at the head of a file."""
from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from netdef.errors import Span, did_you_mean
from netdef.lint.rules import CONFIG, RULES, Hit, rule

_COMMENT = re.compile(r"#\s*lint:\s*(?P<word>[\w-]*)(?P<names>[^#\r\n]*)")
_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class _Note:
    """One comment: its word, the names behind it, its line, and whether nothing else stands on that line."""

    word: str
    names: tuple[str, ...]
    span: Span
    alone: bool


class Comments:
    """The comments of files, each read once when it is first asked about."""

    def __init__(self) -> None:
        self._files: dict[str, list[_Note]] = {}
        self._heads: dict[str, int] = {}
        self._bare: dict[str, set[int]] = {}

    def silences(self, rule: str, span: Span) -> bool:
        """Whether a comment in the file silences a rule there. One above may stand over other comments."""
        for note in self._notes(span.file):
            if note.word == "off" and note.span.line <= self._heads[span.file] and rule in note.names:
                return True
            if note.word == "ignore" and rule in note.names and note.span.line in self._reach(note, span):
                return True
        return False

    def _reach(self, note: _Note, span: Span) -> set[int]:
        """The lines whose comments speak of a line: its own, and the comments that stand alone above it."""
        lines, line = {span.line}, span.line - 1
        while line in self._bare[span.file]:
            lines.add(line)
            line -= 1
        return lines

    def mistakes(self, file: str, rules: Collection[str]) -> Iterator[Hit]:
        """Comments of a file that silence nothing: unknown rules, other words, ``off`` behind the head."""
        for note in self._notes(file):
            if note.word not in ("ignore", "off"):
                yield Hit(note.span, f"'lint: {note.word}' is not understood",
                          "write `# lint: ignore RULE` or `# lint: off RULE`")
            elif not note.names:
                yield Hit(note.span, f"'lint: {note.word}' names no rule", "name the rule; `netdef lint --rules` lists all")
            elif note.word == "off" and note.span.line > self._heads[file]:
                yield Hit(note.span, "'lint: off' stands behind the first field and has no effect",
                          "move it to the head of the file, or write `# lint: ignore RULE` here")
            for name in note.names:
                if name not in rules:
                    yield Hit(note.span, f"there is no rule '{name}'",
                              did_you_mean(name, rules) or "`netdef lint --rules` lists all")

    def _notes(self, file: str) -> list[_Note]:
        if file not in self._files:
            self._files[file] = []
            self._heads[file], self._bare[file] = 0, set()
            try:
                lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:  # <memory>, --set, a net inside a .caffemodel
                lines = []
            self._read(file, lines)
        return self._files[file]

    def _read(self, file: str, lines: list[str]) -> None:
        head = True
        for number, line in enumerate(lines, 1):
            text = line.strip()
            alone = text.startswith("#")
            head = head and (alone or text in ("", "---"))
            if head:
                self._heads[file] = number
            if alone:
                self._bare[file].add(number)
            found = _COMMENT.search(line)
            if found:
                names = tuple(_NAME.findall(found["names"]))
                span = Span(file, number, found.start() + 1, len(found[0].rstrip()), line)
                self._files[file].append(_Note(found["word"], names, span, alone))


@rule("lint-comment", "warning", "file")
def lint_comment(comments: Comments, file: str) -> Iterator[Hit]:
    """A `# lint:` comment that silences nothing: it names no known rule, or stands where it has no effect."""
    yield from comments.mistakes(file, [*RULES, CONFIG])

"""A layer type's page, as text (``netdef layers ReLU``) and as Markdown (docs/layers/), its example with inferred shapes."""
from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from netdef.config import schema
from netdef.config.load import parse_text_message
from netdef.errors import ConfigError
from netdef.graph.build import build
from netdef.graph.render import render_shapes
from netdef.layers import registry
from netdef.layers.catalogue import Entry, Option, agrees_with, entry, first_sentence, message_of, options

TITLES = {"Numerical care": "Numerical care and traps"}
COMMON = ("ParamSpec", "FillerParameter", "BlobShape", "NetStateRule", "LossParameter", "TransformationParameter")
"""Messages that any layer may hold; ``shared_markdown`` adds whatever else the options name."""


def example_shapes(made: Entry) -> str:
    """The table of shapes that ``infer`` finds for the example in the docstring.

    A data layer's example may name files that are nowhere; then a line says so. Raises ConfigError for other mistakes.
    """
    located = parse_text_message(made.example, f"{made.type}.prototxt", "NetParameter")
    try:
        return render_shapes(build(located, "TRAIN").shapes)
    except ConfigError as error:
        if "no file '" not in error.message:
            raise
        return "known once the files are there"


# text --------------------------------------------------------------------------------------------------------


def page(name: str) -> str:
    """Everything about one type, as text. Raises UnknownLayerType with a did-you-mean."""
    made = entry(name)
    lines = [made.type, "=" * len(made.type), "", made.summary, ""]
    for title, text in made.sections:
        lines += [f"{TITLES.get(title, title)}: {text}", ""]
    lines += [f"{fact}: {text}" for fact, text in made.facts]
    for field, rows in made.options:
        lines += ["", f"Options ({field}):", *(line for row in rows for line in _option_lines(row))]
    if made.example:
        lines += ["", "Example:", "", textwrap.indent(made.example, "    "), "",
                  textwrap.indent(example_shapes(made), "    ")]
    return "\n".join(lines)


def _option_lines(row: Option) -> list[str]:
    return [f"  {row.name}: {row.kind}" + (f" = {row.default}" if row.default else ""),
            *textwrap.wrap(row.comment, 96, initial_indent="      ", subsequent_indent="      ")]


# Markdown ----------------------------------------------------------------------------------------------------


def page_markdown(name: str) -> str:
    """The same page for docs/layers/<type>.md."""
    made = entry(name)
    lines = [f"# {made.type}", "", _prose(made.summary), ""]
    lines += [f"- {fact}: {text}" for fact, text in made.facts]
    for title, text in made.sections:
        lines += ["", f"## {TITLES.get(title, title)}", "", _prose(text if title.startswith("Formula") else _begun(text))]
    for field, rows in made.options:
        lines += ["", f"## Options: `{field}`", "", *_options_table(rows)]
    if made.example:
        lines += ["", "## Example", "", "```", made.example, "```", "", "The shapes that follow from it:", "", "```",
                  example_shapes(made), "```"]
    return "\n".join(lines) + "\n"


def index_markdown() -> str:
    """docs/layers.md: a row a type."""
    types = registry.layer_types()
    rows = [f"| [{name}](layers/{name}.md) | {_cell(_prose(first_sentence(cls)))} | {agrees_with(cls) or '-'} |"
            for name, cls in types.items()]
    return "\n".join(["# Layer types", "", f"All {len(types)} types, each with a page: formula, shapes, options with their "
                      "defaults, an example.", "`netdef layers NAME` shows a page in the terminal. Fields that layers of "
                      "every type have stand in", "[shared options](layers/shared.md).", "",
                      "The last column names the Caffe whose numbers a type has; - means that it is netdef's own.", "",
                      "| type | what it does | agrees with |", "|---|---|---|", *rows]) + "\n"


def shared_markdown() -> str:
    """docs/layers/shared.md: what any layer has besides its type's options, and the messages that options hold."""
    own = set(schema.layer_fields())
    common = [row for row in options("LayerParameter") if row.name not in own]
    lines = ["# Shared options", "", "What a layer of any type may have, and the messages that several options hold.", "",
             "## LayerParameter", "", _prose(schema.message_comment("LayerParameter")), "", *_options_table(common)]
    for name in _messages():
        lines += ["", f"## {name}", "", _prose(schema.message_comment(name)), "", *_options_table(options(name))]
    return "\n".join(lines) + "\n"


def _messages() -> list[str]:
    """COMMON and every message that an option of any type holds."""
    found = dict.fromkeys(COMMON)
    for cls in registry.layer_types().values():
        if cls.options_field:
            for info in schema.fields(message_of(cls.options_field)).values():
                if info.kind == "message" and info.type_name:
                    found.setdefault(info.type_name)
    return list(found)


def _options_table(rows: Iterable[Option]) -> list[str]:
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    return lines + [f"| `{row.name}` | {_linked(row)} | {f'`{row.default}`' if row.default else ''} | {_cell(row.comment)} |"
                    for row in rows]


def _linked(row: Option) -> str:
    """The type, with a link to the message it names; BlobProto and kin, which no one writes by hand, have none."""
    plain = _cell(row.kind)
    if row.message in _messages():
        return plain.replace(row.message, f"[{row.message}](shared.md#{row.message.lower()})")
    return plain


def _begun(text: str) -> str:
    """With a capital letter, where the text begins with a word (and not with a symbol, as in x is ...)."""
    return text[0].upper() + text[1:] if re.match(r"[a-z]{2,}[ ,;]", text) else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _prose(text: str) -> str:
    """A docstring's double backticks as Markdown's single ones; ``<`` and stray ``*`` are kept from meaning something."""
    parts = re.split(r"``(.+?)``", text, flags=re.DOTALL)
    return "".join(f"`{part}`" if i % 2 else re.sub(r"(?<=\S)\*(?=\S)", r"\\*", part).replace("<", "&lt;")
                   for i, part in enumerate(parts))

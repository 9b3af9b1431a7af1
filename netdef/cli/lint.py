"""``netdef lint``: what in a net or solver is likely not meant, before anything runs."""
from __future__ import annotations

import json

import click

from netdef.cli.options import dialect_option


@click.command()
@click.argument("files", nargs=-1, metavar="NET_OR_SOLVER...")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave out a rule; may be given several times.")
@click.option("--only", multiple=True, metavar="RULE", help="Only this rule; may be given several times.")
@click.option("--loaded", is_flag=True, help="The params will come from a weights file, so fillers do not matter.")
@click.option("--rules", is_flag=True, help="List all rules with their reasons.")
@click.option("--json", "as_json", is_flag=True, help="The findings (or with --rules the rules) as JSON.")
@dialect_option
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], ignore: tuple[str, ...], only: tuple[str, ...], loaded: bool,
            rules: bool, as_json: bool, dialect: str | None) -> None:
    """Look at nets and solvers by rules, without running them, and say what is likely not meant.

    A solver is looked at together with the nets that it names, a recipe with its solvers. Given a net that trains (or its
    solver) and the net for prediction, and no third file, the two are compared as well. Data need not be here.

    In a file, `# lint: ignore RULE` on a line or above it silences a rule there, `# lint: off RULE` at the head of the
    file in all of it. Exit status 1 if there are errors or warnings; notes do not count.

    \b
    Examples:
      netdef lint solver.prototxt
      netdef lint train_val.prototxt deploy.prototxt
      netdef lint net.yaml --ignore dead-end --json
      netdef lint --rules
    """
    if rules:
        from netdef.lint import page

        click.echo(json.dumps(page.as_plain(), indent=2) if as_json else page.listing())
        return
    if not files:
        raise click.UsageError("name a net or a solver, or ask for --rules")
    from netdef.cli.options import net_of
    from netdef.lint.run import UnknownRule, lint

    try:
        report = lint([net_of(f, dialect) for f in files], ignore, only, loaded)
    except UnknownRule as e:
        raise click.UsageError(f"{e.message}; {e.hint}") from None
    if as_json:
        click.echo(json.dumps(report.as_plain(), indent=2))
    else:
        click.echo(report.text(len(report.findings)) if only else report.text())
    ctx.exit(0 if report.ok else 1)

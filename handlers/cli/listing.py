"""``lehr list``: what there is."""

import difflib
import json
import re
import shutil
import textwrap
from collections.abc import Iterator

import click

from lehr.handlers.config.catalogue import Argument, KnownType, known_types

HELP = """Every schedule, what it is, and the arguments it takes.

An argument without a value must be given; the others show what they are if they are not. All types take param_name and
save_history too. With PATTERN, only the types that have it in their name or description.

\b
Examples:
  lehr list
  lehr list cosine
  lehr list torch.
"""
TITLES = {
    "": "of lehr itself",
    "cerebras": "of cerebras.pytorch.optim",
    "mmagic": "of mmagic",
    "mmengine": "of mmengine",
    "timm": "of timm",
    "torch": "of torch.optim.lr_scheduler",
    "transformers": "of transformers",
}


@click.command("list", help=HELP)
@click.argument("pattern", default="")
def list_types(pattern: str) -> None:
    """Print the types that a pattern fits."""
    width = max(60, min(shutil.get_terminal_size().columns, 120))
    known = known_types()
    found = {title: [one for one in known[prefix] if _fits(one, pattern)] for prefix, title in TITLES.items()}
    if not any(found.values()):
        words = {word.casefold() for some in known.values() for one in some for word in _words(one)}
        near = difflib.get_close_matches(pattern.casefold(), words, n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"PATTERN must be part of a name or description, given {pattern!r}{hint}")
    for title, types in found.items():
        if types:
            click.echo(f"Schedules {title}:\n")
            for one in types:
                click.echo("\n".join(_lines(one, width)))
            click.echo()


def _fits(one: KnownType, pattern: str) -> bool:
    return pattern.casefold() in one.name.casefold() or pattern.casefold() in one.description.casefold()


def _words(one: KnownType) -> list[str]:
    """What a name is made of, and the name."""
    return [one.name, one.name.rpartition(".")[2], *re.findall("[A-Z]?[a-z]+", one.name)]


def _lines(one: KnownType, width: int) -> Iterator[str]:
    yield f"  {one.name}"
    description = one.description + (" Only from Python: it needs a function or an object." if one.python_only else "")
    yield from textwrap.wrap(description, width, initial_indent="    ", subsequent_indent="    ")
    taken = " ".join(map(_shown, one.arguments))
    yield from textwrap.wrap(
        taken,
        width,
        initial_indent="      ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _shown(argument: Argument) -> str:
    """An argument as it may be given to the other commands."""
    if argument.required:
        return argument.name
    default = argument.default
    if isinstance(default, str):
        return f"{argument.name}={default}"
    if isinstance(default, float):
        return f"{argument.name}={default:.6g}"
    return f"{argument.name}={json.dumps(list(default) if isinstance(default, tuple) else default)}"

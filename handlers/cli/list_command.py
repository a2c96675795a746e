"""``lehr list``: prints all types of schedules and their arguments."""

import difflib
import json
import re
import shutil
import textwrap

import click

from lehr.handlers.config.recorded_catalogue import Argument, KnownType, recorded_types

HELP = """List all schedules with a description and their arguments.

An argument without a value is required; the others show their defaults. All types also take param_name and
save_history. With a PATTERN, only types that contain it in their name or description are listed.

\b
Examples:
  lehr list
  lehr list cosine
  lehr list torch.
"""
TITLES = {
    "": "of lehr itself",
    "cerebras": "of cerebras.pytorch.optim",
    "composer": "of Composer and LLM Foundry",
    "deepspeed": "of DeepSpeed",
    "detectron2": "of detectron2 and fvcore",
    "fairseq": "of fairseq",
    "hf": "of transformers' Trainer",
    "keras": "of Keras",
    "megatron": "of Megatron-LM",
    "mmagic": "of mmagic",
    "mmcv": "of mmcv 1.x",
    "mmengine": "of mmengine",
    "nemo": "of NeMo",
    "olmo": "of OLMo-core and OLMo 1",
    "optax": "of optax",
    "paddle": "of PaddlePaddle",
    "timm": "of timm",
    "torch": "of torch.optim.lr_scheduler",
    "torchtitan": "of torchtitan",
    "transformers": "of transformers",
}


@click.command("list", help=HELP)
@click.argument("pattern", default="")
def list_types(pattern: str) -> None:
    """Print the types whose name or description contains a pattern."""
    wrapper = textwrap.TextWrapper(max(60, min(shutil.get_terminal_size().columns, 120)), break_long_words=False)
    wanted, known = pattern.casefold(), recorded_types()
    found = {
        title: [one for one in known[prefix] if wanted in f"{one.name}\n{one.description}".casefold()]
        for prefix, title in TITLES.items()
    }
    if not any(found.values()):
        words = {word.casefold() for types in known.values() for one in types for word in _words_of(one.name)}
        near = difflib.get_close_matches(wanted, words, n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        from lehr.handlers.schedules.arguments import shown

        raise ValueError(f"PATTERN must be part of a name or description, given {shown(pattern)}{hint}")
    for title, types in found.items():
        if types:
            click.echo(f"Schedules {title}:\n")
            for one in types:
                click.echo("\n".join(_entry(one, wrapper)))
            click.echo()


def _words_of(name: str) -> list[str]:
    """Return a name, the name without its prefix, and the words in the name."""
    return [name, name.rpartition(".")[2], *re.findall("[A-Z]?[a-z]+", name)]


def _entry(one: KnownType, wrapper: textwrap.TextWrapper) -> list[str]:
    lines = [f"  {one.name}"]
    description = one.description + (" Only from Python: it needs a function or an object." if one.python_only else "")
    for indent, text, hyphens in ((4, description, True), (6, " ".join(map(_shown, one.arguments)), False)):
        wrapper.initial_indent = wrapper.subsequent_indent = " " * indent
        wrapper.break_on_hyphens = hyphens
        lines += wrapper.wrap(text)
    return lines


def _shown(argument: Argument) -> str:
    """Return ``name=default`` for an argument, as a user writes it in a command, or the name if it is required."""
    default = argument.default
    if argument.required:
        return argument.name
    if isinstance(default, float):
        return f"{argument.name}={default:.6g}"
    return f"{argument.name}={default if isinstance(default, str) else json.dumps(default)}"

"""``lehr convert``: writes a config in the format of another library."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from .options import check_can_write, max_steps_option, number_option, output_options, scheduler_options

HELP = """Write a config in the format of another library, with the same values.

TYPE is a type that "lehr list" shows, with its arguments as KEY=VALUE, or a file. Before the command writes the new
config, it compares its values with those of the old config over the whole run. The new config fits optimizers with any
values; with --initial or --groups, it fits the optimizer that they describe. If the other library has no equal of a
part of the config, the error names the part, and the exit code is 2.

\b
Examples:
  lehr convert torch.StepLR step_size=30 --to lehr
  lehr convert transformers.cosine num_warmup_steps=100 num_training_steps=1000 --to torch --format json

\b
  echo '{lr_scheduler_type: linear, warmup_steps: 9, max_steps: 99}' > args.yaml
  lehr convert args.yaml --to torch --total-steps 99
  lehr convert args.yaml --to mmengine --total-steps 99 --initial lr=0.1 -o out.json
"""
TARGETS = ("hf", "lehr", "mmengine", "torch", "transformers")  # convert_config accepts the same names
FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}


@click.command(help=HELP)
@click.argument("source", metavar="TYPE|FILE")
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--to", required=True, type=click.Choice(TARGETS), help="the other library")
@number_option("--max-epochs", help="epochs of the run")
@max_steps_option("total_steps")
@number_option("--epoch-length", help="iterations in an epoch, where durations count epochs")
@click.option("--format", "as_format", type=click.Choice(["yaml", "json"]), help="default: the suffix of -o, or yaml")
@scheduler_options
@partial(output_options, what="a .yaml, .yml or .json file, instead of stdout")
def convert(
    source: str,
    given: tuple[str, ...],
    to: str,
    as_format: str | None,
    output: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Print a config in the format of another library, or write it to a file."""
    from lehr.handlers.config.conversion import convert_config
    from lehr.handlers.schedules.arguments import shown

    from .parsing import config_of
    from .scheduler_from_options import make_param_groups

    if output is not None:
        suffix = Path(output).suffix.lower()
        if as_format is None and suffix not in FORMATS:
            raise ValueError(f"-o must end in .yaml, .yml or .json unless --format is set, given {shown(output)}")
        check_can_write(output, force)
        as_format = as_format or FORMATS[suffix]
    if options["in_epochs"] and options["epoch_length"] is None:
        raise ValueError("--epoch-length must be set with --in-epochs, given none")
    described = options["initial"] or options["groups"] > 1
    made = convert_config(
        config_of(source, given),
        to=to,
        optimizer=make_param_groups(options) if described else None,
        param_name=options["param_name"],
        epoch_length=options["epoch_length"],
        max_epochs=options["max_epochs"],
        total_steps=options["total_steps"],
        dialect=options["dialect"],
        section=options["section"],
    )
    text = as_text(made, as_format or "yaml")
    if output is None:
        sys.stdout.write(text)
        return
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)
    click.echo(f"wrote {output}")


def as_text(config: Any, as_format: str) -> str:
    r"""Return a text in YAML or JSON that a parser reads as the config.

    Raises:
        ImportError: the format is YAML, and PyYAML is not installed.

    Example:
        >>> as_text({"type": "torch.StepLR", "step_size": 30}, "json")
        '{\n  "type": "torch.StepLR",\n  "step_size": 30\n}\n'
    """
    if as_format == "json":
        return f"{json.dumps(config, indent=2, allow_nan=False)}\n"
    try:
        import yaml
    except ImportError as error:
        raise ImportError("YAML needs PyYAML: pip install 'lehr[yaml]', or --format json") from error

    class Dumper(yaml.SafeDumper):
        """Writes a list in full wherever it occurs in a config, and never as an alias."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    text: str = yaml.dump(config, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=100)
    return text

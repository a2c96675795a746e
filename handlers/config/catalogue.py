"""All types that a config may name, with what each is and the arguments that it takes."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, get_args, get_type_hints

from lehr.handlers.config.dialects.lehr import argument_names
from lehr.handlers.config.dialects.lehr_classes import CLASSES
from lehr.handlers.config.dialects.transformers_factors import FACTORS
from lehr.handlers.schedulers.reduce_on_plateau import ReduceOnPlateauScheduler

from .argument_checks import begins_anew, function, functions
from .dialects import cerebras as cerebras
from .dialects import cerebras_compounds, torch_compounds
from .dialects import mmagic as from_mmagic
from .dialects import mmengine as mmengine
from .dialects import mmengine_windows as clock
from .dialects import timm as from_timm
from .dialects import torch as torch
from .dialects import transformers as from_transformers
from .entry_lists import NAMES

# What the options of a decay are where they are left out.
OPTIONS: dict[str, Any] = {
    "relative": False,
    "begin": 0,
    "end": None,
    "interval": 1,
    "epoch_length": None,
    "save_history": False,
    "param_group_index": None,
}
# What all take or has no effect, and what is none of a config's.
PASSED = ("optimizer", "save_history", "trainer", "verbose", "initialize")
# Those of lehr's own that want a function, a loader or a torch scheduler.
PYTHON_ONLY = (
    "BatchSizeScheduler",
    "LRScheduler",
    "LambdaScheduler",
    "LambdaStateScheduler",
    "MultiplicativeScheduler",
)


@dataclass(frozen=True)
class Argument:
    """One argument of a type.

    Args:
        name: its name.
        required: whether it must be given.
        default: what it is where it is not.
    """

    name: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class KnownType:
    """One type that a config may name.

    Args:
        name: its name, with the prefix of its library.
        description: what it is, in one line.
        arguments: what it takes beside ``param_name`` and ``save_history``, which all of them take.
        python_only: whether an argument that must be given is none that a file or a command line can say.
    """

    name: str
    description: str
    arguments: tuple[Argument, ...]
    python_only: bool = False


def known_types() -> dict[str, list[KnownType]]:
    """All types in the order of their names, under the prefix of their library; lehr's own are under ``""``.

    Example:
        >>> known = known_types()
        >>> list(known)
        ['', 'cerebras', 'mmagic', 'mmengine', 'timm', 'torch', 'transformers']
        >>> step = next(one for one in known["torch"] if one.name == "torch.StepLR")
        >>> step.description, [argument.name for argument in step.arguments]
        ('Multiplies by gamma every step_size steps.', ['step_size', 'gamma'])
    """
    found = {"": [_of_lehr(name) for name in sorted(CLASSES)]}
    for prefix, names in sorted(NAMES.items()):
        found[prefix] = [_of_dialect(prefix, name) for name in sorted(names)]
    return found


def _of_lehr(name: str) -> KnownType:
    parameters = dict(inspect.signature(CLASSES[name].__init__).parameters)
    passed_on = inspect.signature(ReduceOnPlateauScheduler).parameters
    arguments = []
    for key in argument_names(name):
        if key in PASSED or (key == "param_name" and "optimizer" in parameters):
            continue
        parameter = parameters.get(key) or passed_on.get({"min_lr": "min_value"}.get(key, key))
        arguments.append(Argument(key, False, OPTIONS[key]) if parameter is None else _argument(key, parameter))
    return KnownType(name, _first_line(CLASSES[name]), _required_first(arguments), name in PYTHON_ONLY)


def _required_first(arguments: Iterable[Argument]) -> tuple[Argument, ...]:
    return tuple(sorted(arguments, key=lambda argument: not argument.required))


def _argument(name: str, parameter: Parameter) -> Argument:
    required = parameter.default is Parameter.empty
    return Argument(name, required, None if required else parameter.default)


def _of_dialect(prefix: str, name: str) -> KnownType:
    described, *others = _builders(prefix, name)
    left_out = {*PASSED}
    if prefix == "timm":
        left_out |= {"t_in_epochs"} if name == "PlateauLRScheduler" else {"metric_name", "noise_type"}
    arguments: dict[str, Argument] = {}
    python_only = False
    for builder in (described, *others):
        hints = get_type_hints(builder, include_extras=True)
        for key, parameter in inspect.signature(builder).parameters.items():
            checks = _checks_of(hints[key])
            if checks and begins_anew not in checks and key not in left_out:
                arguments[key] = _argument(key, parameter)
                python_only |= arguments[key].required and not checks.isdisjoint((function, functions))
    for key in from_transformers.PASSED_OVER.get(name, ()) if prefix == "transformers" else ():
        arguments[key] = Argument(key, False, 0)
    if prefix == "cerebras":
        arguments["param_group_tags"] = Argument("param_group_tags", False)
    return KnownType(f"{prefix}.{name}", _first_line(described), _required_first(arguments.values()), python_only)


def _checks_of(hint: Any) -> set[Any]:
    """The functions that check what is given for an annotation: none for what no config gives."""
    if hasattr(hint, "__metadata__"):
        return {hint.__metadata__[-1]}
    return {check for one in get_args(hint) for check in _checks_of(one)}


def _builders(prefix: str, name: str) -> Iterable[Callable[..., Any]]:
    """The functions whose arguments are those of a type; the first of them says what it is."""
    match prefix:
        case "cerebras":
            kind, suffix = cerebras_compounds.NAMES[name]
            if kind in cerebras.LEAVES:
                return [cerebras.renamed(cerebras.LEAVES[kind], suffix)]
            compounds = {"Chained": "chained", "Sequential": "sequential", "ScalePerParam": "scaled"}
            return [getattr(cerebras_compounds, compounds[kind])]
        case "mmagic":
            if name == "LinearLrInterval":
                return [from_mmagic.linear_interval, clock.window_of]
            return [from_mmagic.reduce_lr]
        case "mmengine":
            kind, _ = mmengine.MMENGINE[name]
            if kind in mmengine.CLOCKED:
                return [mmengine.CLOCKED[kind], clock.window_of]
            return [mmengine.reduce_on_plateau]
        case "timm":
            return [from_timm.BUILDERS[name], from_timm.common, from_timm.noise]
        case "torch":
            if name in torch.LEAVES:
                return [torch.LEAVES[name]]
            return [torch_compounds.sequential if name == "SequentialLR" else torch_compounds.chained]
        case _:
            if name == "get_scheduler":
                return [from_transformers.by_name]
            long = from_transformers.SHORT.get(name, name)
            return [{**FACTORS, **from_transformers.BY_METRIC}[long]]


def _first_line(described: Callable[..., Any]) -> str:
    return (inspect.getdoc(described) or "").partition("\n")[0].replace("``", "")

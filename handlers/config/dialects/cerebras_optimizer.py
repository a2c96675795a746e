"""Config type for the section ``optimizer`` of Cerebras' files.

The learning rate in this section is a number, a scheduler or a list of schedulers. A list has the form that Model Zoo
used in version 1.x, and in version 2.x until ``trainer.init.schedulers`` replaced it. The name of a scheduler in a list
may leave out ``LR``, and its case does not matter.

Some arguments have several names. ``steps`` and ``decay_steps`` both mean ``total_iters``. If both are given, ``steps``
is used. ``gamma`` and ``decay_rate`` have the same meaning. ``values`` means ``learning_rates``, and ``boundaries``
means ``milestones``. ``learning_rate`` and ``base_lr`` both mean ``initial_learning_rate``.

``Cosine`` is a scheduler from Cerebras' files for TensorFlow. Its curve takes ``decay_steps`` steps, but a list uses
the scheduler for only ``steps`` steps. ``PiecewiseConstant`` changes its value at its boundaries, as in Cerebras' files
for PyTorch.

Three arguments have no effect: ``alpha`` in schedulers other than ``Cosine``, ``initial_learning_rate`` in
``PiecewiseConstant``, and ``steps`` in schedulers without a length. In a list, ``steps`` still says how long each
scheduler is used. All other keys of the section have no effect. If ``adjust_learning_rate`` names layers, each param
group of these layers must have its factor under the key ``adjust_learning_rate``.
"""

from collections.abc import Mapping
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import at_least_one, flag, not_negative, unchecked
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, Recognition, build, lookup, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import arguments

from . import cerebras_types

NAMES = {name.lower().removesuffix("lr"): name for name in cerebras_types.INNER_TYPES["LR"]}
NAMES |= {"chained": "ChainedScheduler", "cosine": "Cosine"}
LENGTHS = ("steps", "total_iters", "decay_steps")  # if several are given, the first is used
OTHER_NAMES = {
    "t_max": "T_max",
    "t_0": "T_0",
    "t_mult": "T_mult",
    "values": "learning_rates",
    "boundaries": "milestones",
    "gamma": "decay_rate",
    "decay_rate": "gamma",
}
FIRST_VALUES = ("learning_rate", "initial_learning_rate", "base_lr")
# In a list, these schedulers always count steps from their own start.
ALWAYS_RESET = ("StepLR", "MultiStepLR", "LambdaLR", "MultiplicativeLR", "OneCycleLR")


def _is_scheduler(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("scheduler"), str)


def _has_schedulers(value: Any) -> bool:
    """Return whether a learning rate is a scheduler or a list of schedulers."""
    listed = isinstance(value, list | tuple) and bool(value)
    return all(map(_is_scheduler, value)) if listed else _is_scheduler(value)


def as_section(value: Any, dialect: str | None) -> Any:
    """Put a Cerebras learning rate into a section ``optimizer``. Any other config is returned unchanged.

    A number is read as a Cerebras learning rate only if ``dialect`` is ``"cerebras"``.
    """
    is_number = dialect == "cerebras" and isinstance(value, int | float) and not isinstance(value, bool)
    listed = value if isinstance(value, list | tuple) else [value]
    written = [one["scheduler"].removesuffix("LR") for one in listed if _is_scheduler(one)]
    known = {"Cosine", *(name.removesuffix("LR") for name in NAMES.values())}
    if is_number or (written and len(written) == len(listed) and (dialect == "cerebras" or known >= set(written))):
        return {"type": "cerebras.Optimizer", "learning_rate": value}
    return value


def _scheduler(where: str, value: Any, counts_all_steps: bool) -> tuple[dict[str, Any], int | None]:
    """Convert a scheduler to the form of Model Zoo 2.x. Also return its number of steps, or None."""
    given = dict(read_entry(where, value, typed=False).values)
    path = f"{where}['scheduler']"
    written = given.pop("scheduler", None)
    if not isinstance(written, str):
        raise TypeError(f"{path} must be the name of a scheduler, given {arguments.shown(written)}")
    written = written.removeprefix("cerebras.")
    given.pop("main_scheduler", None)
    name = NAMES[lookup(path, written.lower().removesuffix("lr"), NAMES)]
    steps = next((at_least_one(f"{where}[{key!r}]", given[key]) for key in LENGTHS if key in given), None)
    if name == "Cosine":
        return _cosine(where, given, counts_all_steps), steps
    row = cerebras_types.INNER_TYPES["LR"][name].arguments
    entry = {OTHER_NAMES[key] if _is_renamed(key, row) else key: one for key, one in given.items()}
    for key in LENGTHS:
        entry.pop(key, None)
    if steps is not None and "total_iters" in row:
        entry["total_iters"] = steps
    if name == "ExponentialLR":
        entry.setdefault("total_iters", 1)
    first = next((entry[key] for key in FIRST_VALUES if key in entry), None)
    for key in FIRST_VALUES:
        entry.pop(key, None)
        if first is not None and key in row:
            entry[key] = first
    entry.pop("alpha", None)
    if counts_all_steps and name not in ALWAYS_RESET:
        entry["disable_lr_steps_reset"] = True
    return {"type": f"cerebras.{name}", **entry}, steps


def _is_renamed(key: str, row: Mapping[str, Any]) -> bool:
    return key not in row and OTHER_NAMES.get(key) in row


def _cosine(where: str, given: Mapping[str, Any], counts_all_steps: bool) -> dict[str, Any]:
    """Convert TensorFlow's cosine decay, which ends at ``alpha`` times its initial value, to a ``CosineDecayLR``."""
    own = Entry(where, "", {key: value for key, value in given.items() if key != "steps"})
    made: SimpleNamespace = build(COSINE, own, None)
    end = made.alpha * made.initial_learning_rate
    values = {"initial_learning_rate": made.initial_learning_rate, "end_learning_rate": end}
    reset = {"disable_lr_steps_reset": counts_all_steps}
    return {"type": "cerebras.CosineDecayLR", **values, "total_iters": made.decay_steps, **reset}


def _built(context: ConfigContext, where: str, entry: Mapping[str, Any]) -> EntrySchedule:
    name = entry["type"].removeprefix("cerebras.")
    values = {key: value for key, value in entry.items() if key != "type"}
    made: EntrySchedule = build(cerebras_types.TYPES[name], Entry(where, entry["type"], values), context)
    return made


def _optimizer(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    where, given = f"{a.where}['learning_rate']", a.learning_rate
    if isinstance(given, list | tuple):
        entry = _of_list(where, list(given), a.disable_lr_steps_reset)
    elif isinstance(given, Mapping):
        entry, _ = _scheduler(where, given, a.disable_lr_steps_reset)
    else:
        entry = {"type": "cerebras.ConstantLR", "learning_rate": _number(where, given)}
    factors = a.adjust_learning_rate
    if factors and not (isinstance(factors, Mapping) and all(one == 1 for one in factors.values())):
        if not any("adjust_learning_rate" in group for group in context.optimizer.param_groups):
            raise ValueError(
                "['adjust_learning_rate'] scales the learning rates of some layers, so their param groups must have "
                f"the key 'adjust_learning_rate', given {arguments.shown(factors)}"
            )
        entry = {"type": "cerebras.ScalePerParamLR", "scheduler": entry}
    return _built(context, where, entry)


def _of_list(where: str, listed: list[Any], counts_all_steps: bool) -> dict[str, Any]:
    """Convert a list to a ``SequentialLR``, or to a ``ChainedScheduler`` if ``main_scheduler`` says so."""
    if not listed:
        raise ValueError(f"{where} must have at least one scheduler, given none")
    made = [_scheduler(f"{where}[{at}]", one, counts_all_steps) for at, one in enumerate(listed)]
    mains = {str(one.get("main_scheduler", "sequential")).lower().removesuffix("lr") for one in listed}
    if not mains <= {"sequential", "chained", "chainedscheduler"} or len(mains) > 1:
        raise ValueError(
            f"{where}: 'main_scheduler' must be 'sequential' or 'chained', the same for all, given {sorted(mains)}"
        )
    entries = [entry for entry, _ in made]
    if "sequential" not in mains:
        return {"type": "cerebras.ChainedScheduler", "schedulers": entries}
    if len(entries) == 1:
        return entries[0]
    for at, (_, steps) in enumerate(made[:-1]):
        if steps is None:
            raise ValueError(f"{where}[{at}]: 'steps' or 'total_iters' must be given, since another scheduler follows")
    milestones = list(accumulate(steps or 0 for _, steps in made[:-1]))
    return {"type": "cerebras.SequentialLR", "schedulers": entries, "milestones": milestones}


def _number(where: str, value: Any) -> float:
    """Check a learning rate. A string such as ``"1e-4"`` is valid, because YAML 1.1 reads 1e-4 as a string."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise TypeError(
                f"{where} must be a number, a scheduler or a list of schedulers, given {arguments.shown(value)}"
            ) from None
    return not_negative(where, value)


COSINE = EntryType(
    "Half a cosine.",
    {"initial_learning_rate": not_negative, "decay_steps": at_least_one, "alpha": (not_negative, 0.0)},
    lambda context, a: a,
)
TYPES = {
    "Optimizer": EntryType(
        "The learning rate in the section optimizer: a number, a scheduler or a list of schedulers.",
        {
            "learning_rate": unchecked,
            "disable_lr_steps_reset": (flag, False),
            "adjust_learning_rate": (unchecked, None),
        },
        _optimizer,
        recognition=Recognition("learning_rate", _has_schedulers, shown_by=("optimizer_type",)),
    ),
}

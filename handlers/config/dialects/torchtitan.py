"""Config types for the section ``[lr_scheduler]`` of torchtitan, which has a warm-up, a stable phase and a decay.

The value at event i is the value of torchtitan 0.1 to 0.3 at step i, counted from 0. In torchtitan 0.1,
``min_lr_factor`` has the name ``lr_min``. The number of steps in the run is ``total_steps`` of the section. Without
``total_steps``, it is ``steps`` of the section ``[training]``. Without both, it is the number of steps that was given
to ``configure_scheduler``. After the last step, the learning rate stays constant, while torchtitan extrapolates. A
config with ``warmup_steps`` in ``[training]`` is from before torchtitan 0.1, which used another formula.
"""

from types import SimpleNamespace

from lehr.handlers.config.argument_validators import at_least_one, count, fraction, not_negative, one_of
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import EntryType, Recognition
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import Anneal, Constant, Cosine, Curve, Linear, Power, Product, Schedule, Shift

from .language_model_parts import after, annealed, needed_steps

CURVES: dict[str, Curve] = {"linear": Linear(), "sqrt": Power(0.5), "cosine": Cosine()}


def _factors(steps: int, warmup: int, a: SimpleNamespace) -> Schedule:
    decay = steps - warmup if a.decay_ratio is None else min(round(steps * a.decay_ratio), steps - warmup)
    # The decay reaches its lowest value one step after the last step of the run.
    parts: list[tuple[Schedule, int]] = [
        (Shift(Anneal(0.0, 1.0, max(warmup, 1)), by=1), warmup),
        (Constant(1.0), steps + 1 - warmup - decay),
    ]
    if not decay:
        return after(parts[:1], Constant(1.0))
    lowest = a.min_lr_factor if a.lr_min is None else a.lr_min
    return after(parts, annealed(1.0, lowest, steps - decay, steps, steps + 1 - decay, CURVES[a.decay_type]))


def _build(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if context.epoch_length is not None:
        raise ValueError("epoch_length must be left out, since torchtitan counts steps")
    if None not in (a.lr_min, a.min_lr_factor):
        raise ValueError(f"['lr_min'] must not be combined with min_lr_factor, given {a.lr_min}")
    a.min_lr_factor = a.min_lr_factor or 0.0
    steps = a.total_steps
    if steps is None:
        steps = needed_steps(context, "steps", a.steps, "the values depend on it")
    factors = _factors(steps, min(a.warmup_steps, steps), a)
    return EntrySchedule(context, lambda value: Product([Constant(value), factors]), duration=steps)


def _before_0_1(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    if context.epoch_length is not None:
        raise ValueError("epoch_length must be left out, since torchtitan counts steps")
    steps = needed_steps(context, "steps", a.steps, "the values depend on it")
    rising = Shift(Anneal(0.0, 1.0, a.warmup_steps + 1), by=1)
    factors = after([(rising, a.warmup_steps)], Anneal(1.0, 0.0, max(steps - a.warmup_steps, 1)))
    return EntrySchedule(context, lambda value: Product([Constant(value), factors]), duration=steps)


# fmt: off
TYPES = {
    "LRSchedulersContainer": EntryType("A warm-up, a stable phase and a decay.", {"warmup_steps": (count, 200),
        "decay_ratio": (fraction, None), "decay_type": (one_of(*CURVES), "linear"),
        "min_lr_factor": (not_negative, None), "lr_min": (not_negative, None), "total_steps": (at_least_one, None),
        "steps": (at_least_one, None)}, _build, {"steps": ("training.steps",)},
        Recognition(section="lr_scheduler", beside=("model.flavor", "training.steps"), all_keys=True)),
    "linear_warmup_linear_decay": EntryType("A warm-up and a straight line to 0, as before torchtitan 0.1.",
        {"warmup_steps": count, "steps": (at_least_one, None)}, _before_0_1,
        recognition=Recognition(section="training", beside=("model.flavor", "training.warmup_steps"))),
}
# fmt: on

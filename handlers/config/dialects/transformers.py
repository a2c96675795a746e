"""The schedules of transformers, by the names of its functions or the short names of its ``get_scheduler``."""

from collections.abc import Callable
from dataclasses import replace

from lehr.handlers.config.argument_checks import Count, Flag, NotNegative, Numbers, Positive, Real, Text
from lehr.handlers.config.context import Target
from lehr.handlers.config.entries import Entry, call, lookup
from lehr.handlers.config.entry_schedules import Piece
from lehr.handlers.schedules import Constant, Greedy, Product

from .torch import LEAVES
from .transformers_factors import FACTORS


def _greedy(
    target: Target,
    mode: Text = "min",
    factor: Positive = 0.95,
    patience: Count = 10,
    threshold: Real = 1e-6,
    threshold_mode: Text = "abs",
    cooldown: Count = 0,
    warmup: Count = 0,
    min_lr: Numbers = 1e-3,
    max_lr: Numbers = 1.0,
    eps: NotNegative = 1e-8,
    verbose: Flag = False,
    smooth: Flag = False,
    window_size: Count = 50,
    reset_start: Count = 500,
    metric_name: Text = "loss",
) -> Piece:
    """Falls while a metric does not improve, and rises while it does."""
    kept = (mode, factor, patience, threshold, threshold_mode, cooldown, warmup, min_lr, max_lr, eps)
    greedy = Greedy(target.own, *kept, smooth, window_size, reset_start)
    return Piece("", target, lambda value: greedy, metric_name=metric_name)


BY_METRIC: dict[str, Callable[..., Piece]] = {
    "get_greedy_schedule": _greedy,
    "get_reduce_on_plateau_schedule": LEAVES["ReduceLROnPlateau"],
}


SHORT = {
    "constant": "get_constant_schedule",
    "constant_with_warmup": "get_constant_schedule_with_warmup",
    "cosine": "get_cosine_schedule_with_warmup",
    "cosine_warmup_with_min_lr": "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "cosine_with_min_lr": "get_cosine_with_min_lr_schedule_with_warmup",
    "cosine_with_restarts": "get_cosine_with_hard_restarts_schedule_with_warmup",
    "greedy": "get_greedy_schedule",
    "inverse_sqrt": "get_inverse_sqrt_schedule",
    "linear": "get_linear_schedule_with_warmup",
    "polynomial": "get_polynomial_decay_schedule_with_warmup",
    "reduce_lr_on_plateau": "get_reduce_on_plateau_schedule",
    "warmup_stable_decay": "get_wsd_schedule",
}


NAMES = [*FACTORS, *BY_METRIC, *SHORT, "get_scheduler"]
# What get_scheduler is given for all of them, and does not pass on to these.
PASSED_OVER = {
    "constant": ("num_warmup_steps", "num_training_steps"),
    "constant_with_warmup": ("num_training_steps",),
    "greedy": ("num_warmup_steps", "num_training_steps"),
    "inverse_sqrt": ("num_training_steps",),
    "reduce_lr_on_plateau": ("num_warmup_steps", "num_training_steps"),
}


def transformers_piece(target: Target, name: str, given: Entry) -> Piece:
    """What an entry of the transformers dialect comes to."""
    if name == "get_scheduler":
        name = call(by_name, given.only("name"))
        lookup(f"{given.where}['name']", name, SHORT)
        given = given.without("name")
    if name in SHORT:
        given = _flat(given)
        passed_over = PASSED_OVER.get(name, ())
        call(_counts, given.only(*passed_over))
        given = given.without(*passed_over)
        name = SHORT[name]
    duration = given.given.get("num_training_steps")
    if name in BY_METRIC:
        piece: Piece = call(BY_METRIC[name], given, target)
        return replace(piece, where=given.where, metric_every=target.epoch_length or 1)
    if target.epoch_length is not None:
        raise ValueError(f"{given.where}: epoch_length must be left out, since transformers counts steps")
    factors = call(FACTORS[name], given, target)
    return Piece(given.where, target, lambda value: Product([Constant(value), factors]), duration=duration)


def by_name(name: Text) -> str:
    """Any of these by its short name, with its arguments."""
    return name


def _flat(given: Entry) -> Entry:
    """The same with what stands in ``scheduler_specific_kwargs`` beside the other keys."""
    inner = given.given.get("scheduler_specific_kwargs")
    inner = {} if inner is None else given.inner("scheduler_specific_kwargs", inner).given
    unset = [key for key in ("num_warmup_steps", "num_training_steps") if given.given.get(key, 0) is None]
    rest = given.without("scheduler_specific_kwargs", *unset).given
    for key in inner:
        if key in rest:
            raise ValueError(f"{given.where}[{key!r}] must be given once, given in scheduler_specific_kwargs too")
    return Entry(given.where, {**rest, **inner}, given.from_file)


def _counts(num_warmup_steps: Count = 0, num_training_steps: Count = 0) -> None:
    """What is not passed on is to make sense all the same."""

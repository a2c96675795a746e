"""Signatures, methods and types of errors: those of the installed ignite."""

import inspect
import math

import pytest
from against_ignite import PUBLIC, peer
from cases import for_each
from optimizers import make_optimizer, make_trainer
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

import lehr.handlers as own


def cosine(library, optimizer=None, param_name="lr", **kwargs):
    arguments = {"start_value": 1.0, "end_value": 0.1, "cycle_size": 5, **kwargs}
    return library.CosineAnnealingScheduler(optimizer or make_optimizer(2), param_name, **arguments)


def pair(library, *param_names):
    optimizer = make_optimizer(2)
    return [cosine(library, optimizer, param_name) for param_name in param_names or ("lr", "lr")]


def warmup(library, duration=5, **kwargs):
    return library.create_lr_scheduler_with_warmup(cosine(library), 0.0, duration, **kwargs)


def plateau(library, **kwargs):
    return library.ReduceLROnPlateauScheduler(make_optimizer(2), "loss", **kwargs)


def batch_size(library, size=2):
    return library.BatchSizeScheduler(DataLoader(range(9), batch_size=2), lambda event: size)


def giving(library, value):
    class Own(library.ParamScheduler):
        def get_param(self):
            return value

    return Own(make_optimizer(2), "lr")


def fired(scheduler, **metrics):
    trainer = make_trainer()
    trainer.state.metrics = metrics
    scheduler(trainer)


MEMBERS = {
    "none": lambda lib: None,
    "a set": lambda lib: set(pair(lib)),
    "too few": lambda lib: pair(lib)[:1],
    "another thing": lambda lib: [*pair(lib), 0.1][1:],
    "two optimizers": lambda lib: [cosine(lib), cosine(lib)],
    "two parameters": lambda lib: pair(lib, "lr", "momentum"),
    "torch's own": lambda lib: [cosine(lib), lr_scheduler.StepLR(make_optimizer(), 3)],
}
POINTS = [None, 3, {1: 2}, [], (), [3], ["ab"], [(0, 1.0, 2)], [(0.5, 1.0)], [("0", 1.0)], [(5, 1.0), (3, 1.0)]]
FILES = [None, 3, "x", [], {}, {"event_index": 3}]
SAVED = {
    "a cycle": cosine,
    "points": lambda lib: lib.PiecewiseLinear(make_optimizer(), "lr", [(0, 1.0)]),
    "a concatenation": lambda lib: lib.ConcatScheduler(pair(lib), [3]),
    "a group": lambda lib: lib.ParamGroupScheduler(pair(lib)),
    "torch's": lambda lib: lib.LRScheduler(lr_scheduler.StepLR(make_optimizer(), 3)),
    "a plateau": plateau,
    "a batch size": batch_size,
    "a state": lambda lib: lib.ExpStateScheduler(1.0, 0.5, "rate"),
}
REFUSED = {
    "optimizer": (lambda lib, bad: lib.PiecewiseLinear(bad, "lr", [(0, 1.0)]), [None, 3, "ab", [], object()]),
    "cycle_size": (lambda lib, bad: cosine(lib, cycle_size=bad), [1, 0, -3, "5"]),
    "warm-up of two ways": (
        lambda lib, bad: lib.LinearCyclicalScheduler(make_optimizer(), "lr", 1.0, 0.1, 5, warmup_duration=bad),
        [1, 7],
    ),
    "points": (lambda lib, bad: lib.PiecewiseLinear(make_optimizer(), "lr", bad), POINTS),
    "points of a state": (lambda lib, bad: lib.PiecewiseLinearStateScheduler(bad, "rate"), POINTS),
    "concatenated": (lambda lib, bad: lib.ConcatScheduler(MEMBERS[bad](lib), [3]), MEMBERS),
    "grouped": (
        lambda lib, bad: lib.ParamGroupScheduler(MEMBERS[bad](lib)),
        ["none", "a set", "another thing", "torch's own"],
    ),
    "durations": (lambda lib, bad: lib.ConcatScheduler(pair(lib), bad), [None, 3, "3", {3}, [3, 4], [], [2.5]]),
    "param_names": (
        lambda lib, bad: lib.ConcatScheduler.simulate_values(3, pair(lib), [3], bad),
        ["lr", 3, {"lr"}, [3], ["lr", None]],
    ),
    "simulated": (
        lambda lib, bad: lib.ConcatScheduler.simulate_values(3, MEMBERS[bad](lib), [3]),
        ["none", "a set", "too few", "two optimizers", "two parameters"],
    ),
    "names": (lambda lib, bad: lib.ParamGroupScheduler(pair(lib), bad), ["ab", 3, {"lr"}, [3, 4], ["a", None], ["a"]]),
    "lr_scheduler": (lambda lib, bad: lib.LRScheduler(bad), [None, 3, "StepLR", lr_scheduler.StepLR]),
    "simulated lr_scheduler": (lambda lib, bad: lib.LRScheduler.simulate_values(3, bad), [None, 3, make_optimizer]),
    "lr_scheduler after a warm-up": (
        lambda lib, bad: lib.create_lr_scheduler_with_warmup(bad, 0.0, 5),
        [None, 3, "x", make_optimizer],
    ),
    "a group after a warm-up": (
        lambda lib, bad: lib.create_lr_scheduler_with_warmup(lib.ParamGroupScheduler(pair(lib)), 0.0, bad),
        [5],
    ),
    "warmup_duration": (lambda lib, bad: warmup(lib, bad), [None, 2.5, 5.0, "3", 1, 0, -2]),
    "output": (lambda lib, bad: warmup(lib, output_simulated_values=bad), [3, (None,), "ab", {}]),
    "min_lr": (lambda lib, bad: plateau(lib, param_group_index=0, min_lr=bad), [[0.1, 0.2], (0.1,), "a"]),
    "factor": (lambda lib, bad: plateau(lib, factor=bad), [1.0, 1.5, "a"]),
    "mode": (lambda lib, bad: plateau(lib, mode=bad), ["x", 3]),
    "threshold_mode": (lambda lib, bad: plateau(lib, threshold_mode=bad), ["x", 3]),
    "another argument": (lambda lib, bad: plateau(lib, **{bad: 1}), ["foo"]),
    "metrics": (lambda lib, bad: fired(plateau(lib), **bad), [{}, {"accuracy": 1.0}]),
    "metric_values": (
        lambda lib, bad: lib.ReduceLROnPlateauScheduler.simulate_values(3, bad, 0.1),
        [[], [1.0, 2.0], [1.0] * 4],
    ),
    "dataloader": (lambda lib, bad: lib.BatchSizeScheduler(bad, lambda event: 2), [None, 3, [1, 2], "ab", range(4)]),
    "batch_sampler": (
        lambda lib, bad: lib.BatchSizeScheduler(DataLoader(range(9), **bad), lambda event: 2),
        [{"batch_size": None}, {"batch_sampler": [[1], [2]]}],
    ),
    "scheduler_fn": (
        lambda lib, bad: lib.BatchSizeScheduler(DataLoader(range(9), batch_size=2), bad),
        [None, 3, [1, 2], "ab"],
    ),
    "batch size": (lambda lib, bad: fired(batch_size(lib, bad)), [0, -1, 2.5, math.nan]),
    "no scheduler_fn": (lambda lib, bad: lib.BatchSizeScheduler.simulate_values(bad), [3]),
    "lambda_obj": (lambda lib, bad: lib.LambdaStateScheduler(bad, "rate"), [None, 3, "ab", [1]]),
    "no param_name": (lambda lib, bad: lib.ExpStateScheduler.simulate_values(bad, initial_value=1.0, gamma=0.5), [3]),
    "values for groups": (lambda lib, bad: fired(giving(lib, bad)), [[], [0.1], [0.1, 0.2, 0.3]]),
    "abstract": (lambda lib, bad: getattr(lib, bad)("rate"), ["BaseParamScheduler", "StateParamScheduler"]),
    "abstract of an optimizer": (lambda lib, bad: lib.ParamScheduler(make_optimizer(), bad), ["lr"]),
    "abstract cycle": (lambda lib, bad: lib.CyclicalScheduler(make_optimizer(), "lr", 1.0, 0.1, bad), [5]),
    "event": (lambda lib, bad: cosine(lib).attach(make_trainer(), bad), ["no_such_event"]),
    **{
        f"state of {name}": (lambda lib, bad, make=make: make(lib).load_state_dict(bad), FILES)
        for name, make in SAVED.items()
    },
}


@for_each(
    ("act", "bad"),
    [(act, bad) for act, every in REFUSED.values() for bad in every],
    [f"{name}: {bad!r:.20}" for name, (_, every) in REFUSED.items() for bad in every],
)
def test_bad_arguments_raise_the_type_of_error_that_ignite_raises(act, bad):
    raised = []
    for library in (peer, own):
        with pytest.raises(Exception) as caught:  # noqa: PT011 -- it is for ignite to say which one
            act(library, bad)
        raised.append(caught.type)
    assert raised[0] is raised[1]


def positions(function):
    """Names, order and defaults of the arguments, without those that take whatever else is given."""
    parameters = inspect.signature(function).parameters.values()
    return [
        (each.name, each.default) for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


@for_each("name", PUBLIC)
def test_arguments_have_the_names_order_and_defaults_of_ignites(name):
    theirs, ours = (getattr(library, name) for library in (peer, own))
    if name == "LinearCyclicalScheduler":  # ignite's own takes whatever its base class does, and one more
        expected = [*positions(peer.CyclicalScheduler), *positions(theirs)]
    else:
        expected = positions(theirs)
    assert positions(ours)[: len(expected)] == expected
    added = list(inspect.signature(ours).parameters.values())[len(expected) :]
    assert all(each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD) for each in added)


@for_each("name", [name for name, thing in PUBLIC.items() if inspect.isclass(thing)])
def test_methods_take_all_that_ignites_take(name):
    theirs, ours = (getattr(library, name) for library in (peer, own))
    methods = [method for method in dir(theirs) if not method.startswith("_") and callable(getattr(theirs, method))]
    for method in [*methods, *(["__call__"] if "__call__" in dir(theirs) else [])]:
        expected, given = positions(getattr(theirs, method)), positions(getattr(ours, method))
        assert [argument for argument, _ in given][: len(expected)] == [argument for argument, _ in expected], method
        for (argument, default), (_, own_default) in zip(expected, given, strict=False):
            assert default in (own_default, inspect.Parameter.empty), (method, argument)


@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_schedulers_have_all_public_methods_and_properties_of_ignites(make):
    assert {name for name in dir(type(make(peer))) if not name.startswith("_")} <= set(dir(make(own)))

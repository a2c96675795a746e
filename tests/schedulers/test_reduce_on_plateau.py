"""ReduceOnPlateauScheduler: torch's rule for any parameter and any number of groups, and its policies for metrics."""

import math

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events
from ignite.metrics import Loss
from optimizers import make_optimizer, make_trainer, values_of
from rigs import optimizer_of
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lehr.handlers import (
    ConcatScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PiecewiseLinear,
    ReduceLROnPlateauScheduler,
    ReduceOnPlateauScheduler,
)
from lehr.handlers.schedules import CosineAnnealing, Plateau, Product

metrics = st.lists(
    st.floats(-10, 10) | st.sampled_from([math.nan, math.inf, -math.inf, 1.0, 1.0, 2.0]), min_size=1, max_size=60
)


@st.composite
def rules(draw):
    """Draw the arguments that torch's ReduceLROnPlateau has, too."""
    return {
        "mode": draw(st.sampled_from(["min", "max"])),
        "factor": draw(st.floats(0.0, 0.99)),
        "patience": draw(st.integers(0, 4)),
        "threshold": draw(st.sampled_from([1e-4, 0.1, 0.5, 0.0]) | st.floats(0.0, 1.0)),
        "threshold_mode": draw(st.sampled_from(["rel", "abs"])),
        "cooldown": draw(st.integers(0, 3)),
        "eps": draw(st.sampled_from([1e-8, 0.0, 0.01, 0.1])),
    }


def events_of(scheduler, engine, metric_name, values, read):
    written = []
    for metric in values:
        engine.state.metrics = {metric_name: metric}
        scheduler(engine)
        written.append(read())
    return written


@given(rule=rules(), values=metrics, floors=st.lists(st.floats(0.0, 0.4), min_size=3, max_size=3))
def test_each_group_has_the_values_of_torchs_scheduler(rule, values, floors):
    optimizer, plain = optimizer_of(3, tensor=False), optimizer_of(3, tensor=False)
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", min_value=floors, **rule)
    expected = ReduceLROnPlateau(plain, min_lr=floors, **rule)
    written = events_of(scheduler, make_trainer(), "loss", values, lambda: values_of(optimizer))
    for metric, row in zip(values, written, strict=True):
        expected.step(metric)
        assert row == values_of(plain)


@given(rule=rules(), values=metrics)
def test_any_parameter_is_reduced_like_the_learning_rate(rule, values):
    rate, decay = make_optimizer(1, lr=0.5), make_optimizer(1, weight_decay=0.5)
    betas = make_optimizer(1, torch.optim.Adam, betas=(0.5, 0.9))
    runs = [
        events_of(
            ReduceOnPlateauScheduler(optimizer, name, "loss", **rule),
            make_trainer(),
            "loss",
            values,
            lambda optimizer=optimizer, name=name: values_of(optimizer, "betas[0]" if optimizer is betas else name),
        )
        for optimizer, name in ((rate, "lr"), (decay, "weight_decay"), (betas, "momentum"))
    ]
    assert runs[0] == runs[1] == runs[2]


def test_it_acts_when_a_real_evaluator_is_done():
    optimizer, trainer, evaluator = make_optimizer(1, lr=1.0), make_trainer(), make_trainer()
    losses = iter([3.0, 2.0, 2.0, 2.0, 1.0])
    evaluator._process_function = lambda engine, batch: (torch.tensor([next(losses)]), torch.tensor([0.0]))
    Loss(lambda prediction, truth: (prediction - truth).mean()).attach(evaluator, "nll")
    scheduler = ReduceLROnPlateauScheduler(
        optimizer, "nll", trainer=trainer, save_history=True, factor=0.5, patience=0, threshold=0.0
    )
    scheduler.attach(evaluator, Events.COMPLETED)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    trainer.run([0], max_epochs=5)
    assert trainer.state.param_history["lr"] == [[1.0], [1.0], [0.5], [0.25], [0.25]]
    assert not hasattr(evaluator.state, "param_history")


@pytest.mark.parametrize("plateau_first", [True, False])
def test_another_scheduler_with_the_same_history_in_the_trainer_is_refused(plateau_first):
    optimizer, trainer, evaluator = make_optimizer(1), make_trainer(), make_trainer()
    other = PiecewiseLinear(optimizer, "lr", [(0, 1.0)], save_history=True)
    plateau = ReduceLROnPlateauScheduler(optimizer, "loss", trainer=trainer, save_history=True)
    attaching = [lambda: plateau.attach(evaluator, Events.COMPLETED), lambda: other.attach(trainer)]
    first, second = attaching if plateau_first else reversed(attaching)
    first()
    with pytest.raises(ValueError, match="name must not be that of another scheduler's history, given 'lr'"):
        second()


def test_without_a_trainer_the_history_is_the_evaluators():
    evaluator = make_trainer()
    scheduler = ReduceLROnPlateauScheduler(make_optimizer(1), "loss", save_history=True)
    events_of(scheduler, evaluator, "loss", [1.0, 2.0], list)
    assert evaluator.state.param_history["lr"] == [[0.5], [0.5]]


# The present values of the param groups.


def test_it_reduces_the_present_values_of_the_groups_as_torch_does():
    optimizer, plain, engine = make_optimizer(1, lr=1.0), make_optimizer(1, lr=1.0), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    expected = ReduceLROnPlateau(plain, factor=0.5, patience=0)
    for event, metric in enumerate([1.0, 1.0, 1.0, 1.0, 0.5, 1.0]):
        for changed in (optimizer, plain):
            if event in (2, 4):
                changed.param_groups[0]["lr"] = 8.0 - event
        events_of(scheduler, engine, "loss", [metric], list)
        expected.step(metric)
        assert values_of(optimizer) == values_of(plain)
    assert values_of(plain) == [2.0]


class Counted(dict):
    """A param group that counts how often it is written."""

    writes = 0

    def __setitem__(self, key, value):
        self.writes += 1
        super().__setitem__(key, value)


@for_each("groups", [1, 2, 70])
def test_only_an_event_that_changes_the_values_writes_them(groups):
    optimizer, engine = make_optimizer(groups, lr=1.0), make_trainer()
    optimizer.param_groups = counted = [Counted(group) for group in optimizer.param_groups]
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=1)
    expected = [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    writes = [1, 1, 2, 2, 3, 3]
    for event in range(6):
        events_of(scheduler, engine, "loss", [1.0], list)
        assert values_of(optimizer) == [expected[event]] * groups
        assert [group.writes for group in counted] == [writes[event]] * groups
    assert scheduler.event_index == 6
    assert scheduler.state_dict()["progress"][0]["values"] == [0.25] * groups


@for_each(
    ("spoil", "match"),
    [
        (lambda group: group.update(lr=math.nan), "must be finite, given nan"),
        (lambda group: group.pop("lr"), "every param group must have 'lr'"),
    ],
)
def test_what_other_code_does_to_the_groups_is_checked_at_the_next_event(spoil, match):
    optimizer, engine = make_optimizer(2, lr=1.0), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=9)
    events_of(scheduler, engine, "loss", [1.0, 1.0], list)
    spoil(optimizer.param_groups[1])
    for _ in range(2):
        with pytest.raises(ValueError, match=match):
            events_of(scheduler, engine, "loss", [1.0], list)
    assert scheduler.event_index == scheduler.schedule.state_dict()["num_metrics"] == 2


def test_other_ranks_are_asked_as_soon_as_there_may_be_any(tmp_path, monkeypatch):
    optimizer, engine, asked = make_optimizer(1, lr=1.0), make_trainer(), []
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss")
    events_of(scheduler, engine, "loss", [1.0, 1.0], list)
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: asked.append(scheduler.event_index) or 1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/ranks", rank=0, world_size=1)
    try:
        events_of(scheduler, engine, "loss", [1.0, 1.0], list)
    finally:
        torch.distributed.destroy_process_group()
    events_of(scheduler, engine, "loss", [1.0], list)
    assert asked == [2, 3]


def test_the_get_param_of_a_subclass_is_written_at_each_event():
    class Halved(ReduceOnPlateauScheduler):
        def get_param(self):
            return super().get_param() / (1 + self.event_index)

    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()
    scheduler = Halved(optimizer, "lr", "loss", initial_value=1.0, patience=9)
    written = []
    for event in range(3):
        optimizer.param_groups[0]["lr"] = 1.0
        written += events_of(scheduler, engine, "loss", [1.0], lambda: values_of(optimizer))
        assert scheduler.event_index == event + 1
    assert written == [[1.0], [1 / 2], [1 / 3]]


def test_a_group_that_was_added_is_reduced_too():
    optimizer, engine = make_optimizer(2), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    events_of(scheduler, engine, "loss", [1.0, 1.0], list)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 8.0})
    events_of(scheduler, engine, "loss", [1.0], list)
    assert values_of(optimizer) == [0.125, 0.375, 4.0]


def test_a_loaded_value_is_written_whatever_values_the_groups_have():
    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    events_of(scheduler, engine, "loss", [1.0, 1.0, 1.0], list)
    fresh = make_optimizer(1, lr=1.0)
    resumed = ReduceOnPlateauScheduler(fresh, "lr", "loss", factor=0.5, patience=0)
    resumed.load_state_dict(scheduler.state_dict())
    for metric, expected in ((0.5, 0.25), (0.5, 0.125)):
        events_of(resumed, engine, "loss", [metric], list)
        assert values_of(fresh) == [expected]


def test_the_state_has_values_that_other_code_has_written():
    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()

    def make(optimizer):
        return ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)

    for events in (0, 1):
        scheduler = make(optimizer)
        events_of(scheduler, engine, "loss", [1.0] * events, list)
        optimizer.param_groups[0]["lr"] = 0.25
        fresh = make_optimizer(1, lr=1.0)
        resumed, state, held = make(fresh), scheduler.state_dict(), optimizer.state_dict()
        resumed.load_state_dict(state)
        fresh.load_state_dict(held)
        for run, its_optimizer in ((scheduler, optimizer), (resumed, fresh)):
            events_of(run, engine, "loss", [1.0, 1.0], list)
            assert values_of(its_optimizer) == [0.0625 if events else 0.125]
        optimizer.param_groups[0]["lr"] = 1.0


def test_a_member_of_a_concatenation_may_load_its_own_state_too():
    def make():
        optimizer = make_optimizer(1, lr=1.0)
        plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
        warmup = PiecewiseLinear(optimizer, "lr", [(0, 0.0), (4, 1.0)])
        return optimizer, plateau, ConcatScheduler([warmup, plateau], [4])

    _, plateau, scheduler = make()
    for _ in range(2):
        scheduler(None)
    optimizer, resumed_plateau, resumed = make()
    resumed.load_state_dict(scheduler.state_dict())
    resumed_plateau.load_state_dict(plateau.state_dict())
    for _ in range(3):
        resumed(None)
    assert values_of(optimizer) == [1.0]


def test_it_begins_with_a_given_initial_value():
    optimizer, engine = make_optimizer(2), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0, initial_value=[4.0, 8.0])
    assert values_of(optimizer) == [0.5, 1.5]
    written = events_of(scheduler, engine, "loss", [1.0, 1.0], lambda: values_of(optimizer))
    assert written == [[4.0, 8.0], [2.0, 4.0]]


def test_a_tensor_is_filled():
    optimizer, engine = optimizer_of(2, tensor=True), make_trainer()
    tensors = [group["lr"] for group in optimizer.param_groups]
    events_of(ReduceLROnPlateauScheduler(optimizer, "loss", patience=0, factor=0.5), engine, "loss", [1.0, 1.0], list)
    assert [tensor.item() for tensor in tensors] == [0.05, 0.1]
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, tensors, strict=True))


# A plateau inside other schedules.


def test_a_plateau_in_a_concatenation_gets_its_metrics_from_observe():
    optimizer, trainer, evaluator = make_optimizer(1, lr=1.0), make_trainer(), make_trainer()
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    warmup = PiecewiseLinear(optimizer, "lr", [(0, 0.0), (4, 1.0)])
    ConcatScheduler([warmup, plateau], [4], save_history=True).attach(trainer)
    evaluator.add_event_handler(Events.COMPLETED, plateau.observe)
    losses = iter([3.0, 2.0, 2.0, 1.0, 1.0])

    def evaluate():
        evaluator.state.metrics = {"loss": next(losses)}
        evaluator.fire_event(Events.COMPLETED)

    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=2), evaluate)
    trainer.run([0] * 10)
    assert trainer.state.param_history["lr"].to_numpy()[:, 0].tolist() == [
        *(0.0, 0.25, 0.5, 0.75),
        *(1.0, 1.0, 0.5, 0.5, 0.5, 0.5),
    ]


def test_a_plateau_is_a_factor_of_a_decay():
    optimizer = make_optimizer(1)
    plateau, decay = Plateau(factor=0.5, patience=0), CosineAnnealing(1.0, 0.0, 100)
    scheduler = ParamScheduler(optimizer, "lr", schedule=Product([decay, plateau]))
    for event, metric in enumerate([3.0, 3.0, 2.0, 2.0]):
        scheduler(None)
        assert values_of(optimizer) == [decay(event) * [1.0, 1.0, 0.5, 0.5][event]]
        plateau.observe(metric)


def test_a_plateau_is_a_member_of_a_group_scheduler():
    optimizer = make_optimizer(2)
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0, param_group_index=1)
    other = PiecewiseLinear(optimizer, "lr", [(0, 3.0)], param_group_index=0)
    scheduler = ParamGroupScheduler([other, plateau])
    for metric in (1.0, 1.0):
        plateau.schedule.observe(metric)
    scheduler(None)
    assert values_of(optimizer) == [3.0, 0.75]


# Metrics that are missing, NaN, or no numbers.


@pytest.mark.parametrize(("policy", "expected"), [("worse", [1.0, 0.5, 0.25]), ("ignore", [1.0, 1.0, 1.0])])
def test_nan_policy_decides_on_a_nan_metric(policy, expected):
    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0, nan_policy=policy)
    written = events_of(scheduler, engine, "loss", [1.0, math.nan, math.nan], lambda: values_of(optimizer)[0])
    assert written == expected


def test_nan_policy_may_raise_an_error():
    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0, nan_policy="raise")
    with pytest.raises(ValueError, match="the metric must not be NaN if nan_policy is 'raise', given nan"):
        events_of(scheduler, engine, "loss", [math.nan], list)
    assert (scheduler.event_index, scheduler.state_dict()["progress"][0]["best"]) == (0, None)


@pytest.mark.parametrize("state_metrics", [{}, {"accuracy": 0.5}, {"loss": None}, None])
def test_missing_policy_decides_on_a_missing_metric(state_metrics):
    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()
    engine.state.metrics = state_metrics
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0)
    with pytest.raises(ValueError, match="metric_name must be one of the metrics of the engine .*given 'loss'"):
        scheduler(engine)
    assert scheduler.event_index == 0
    lenient = ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0, missing_policy="ignore")
    for _ in range(3):
        lenient(engine)
    assert (values_of(optimizer), lenient.event_index) == ([1.0], 3)


@pytest.mark.parametrize("metric", [torch.tensor(1.0), torch.tensor([1.0]), np.float32(1.0), 1, True])
def test_a_metric_may_be_any_number(metric):
    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    assert events_of(scheduler, engine, "loss", [metric] * 2, lambda: values_of(optimizer)[0]) == [1.0, 0.5]


@pytest.mark.parametrize("metric", ["low", [1.0, 2.0], torch.ones(2), {"loss": 1.0}, 1j])
def test_a_metric_that_is_no_number_is_an_error(metric):
    optimizer, engine = make_optimizer(1, lr=1.0), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss")
    with pytest.raises(TypeError, match="the metric must be a number, given"):
        events_of(scheduler, engine, "loss", [metric], list)
    assert scheduler.event_index == 0


# Simulations.


def test_simulated_values_have_as_many_metrics_as_events():
    with pytest.raises(ValueError, match="metric_values must have num_events=3 items, given 2"):
        ReduceLROnPlateauScheduler.simulate_values(3, [1.0, 2.0], 0.1)
    with pytest.raises(ValueError, match="initial_value must be given without an optimizer"):
        ReduceLROnPlateauScheduler.simulate_values(1, [1.0])
    rows = ReduceLROnPlateauScheduler.simulate_values(3, [1.0] * 3, [0.1, 0.2], factor=0.5, patience=0, min_lr=[0, 0.1])
    assert rows == [[0, 0.1, 0.2], [1, 0.05, 0.1], [2, 0.025, 0.1]]


def test_without_metrics_the_value_stays_constant():
    optimizer, engine = make_optimizer(2), make_trainer()
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    events_of(scheduler, engine, "loss", [1.0, 1.0], list)
    assert scheduler.simulate(2).tolist() == [[0.25, 0.75]] * 2
    assert scheduler.simulate(3, metric_values=[2.0, 0.5, 2.0]).tolist() == [[0.125, 0.375]] * 2 + [[0.0625, 0.1875]]
    assert scheduler.get_param() == [0.25, 0.75]


def test_it_is_plotted(axes):
    (line,) = ReduceLROnPlateauScheduler.plot_values(
        3, ax=axes, metric_values=[1.0] * 3, init_lr=0.1, factor=0.5, patience=0
    )
    assert line.get_ydata().tolist() == [0.1, 0.05, 0.025]


# Arguments that raise an error.


@for_each(
    ("arguments", "error", "match"),
    [
        ({"mode": "low"}, ValueError, "mode must be one of 'min', 'max', given 'low'"),
        ({"mode": None}, TypeError, "mode must be a string, given None"),
        ({"factor": 1.0}, ValueError, "factor must be at least 0.0 and less than 1.0, given 1.0"),
        ({"factor": -0.1}, ValueError, "factor must be at least 0.0 and less than 1.0, given -0.1"),
        ({"factor": "0.1"}, TypeError, "factor must be a number, given '0.1'"),
        ({"patience": -1}, ValueError, "patience must be a whole number of at least 0, given -1"),
        ({"patience": 1.5}, ValueError, "patience must be a whole number of at least 0, given 1.5"),
        ({"threshold": math.nan}, ValueError, "threshold must be finite, given nan"),
        ({"threshold_mode": "both"}, ValueError, "threshold_mode must be one of 'rel', 'abs', given 'both'"),
        ({"cooldown": -1}, ValueError, "cooldown must be a whole number of at least 0, given -1"),
        ({"min_value": "0"}, TypeError, "min_value must be a number, given '0'"),
        (
            {"min_value": [0.1]},
            ValueError,
            r"min_value .* must have the same number of values, given min_value with 1 and values with 2",
        ),
        ({"min_value": [0.1, 0.2, 0.3]}, ValueError, "must have the same number of values"),
        ({"eps": -1.0}, ValueError, "eps must be at least 0.0, given -1.0"),
        ({"initial_value": [1.0, 2.0, 3.0]}, ValueError, "must have values for 2 param groups, given 3"),
        ({"nan_policy": "skip"}, ValueError, "nan_policy must be one of 'worse', 'ignore', 'raise', given 'skip'"),
        ({"missing_policy": "skip"}, ValueError, "missing_policy must be one of 'raise', 'ignore', given 'skip'"),
        ({"metric_name": None}, TypeError, "metric_name must be a string, given None"),
        ({"trainer": "me"}, TypeError, "trainer must be an ignite Engine or None, given 'me'"),
        ({"param_name": "learning_rate"}, ValueError, "param_name must be one of"),
        ({"param_group_index": 2}, ValueError, "param_group_index must be"),
        ({"save_history": 1}, TypeError, "save_history must be True or False, given 1"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, error, match):
    optimizer = make_optimizer(2)
    with pytest.raises(error, match=match):
        ReduceOnPlateauScheduler(**{"optimizer": optimizer, "param_name": "lr", "metric_name": "loss", **arguments})
    assert values_of(optimizer) == [0.5, 1.5]


def test_wrong_arguments_of_ignites_class_are_refused():
    optimizer = make_optimizer(2)
    with pytest.raises(TypeError, match="min_lr must be a number if param_group_index is given"):
        ReduceLROnPlateauScheduler(optimizer, "loss", param_group_index=1, min_lr=[0.1, 0.2])
    with pytest.raises(TypeError, match="patients"):
        ReduceLROnPlateauScheduler(optimizer, "loss", patients=3)
    with pytest.warns(UserWarning, match="verbose=True has no effect") as warned:
        ReduceLROnPlateauScheduler(optimizer, "loss", verbose=True)
    assert warned[0].filename == __file__

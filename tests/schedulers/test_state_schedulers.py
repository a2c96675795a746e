"""Schedulers of attributes of engine.state; test_state_against_ignite.py compares their values with ignite's."""

import math

import numpy as np
import pytest
from cases import for_each
from ignite.engine import Events
from optimizers import make_trainer

from lehr.handlers import (
    ExpStateScheduler,
    LambdaStateScheduler,
    MultiStepStateScheduler,
    PiecewiseLinearStateScheduler,
    StateParamScheduler,
    StepStateScheduler,
)
from lehr.handlers.schedules import Concatenation, CosineAnnealing, LinearInterpolation


def events_of(scheduler, events):
    engine, written = make_trainer(), []
    for _ in range(events):
        scheduler(engine)
        written.append(engine.state.rate)
    return written


def test_any_schedule_can_be_written_and_begins_with_its_first_value():
    schedule = Concatenation([LinearInterpolation([(0, 0.0), (4, 1.0)]), CosineAnnealing(1.0, 0.0, 4)], [4])
    assert events_of(StateParamScheduler("rate", schedule=schedule), 9) == schedule(np.arange(9)).tolist()


def test_ignites_five_begin_with_the_value_of_event_one():
    firsts = [
        LambdaStateScheduler(lambda event: event, "rate"),
        PiecewiseLinearStateScheduler([(0, 0.0), (2, 2.0)], "rate"),
        ExpStateScheduler(1.0, 0.5, "rate"),
        StepStateScheduler(1.0, 0.5, 1, "rate"),
        MultiStepStateScheduler(1.0, 0.5, [1], "rate"),
    ]
    assert [events_of(scheduler, 1) for scheduler in firsts] == [[1], [1.0], [0.5], [0.5], [0.5]]


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (ExpStateScheduler(3, 2, "rate"), [6, 12, 24]),
        (StepStateScheduler(1, 2, 2, "rate"), [1, 2, 2]),
        (MultiStepStateScheduler(1, 3, [2, 2], "rate"), [1, 9, 9]),
        (LambdaStateScheduler(lambda event: 2**event, "rate"), [2, 4, 8]),
        (LambdaStateScheduler(lambda event: event > 2, "rate"), [False, False, True]),
        (LambdaStateScheduler(lambda event: np.int64(event), "rate"), [1, 2, 3]),
        (LambdaStateScheduler(lambda event: [0.5, event], "rate"), [[0.5, 1], [0.5, 2], [0.5, 3]]),
    ],
)
def test_whole_numbers_stay_whole(scheduler, expected):
    written = events_of(scheduler, 3)
    assert written == expected
    assert [type(value) for value in written[:1]] == [
        type(expected[0]) if not isinstance(written[0], np.int64) else np.int64
    ]
    np.testing.assert_array_equal(scheduler.simulate(3), np.reshape(expected, (3, -1)).astype(float))


def test_the_history_has_bare_numbers():
    trainer = make_trainer()
    ExpStateScheduler(1.0, 0.5, "rate", save_history=True, create_new=True).attach(trainer)
    LambdaStateScheduler(lambda event: [event, 1.0], "pair", save_history=True, create_new=True).attach(
        trainer, Events.ITERATION_STARTED, name="two"
    )
    trainer.run([0] * 3)
    history = trainer.state.param_history
    assert history["rate"] == [0.5, 0.25, 0.125]
    assert history["rate"][-1] == 0.125
    assert history["rate"][1:] == [0.25, 0.125]
    assert history["two"] == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]
    assert history.to_numpy("rate").tolist() == [[0.5], [0.25], [0.125]]


def test_events_are_counted_under_filters_and_epochs():
    trainer, seen = make_trainer(), []
    StepStateScheduler(8, 0.5, 2, "rate", create_new=True).attach(trainer, Events.EPOCH_STARTED)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(trainer.state.rate))
    trainer.run([0] * 2, max_epochs=4)
    assert seen == [8.0, 8.0, 4.0, 4.0, 4.0, 4.0, 2.0, 2.0]


class Own(StateParamScheduler):
    def get_param(self):
        return 10 * self.event_index


class Floored(ExpStateScheduler):
    def get_param(self):
        return max(super().get_param(), 0.3) + self.gamma + self.initial_value + self.event_index


class TwiceFloored(Floored):
    def get_param(self):
        return 2 * super().get_param()


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (Own("rate"), [10, 20, 30]),
        (Floored(1.0, 0.5, "rate"), [0.5 + 1.5 + 1, 0.3 + 1.5 + 2, 0.3 + 1.5 + 3]),
        (TwiceFloored(1.0, 0.5, "rate"), [6.0, 7.6, 9.6]),
    ],
)
def test_a_users_get_param_counts_from_one(scheduler, expected):
    assert scheduler.simulate(3)[:, 0].tolist() == pytest.approx(expected)
    assert events_of(scheduler, 3) == pytest.approx(expected)
    assert scheduler.event_index == 3
    scheduler.seek(1)
    assert scheduler.get_param() == pytest.approx(expected[1])


def test_create_new_refuses_an_attribute_that_exists():
    trainer = make_trainer()
    trainer.state.rate = 7
    scheduler = ExpStateScheduler(1.0, 0.5, "rate", save_history=True, create_new=True)
    with pytest.raises(ValueError, match=r"must be the name of a new attribute .* given 'rate', which exists"):
        scheduler.attach(trainer)
    assert trainer.state.rate == 7
    assert not trainer.has_event_handler(scheduler)
    assert not hasattr(trainer.state, "param_history")
    ExpStateScheduler(1.0, 0.5, "rate").attach(trainer)
    assert trainer.state.rate == 7


def test_a_missing_attribute_causes_a_warning():
    trainer = make_trainer()
    with pytest.warns(UserWarning, match="engine.state has no attribute 'rate', so attach.. creates it") as warned:
        ExpStateScheduler(1.0, 0.5, "rate").attach(trainer)
    assert warned[0].filename == __file__
    assert trainer.state.rate == 1.0


@for_each(
    ("make", "error", "match"),
    [
        (
            lambda: LambdaStateScheduler(3, "rate"),
            ValueError,
            "lambda_obj must be a function of the event index, given 3",
        ),
        (lambda: StateParamScheduler("rate"), TypeError, "schedule must be given unless StateParamScheduler overrides"),
        (lambda: StateParamScheduler(3, schedule=abs), TypeError, "param_name must be a string, given 3"),
        (lambda: StateParamScheduler("rate", "yes", schedule=abs), TypeError, "save_history must be True or False"),
        (
            lambda: StateParamScheduler("rate", create_new=1, schedule=abs),
            TypeError,
            "create_new must be True or False",
        ),
        (lambda: ExpStateScheduler("1", 0.5, "rate"), TypeError, "initial_value must be a number, given '1'"),
        (lambda: ExpStateScheduler(1.0, math.nan, "rate"), ValueError, "gamma must be finite, given nan"),
        (lambda: StepStateScheduler(1.0, 0.5, 0, "rate"), ValueError, "step_size must be a whole number of at least 1"),
        (
            lambda: StepStateScheduler(1.0, 0.5, 2.5, "rate"),
            ValueError,
            "step_size must be a whole number .* given 2.5",
        ),
        (
            lambda: MultiStepStateScheduler(1.0, 0.5, 3, "rate"),
            TypeError,
            "milestones must be a list or tuple .* given 3",
        ),
        (
            lambda: MultiStepStateScheduler(1.0, 0.5, [3, 2], "rate"),
            ValueError,
            r"milestones\[1\] must be at least milestones\[0\]=3",
        ),
        (
            lambda: MultiStepStateScheduler(1.0, 0.5, [-1], "rate"),
            ValueError,
            r"milestones\[0\] must be a whole number",
        ),
        (lambda: MultiStepStateScheduler(1.0, 0.5, ["2"], "rate"), TypeError, r"milestones\[0\] must be a number"),
        (lambda: PiecewiseLinearStateScheduler([], "rate"), ValueError, "milestones_values must have at least one"),
    ],
)
def test_wrong_arguments_are_refused_by_name(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_a_state_needs_an_engine():
    scheduler = ExpStateScheduler(1.0, 0.5, "rate")
    with pytest.raises(TypeError, match="engine must be given to write 'rate' to its state"):
        scheduler(None)
    assert scheduler.event_index == 0


@pytest.mark.parametrize("value", ["warm-up", None, math.nan, {}])
def test_a_function_must_return_numbers(value):
    trainer = make_trainer()
    for scheduler in (
        LambdaStateScheduler(lambda event: value, "rate"),
        type("Own", (StateParamScheduler,), {"get_param": lambda self: value})("rate"),
    ):
        with pytest.raises((TypeError, ValueError), match="at event 0 must be"):
            scheduler(trainer)
        assert (scheduler.event_index, hasattr(trainer.state, "rate")) == (0, False)

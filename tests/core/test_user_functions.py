"""Functions and ``get_param`` methods of users at events in mid-run, when most events only write a float."""

import warnings

import pytest
import torch
from ignite.engine import Engine
from optimizers import make_optimizer, values_of

from lehr.handlers import MultiplicativeScheduler, ParamScheduler
from lehr.handlers.schedules import Constant, FunctionSchedule, SideBySide

WAYS = pytest.mark.parametrize("way", ["function", "get_param"])


def scheduler_of(way, optimizer, function, **more):
    """A scheduler that calls a function at each event, through its schedule or through an overridden ``get_param``."""
    if way == "function":
        return ParamScheduler(optimizer, "lr", schedule=function, **more)

    class Own(ParamScheduler):
        def get_param(self):
            return function(self.event_index)

    return Own(optimizer, "lr", **more)


def after(events, scheduler, engine=None):
    for _ in range(events):
        scheduler(engine)
    return scheduler


@WAYS
@pytest.mark.parametrize("error", [KeyError, IndexError, AttributeError, ValueError])
def test_an_error_in_the_function_changes_nothing_and_the_event_can_be_repeated(way, error):
    calls, optimizer = [], make_optimizer()

    def function(event):
        calls.append(event)
        if calls.count(3) == 1 and event == 3:
            raise error("the function's own")
        return 0.1 * (event + 1)

    scheduler = after(3, scheduler_of(way, optimizer, function))
    with pytest.raises(error, match="the function's own"):
        scheduler(None)
    assert (calls, scheduler.event_index, values_of(optimizer)) == ([0, 1, 2, 3], 3, [0.1 * 3])
    scheduler(None)
    assert (calls, scheduler.event_index, values_of(optimizer)) == ([0, 1, 2, 3, 3], 4, [0.1 * 4])


@WAYS
def test_a_group_that_the_function_adds_has_the_value_of_the_event(way):
    optimizer = make_optimizer()

    def function(event):
        if event == 3:
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 5.0})
        return 0.1 * (event + 1)

    scheduler = after(4, scheduler_of(way, optimizer, function))
    assert values_of(optimizer) == [0.4, 0.4]
    after(1, scheduler)
    assert values_of(optimizer) == [0.5, 0.5]


@WAYS
def test_a_function_may_load_a_state_of_the_optimizer(way):
    optimizer = make_optimizer(2)
    saved = optimizer.state_dict()

    def function(event):
        if event == 3:
            optimizer.load_state_dict(saved)
        return 0.1 * (event + 1)

    after(4, scheduler_of(way, optimizer, function))
    assert values_of(optimizer) == [0.4, 0.4]


@WAYS
def test_a_function_may_return_a_float_at_one_event_and_another_number_or_a_list_at_the_next(way):
    optimizer, values = make_optimizer(2), [0.5, 0.25, 1, [0.1, 0.2], 0.75, (0.3, 0.4), 0.5]
    scheduler, written = scheduler_of(way, optimizer, lambda event: values[event]), []
    for _ in values:
        scheduler(None)
        written.append(values_of(optimizer))
    assert written == [[0.5] * 2, [0.25] * 2, [1.0] * 2, [0.1, 0.2], [0.75] * 2, [0.3, 0.4], [0.5] * 2]
    assert all(type(value) is float for value in written[2])


@WAYS
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "0.1", None, [0.1, 0.2, 0.3]])
def test_a_wrong_value_in_mid_run_is_an_error_and_is_not_written(way, bad):
    optimizer = make_optimizer(2)
    scheduler = after(3, scheduler_of(way, optimizer, lambda event: bad if event == 3 else 0.5))
    with pytest.raises((TypeError, ValueError)):
        scheduler(None)
    assert (values_of(optimizer), scheduler.event_index) == ([0.5, 0.5], 3)


@WAYS
def test_an_illegal_value_in_mid_run_warns_once(way):
    scheduler = after(3, scheduler_of(way, make_optimizer(), lambda event: 0.5 if event < 3 else -0.5))
    with pytest.warns(UserWarning, match=r"writes -0\.5 at event 3"):
        scheduler(None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler(None)


@WAYS
def test_a_history_that_is_deleted_in_mid_run_begins_again_and_the_function_is_called_once(way):
    engine, calls = Engine(lambda engine, batch: None), []

    def function(event):
        calls.append(event)
        return 0.1 * event

    scheduler = after(3, scheduler_of(way, make_optimizer(), function, save_history=True), engine)
    assert [list(row) for row in engine.state.param_history["lr"]] == [[0.0], [0.1], [0.2]]
    del engine.state.param_history["lr"]
    after(2, scheduler, engine)
    assert calls == [0, 1, 2, 3, 4]
    assert [list(row) for row in engine.state.param_history["lr"]] == [[0.1 * 3], [0.4]]


@WAYS
def test_a_parameter_that_becomes_a_tensor_in_mid_run_stays_this_tensor(way):
    optimizer = make_optimizer(2)
    scheduler = after(3, scheduler_of(way, optimizer, lambda event: 0.5**event))
    tensors = [torch.tensor(1.0) for _ in optimizer.param_groups]
    for group, tensor in zip(optimizer.param_groups, tensors, strict=True):
        group["lr"] = tensor
    after(2, scheduler)
    assert [group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, tensors, strict=True)] == [True] * 2
    assert values_of(optimizer) == [0.5**4] * 2


def test_a_function_beside_other_schedules_may_return_a_list():
    optimizer = make_optimizer(3)
    schedule = SideBySide([FunctionSchedule(lambda event: [0.1, 0.2] if event % 2 else (0.3, 0.4)), Constant(0.5)])
    scheduler, written = ParamScheduler(optimizer, "lr", schedule=schedule), []
    for _ in range(4):
        scheduler(None)
        written.append(values_of(optimizer))
    assert written == [[0.3, 0.4, 0.5], [0.1, 0.2, 0.5]] * 2


@pytest.mark.parametrize(
    ("factor", "error"),
    [
        (float("inf"), r"the value of .*factor_at.* at event 3 must be finite, given inf"),
        (float("nan"), r"the value of .*factor_at.* at event 3 must be finite, given nan"),
        (1e200, r"the product at event 3 must be finite, given inf"),
    ],
)
def test_an_infinite_product_is_an_error_that_names_the_event_and_its_cause(factor, error):
    def factor_at(event):
        return factor if event == 3 else 1e150 if event == 2 else 1.0

    optimizer = make_optimizer()
    scheduler = after(3, MultiplicativeScheduler(optimizer, "lr", factor_at, 0.5))
    for _ in range(2):
        with pytest.raises(ValueError, match=error):
            scheduler(None)
    assert (values_of(optimizer), scheduler.event_index) == ([0.5e150], 3)
    with pytest.raises(ValueError, match=error):
        scheduler.simulate(6)


@pytest.mark.parametrize("factor", ["0.5", None, True, [0.5]])
def test_a_factor_that_is_no_number_is_an_error_that_names_the_event(factor):
    def factor_at(event):
        return factor if event == 3 else 2

    optimizer = make_optimizer()
    scheduler = after(3, MultiplicativeScheduler(optimizer, "lr", factor_at, 0.5))
    with pytest.raises(TypeError, match=r"the value of .*factor_at.* at event 3 must be a number"):
        scheduler(None)
    assert (values_of(optimizer), scheduler.event_index) == ([2.0], 3)


@WAYS
@pytest.mark.parametrize("groups", [1, 2])
def test_a_function_may_return_lists_and_floats_while_a_history_records(way, groups):
    optimizer, engine = make_optimizer(groups), Engine(lambda engine, batch: None)
    returned = [[0.8] * groups, 0.5, [0.1] * groups, 0.2, [0.3] * groups, [0.4] * groups, 0.6, 0.7]
    scheduler = scheduler_of(way, optimizer, returned.__getitem__, save_history=True)
    rows = [value if isinstance(value, list) else [value] * groups for value in returned]
    for event, row in enumerate(rows):
        scheduler(engine)
        assert (scheduler.event_index, values_of(optimizer)) == (event + 1, row)
    assert list(engine.state.param_history["lr"]) == rows


@WAYS
@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("is_list", [False, True])
def test_a_seek_by_the_function_does_not_change_which_event_is_counted(way, at, is_list):
    optimizer = make_optimizer()

    def function(event):
        if event == at:
            scheduler.seek(70)
        return [0.1 * (event + 1)] if is_list else 0.1 * (event + 1)

    scheduler = scheduler_of(way, optimizer, function)
    for event in range(6):
        scheduler(None)
        assert (scheduler.event_index, values_of(optimizer)) == (event + 1, [0.1 * (event + 1)])


@WAYS
def test_the_function_may_begin_a_history(way):
    optimizer, engine = make_optimizer(), Engine(lambda engine, batch: None)

    def function(event):
        if event == 3:
            scheduler.save_history = True
        return 0.1 * (event + 1)

    scheduler = scheduler_of(way, optimizer, function)
    after(6, scheduler, engine)
    assert list(engine.state.param_history["lr"]) == [[0.1 * 4], [0.1 * 5], [0.1 * 6]]


@pytest.mark.parametrize(
    ("way", "value"), [("function", lambda event: 0.5), ("function", Constant(0.5)), ("get_param", lambda event: 0.5)]
)
def test_a_row_has_all_groups_after_an_unrecorded_event_wrote_a_group_that_was_added(way, value):
    optimizer, engine = make_optimizer(), Engine(lambda engine, batch: None)
    scheduler = scheduler_of(way, optimizer, value, save_history=True)
    after(3, scheduler, engine)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 5.0})
    scheduler.apply()  # a plain loop without a history
    after(2, scheduler, engine)
    assert list(engine.state.param_history["lr"]) == [[0.5]] * 3 + [[0.5, 0.5]] * 2

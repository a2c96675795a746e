"""Tests of the functions that inspect the handlers of an ignite engine."""

from functools import wraps

import pytest
from ignite.engine import Events
from optimizers import make_trainer

from lehr.engine.handler_inspection import call_handlers, closure_of, filter_arguments, handlers_of, running_handlers


def with_engine(engine, *args, **kwargs):
    pass


def without(*, name="", **kwargs):
    pass


def odd(engine, event):
    return event % 2 == 1


def test_handlers_of_returns_the_users_functions():
    engine = make_trainer()
    engine.add_event_handler(Events.ITERATION_STARTED, with_engine, 1, name="one")
    engine.add_event_handler(Events.ITERATION_STARTED(every=2), with_engine)
    engine.add_event_handler(Events.ITERATION_STARTED(event_filter=odd), without, name="two")
    engine.add_event_handler(Events.EPOCH_STARTED(once=3), len, (1, 2))
    found = list(handlers_of(engine, Events.ITERATION_STARTED))
    assert [one.handler for one in found] == [with_engine, with_engine, without]
    assert [one.args for one in found] == [(1,), (), ()]
    assert [one.kwargs for one in found] == [{"name": "one"}, {}, {"name": "two"}]
    assert found[0].event_filter is None
    assert filter_arguments(found[1].event_filter) == {"every": 2}
    assert (found[2].event_filter, filter_arguments(odd)) == (odd, None)
    (last,) = handlers_of(engine, Events.EPOCH_STARTED)
    assert (last.handler, last.args, filter_arguments(last.event_filter)) == (len, ((1, 2),), {"once": [3]})
    assert [one.handler for one in handlers_of(engine)] == [with_engine, with_engine, without, len]


@pytest.mark.parametrize("fire", [call_handlers, lambda engine, event: engine.fire_event(event)])
def test_handlers_are_called_as_ignite_calls_them(fire):
    engine, called = make_trainer(), []
    engine.state.iteration = 3
    engine.add_event_handler(Events.ITERATION_STARTED, lambda engine, *args, **kwargs: called.append((args, kwargs)), 1)
    engine.add_event_handler(Events.ITERATION_STARTED(every=2), lambda: called.append("every second"))
    engine.add_event_handler(Events.ITERATION_STARTED(event_filter=odd), lambda: called.append("odd"))
    engine.add_event_handler(Events.ITERATION_STARTED, lambda first, *, name: called.append((first, name)), 2, name="b")
    engine.add_event_handler(Events.ITERATION_STARTED, lambda: called.append(engine.last_event_name))
    fire(engine, Events.ITERATION_STARTED)
    assert called == [((1,), {}), "odd", (2, "b"), Events.ITERATION_STARTED]


@pytest.mark.parametrize("fire", [call_handlers, lambda engine, event: engine.fire_event(event)])
def test_a_handler_finds_the_handlers_around_it(fire):
    outer, inner, found = make_trainer(), make_trainer(), []
    outer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine, number: fire(inner, Events.STARTED), 7)
    inner.add_event_handler(Events.STARTED, lambda: found.extend(running_handlers()))
    fire(outer, Events.EPOCH_COMPLETED)
    assert [(one.engine, one.event) for one in found] == [(inner, Events.STARTED), (outer, Events.EPOCH_COMPLETED)]
    assert [one.handler for one in found] == [inner._event_handlers[Events.STARTED][0][0], *handlers(outer)]
    assert found[1].args[1:] == (7,)
    assert list(running_handlers()) == []


def handlers(engine):
    return [one.handler for one in handlers_of(engine)]


def test_inspection_registers_nothing():
    engine = make_trainer()
    assert list(handlers_of(engine, Events.COMPLETED)) == []
    assert Events.COMPLETED not in engine._event_handlers


def test_an_argument_that_is_callable_is_not_called():
    engine = make_trainer()
    engine.add_event_handler(Events.COMPLETED, without_an_engine, pytest.fail)
    (found,) = handlers_of(engine)
    assert found.args == (pytest.fail,)


def without_an_engine(call):
    pass


def test_an_unknown_wrapper_is_an_error():
    engine = make_trainer()

    @wraps(with_engine)
    def otherwise(*args, **kwargs):
        pass

    otherwise._parent = lambda: with_engine
    engine.add_event_handler(Events.COMPLETED, otherwise)
    with pytest.raises(RuntimeError, match="the filter of .* must be stored as in ignite up to version"):
        list(handlers_of(engine))


def test_closure_of_leaves_out_unassigned_variables():
    there = 1

    def function():
        return there, later

    assert closure_of(function) == {"there": 1}
    later = 2
    assert closure_of(function) == {"there": 1, "later": 2}

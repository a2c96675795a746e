"""Clocks: a scheduler whose event index counts tokens, samples or time."""

import contextlib
import copy
import gc
import itertools
import random
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from cases import for_each
from drawn_events import StoppedError
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, values_of
from registry import EXAMPLES

from lehr.engine import OptimizerEvents, ParamHistory
from lehr.handlers import (
    BatchSizeScheduler,
    Clock,
    CosineDecayScheduler,
    EventClock,
    LinearScheduler,
    LRScheduler,
    MetricScheduler,
    MultiplicativeScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    ResumeWarning,
    SampleClock,
    StateParamScheduler,
    StepScheduler,
    TimeClock,
    TokenClock,
    paused,
)
from lehr.handlers.core.clocks.clock import amount_of
from lehr.handlers.core.strided_reading import StridedReader, read_strided
from lehr.handlers.schedules import Anneal, Constant, LinearInterpolation, Plateau, Product
from lehr.handlers.schedules.base import Schedule

COUNTING = LinearInterpolation([(0, 0.0), (10**9, 1e9)])  # the value is the event index
LENGTHS = [3, 5, 0, 7, 100, 1, 1, 20, 4, 4, 4, 9]  # tokens of batches
BEFORE = [0, *itertools.accumulate(LENGTHS)]  # the tokens before each batch


def tokens_of(engine):
    return engine.state.batch


def in_effect(event, batches=LENGTHS, clock=None, epochs=1, event_filter=None, **options):
    """The values in effect while each batch trains, and the scheduler."""
    optimizer, seen = make_optimizer(), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)[0]))
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, **options)
    scheduler.attach(trainer, event, clock=clock or TokenClock(tokens_of))
    trainer.run(batches, max_epochs=epochs)
    return seen, scheduler


def test_an_iteration_trains_with_the_value_of_the_tokens_before_it():
    seen, scheduler = in_effect(Events.ITERATION_STARTED)
    assert seen == BEFORE[:-1]
    assert scheduler.event_index == BEFORE[-1]


def test_a_filter_lets_fewer_values_through_and_counts_all_batches():
    seen, scheduler = in_effect(Events.ITERATION_STARTED(every=3))
    assert seen[2:] == [BEFORE[at - at % 3 + 2] if at % 3 == 2 else BEFORE[at - at % 3 - 1] for at in range(2, 12)]
    assert scheduler.event_index == BEFORE[-1]


def test_an_epoch_starts_with_the_tokens_of_the_epochs_before():
    seen, scheduler = in_effect(Events.EPOCH_STARTED, epochs=3)
    assert seen == [epoch * BEFORE[-1] for epoch in range(3) for _ in LENGTHS]
    assert scheduler.event_index == 3 * BEFORE[-1]


def test_a_batch_is_drawn_at_the_tokens_of_the_batches_before():
    seen, _ = in_effect(Events.GET_BATCH_STARTED)
    assert seen == BEFORE[:-1]


def test_the_events_may_be_given_by_name():
    assert in_effect("ITERATION_STARTED")[0] == BEFORE[:-1]


@pytest.mark.parametrize("every", [1, 2])
def test_a_real_step_has_the_value_of_the_batches_of_earlier_steps(every):
    optimizer, seen = make_optimizer(), []

    def train(engine, batch):
        if engine.state.iteration % 3 == 0:
            optimizer.step()
            seen.append(values_of(optimizer)[0])

    trainer = Engine(train)
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED(every=every), clock=TokenClock(tokens_of))
    trainer.run(LENGTHS)
    assert seen[every - 1 :: every] == [BEFORE[0], BEFORE[3], BEFORE[6], BEFORE[9]][every - 1 :: every]
    assert scheduler.event_index == BEFORE[-1]
    assert [row[0] for row in trainer.state.param_history["lr"]] == seen[every - 1 :: every]


def test_accumulation_trains_as_one_batch_of_the_same_tokens():
    def values(batches, accumulated):
        optimizer, seen = make_optimizer(), []

        def train(engine, batch):
            if engine.state.iteration % accumulated == 0:
                optimizer.step()
                seen.append(values_of(optimizer)[0])

        trainer = Engine(train)
        CosineDecayScheduler(optimizer, "lr", 1000).attach(
            trainer, OptimizerEvents.STEP_STARTED, clock=TokenClock(tokens_of)
        )
        trainer.run(batches)
        return seen

    whole = [sum(LENGTHS[at : at + 4]) for at in range(0, 12, 4)]
    assert values(LENGTHS, 4) == values(whole, 1)


def test_a_step_that_fails_is_made_again_at_the_same_count():
    optimizer, seen = make_optimizer(), []
    fail = {"now": False}

    def stop(*_):
        seen.append(values_of(optimizer)[0])
        if fail["now"]:
            raise StoppedError

    def train(engine, batch):
        fail["now"] = engine.state.iteration == 2
        with contextlib.suppress(StoppedError):
            optimizer.step()

    trainer = Engine(train)
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED, clock=TokenClock(tokens_of))
    optimizer.register_step_pre_hook(stop)
    trainer.run([10, 20, 30, 40])
    assert seen == [0, 10, 10, 60]
    assert scheduler.event_index == 100
    assert list(trainer.state.param_history["lr"]) == [[0.0], [10.0], [60.0]]


@pytest.mark.parametrize("lag", [1, 2, 5])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_lag_leaves_out_the_last_batches(lag, as_tensor):
    def tokens(engine):
        return torch.tensor(engine.state.batch) if as_tensor else engine.state.batch

    seen, scheduler = in_effect(Events.ITERATION_STARTED, clock=TokenClock(tokens, lag=lag))
    assert seen == [0] * lag + BEFORE[: len(LENGTHS) - lag]
    assert scheduler.state_dict()["readings"] == LENGTHS[-lag:]


def test_samples_are_the_length_of_the_first_tensor():
    tensor = torch.zeros(6, 2)
    for batch in (tensor, (tensor, 1), {"text": ["a"], "image": tensor}, [["a"], {"x": (tensor, torch.zeros(9))}]):
        assert in_effect(Events.ITERATION_STARTED, [batch] * 3, SampleClock())[0] == [0, 6, 12]
    counting = SampleClock(lambda engine: len(engine.state.batch))
    assert in_effect(Events.ITERATION_STARTED, ["abc", "de"], counting)[0] == [0, 3]


@pytest.mark.parametrize("make", [make_optimizer, lambda: make_optimizer(kind=torch.optim.AdamW)])
def test_tensors_of_any_type_are_counted(make):
    for tensor in (torch.ones(2, 5, dtype=torch.bool), torch.ones(2, 5), torch.ones(2, 5, dtype=torch.int32)):
        for lag in (0, 1):
            clock = TokenClock(lambda engine: engine.state.batch.sum(), lag)
            seen, _ = in_effect(Events.ITERATION_STARTED, [tensor] * 4, clock)
            assert seen == [0, 10, 20, 30] if lag == 0 else [0, 0, 10, 20]


def test_a_lagged_reading_is_kept_if_the_loop_fills_its_tensor_again():
    buffer = torch.zeros(1, dtype=torch.int64)
    clock = TokenClock(lambda engine: buffer.fill_(engine.state.batch), lag=1)
    seen, scheduler = in_effect(Events.ITERATION_STARTED, [10, 20, 30, 40], clock)
    assert seen == [0, 0, 10, 30]
    assert scheduler.event_index == 60
    assert scheduler.state_dict()["readings"] == [40]


def seekable(example):
    scheduler = example(make_optimizer(3 if example.per_group else 1))
    return scheduler.schedule.is_pure and not any(part.goes_event_by_event for part in with_parts(scheduler.schedule))


def with_parts(schedule: Schedule):
    return [schedule, *(found for part in schedule.parts for found in with_parts(part))]


PURE = [example for example in EXAMPLES if seekable(example)]


@dataclass(frozen=True)
class Table(Schedule):
    """Raises an error past its last event."""

    def values(self, indices):
        return np.arange(1000.0)[indices.astype(int)]


def test_equal_amounts_are_foreseen_more_and_more():
    schedule = Anneal(1.0, 0.0, 400_000)
    reader, indices = StridedReader(schedule), range(0, 400_000, 500)
    assert [reader.read(index) for index in indices] == schedule(np.array(indices)).tolist()


def test_where_a_later_index_has_no_value_one_index_is_read():
    assert read_strided(Table(), 900, 50, 64).tolist() == [900.0]
    assert read_strided(Table(), 100, 2, 64).tolist() == [*range(100, 228, 2)]


@for_each("example", PURE, ids=[example.name for example in PURE])
@pytest.mark.parametrize("number", [40, pytest.param(300, marks=pytest.mark.proof)])
def test_any_split_of_a_stream_has_the_simulated_bits_at_each_count(example, number):
    draw = random.Random(example.name)
    for most in (3, 40, 3000):
        optimizer, seen = make_optimizer(3 if example.per_group else 1), []
        trainer = Engine(lambda engine, batch, seen=seen, optimizer=optimizer: seen.append(values_of(optimizer)))
        scheduler = example(optimizer)
        usual = draw.randint(1, most)
        batches = [usual if draw.random() < 0.9 else draw.randint(0, most) for _ in range(number)]
        table = scheduler.simulate(sum(batches) + 1)
        scheduler.attach(trainer, clock=TokenClock(tokens_of))
        trainer.run(batches)
        counts = [0, *itertools.accumulate(batches)][:-1]
        wanted = np.broadcast_to(table[counts], (len(counts), len(seen[0])))
        assert np.array_equal(np.array(seen), wanted)
        scattered = np.array([read_strided(scheduler.schedule, count, most, 64)[0] for count in counts])
        assert np.array_equal(scattered.reshape(len(counts), -1)[:, :1], table[counts][:, :1])


@settings(max_examples=60)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60), st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_value_is_that_of_the_count_however_the_stream_is_split(lengths, accumulated, draw):
    total = sum(lengths)
    schedule = Anneal(0.3, 0.001, max(total, 1))
    optimizer, seen = make_optimizer(), {}

    def train(engine, batch):
        if engine.state.iteration % accumulated == 0:
            optimizer.step()

    trainer = Engine(train)
    scheduler = ParamScheduler(optimizer, "lr", schedule=schedule)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED, clock=TokenClock(tokens_of))
    optimizer.register_step_pre_hook(lambda *_: seen.update({len(seen): values_of(optimizer)[0]}))
    trainer.run(lengths)
    before = [sum(lengths[: at * accumulated]) for at in range(len(seen))]
    assert [seen[at] for at in range(len(seen))] == [float(schedule(count)) for count in before]


def test_the_plain_loop_counts_amounts_as_an_engine_does():
    optimizer, seen = make_optimizer(), []
    scheduler = CosineDecayScheduler(optimizer, "lr", 400)
    wanted = scheduler.simulate(sum(LENGTHS) + 1)[:, 0]
    for amount in LENGTHS:
        scheduler.apply(amount=amount)
        seen.append(values_of(optimizer)[0])
    assert seen == wanted[BEFORE[:-1]].tolist()
    assert scheduler.event_index == BEFORE[-1]
    assert scheduler.state_dict()["value"] == seen[-1]


def test_the_default_clock_attaches_the_scheduler_itself():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = StepScheduler(optimizer, "lr", 2, gamma=0.5)
    scheduler.attach(trainer, clock=EventClock())
    assert trainer._event_handlers[Events.ITERATION_STARTED][0][0] is scheduler
    assert EventClock().reading(trainer) == 1


def test_a_clock_of_ones_writes_what_events_write():
    optimizer, seen = make_optimizer(), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)[0]))
    scheduler = CosineDecayScheduler(optimizer, "lr", 500)
    wanted = scheduler.simulate(700)[:, 0].tolist()
    scheduler.attach(trainer, clock=TokenClock(lambda engine: 1))
    trainer.run([0] * 700)
    assert seen == wanted


class Broken(Clock):
    """Gives what it is told to."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    def reading(self, engine):
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


@for_each(
    ("given_reading", "error", "message"),
    [
        (-1, ValueError, "the reading of Broken must be a whole number of at least 0, given -1"),
        (2.5, ValueError, "the reading of Broken must be a whole number of at least 0, given 2.5"),
        ("many", TypeError, "the reading of Broken must be a number, given 'many'"),
        (None, TypeError, "the reading of Broken must be a number, given None"),
        (torch.tensor(float("nan")), ValueError, "the reading of Broken must"),
        (torch.tensor([1, 2]), TypeError, "the reading of Broken must be a number, given"),
        (KeyError("attention_mask"), KeyError, "attention_mask"),
    ],
)
@for_each("event", [Events.ITERATION_STARTED, Events.EPOCH_STARTED, OptimizerEvents.STEP_STARTED])
def test_a_bad_reading_is_an_error_before_anything_is_written(given_reading, error, message, event):
    optimizer = make_optimizer(lr=0.5)
    trainer = Engine(lambda engine, batch: optimizer.step())
    trainer.logger.disabled = True
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
    scheduler.attach(trainer, event, clock=Broken(given_reading))
    with pytest.raises(error, match=message):
        trainer.run([0])
    assert scheduler.event_index == 0
    if event != Events.EPOCH_STARTED:  # which comes before the first batch
        assert values_of(optimizer) == [0.5]
        assert "lr" not in trainer.state.param_history or not len(trainer.state.param_history["lr"])


class Own(ParamScheduler):
    """A user's own, of before there were clocks."""

    def __call__(self, engine, name=None):
        super().__call__(engine, name)


def torch_scheduler(optimizer):
    return LRScheduler(torch.optim.lr_scheduler.StepLR(optimizer, 3))


def phases_with_torch(optimizer):
    return ParamScheduler(optimizer, "lr", schedule=Product([Constant(0.5), torch_scheduler(optimizer).schedule]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (torch_scheduler, "clock must be left out for a schedule that is computed event by event, given StepLR"),
        (phases_with_torch, "clock must be left out for a schedule that is computed event by event, given StepLR"),
        (
            lambda optimizer: MultiplicativeScheduler(optimizer, "lr", lambda event: 0.9, initial_value=0.1),
            "clock must be left out for a schedule that is computed event by event, given CumulativeProduct",
        ),
        (
            lambda optimizer: ParamGroupScheduler([torch_scheduler(optimizer)]),
            "clock must be left out for a schedule that is computed event by event, given StepLR",
        ),
        (
            lambda optimizer: Own(optimizer, "lr", schedule=COUNTING),
            "clock must be left out for Own, whose __call__ has no argument 'amount'",
        ),
    ],
)
def test_what_cannot_count_amounts_is_refused(make, message):
    trainer = make_trainer()
    before = {event: list(handlers) for event, handlers in trainer._event_handlers.items() if handlers}
    with pytest.raises(ValueError, match=message):
        make(make_optimizer()).attach(trainer, clock=TokenClock(tokens_of))
    assert {event: list(handlers) for event, handlers in trainer._event_handlers.items() if handlers} == before
    with pytest.raises(ValueError, match=message.replace("clock", "amount")):
        make(make_optimizer()).apply(amount=7)


@pytest.mark.parametrize(
    "event",
    [
        Events.ITERATION_COMPLETED,
        Events.EPOCH_COMPLETED,
        Events.ITERATION_STARTED | Events.EPOCH_STARTED,
        OptimizerEvents.STEP_COMPLETED,
        "ITERATION_COMPLETED",
    ],
)
def test_an_event_after_a_step_is_refused(event):
    scheduler, trainer = LinearScheduler(make_optimizer(), "lr", 10), make_trainer()
    with pytest.raises(ValueError, match="event must be one of ITERATION_STARTED, EPOCH_STARTED"):
        scheduler.attach(trainer, event, clock=SampleClock())
    assert not trainer.has_event_handler(scheduler)


def test_wrong_arguments():
    scheduler, trainer = LinearScheduler(make_optimizer(), "lr", 10), make_trainer()
    with pytest.raises(TypeError, match="clock must be a Clock or None, given 'tokens'"):
        scheduler.attach(trainer, clock="tokens")
    with pytest.raises(TypeError, match="tokens_of must be a function of the engine, given 3"):
        TokenClock(3)
    with pytest.raises(ValueError, match="lag must be a whole number of at least 0, given -1"):
        SampleClock(lag=-1)
    with pytest.raises(TypeError, match="now must be a function that returns the time in seconds, given 3"):
        TimeClock(now=3)
    with pytest.raises(ValueError, match="amount must be a whole number of at least 0, given -3"):
        scheduler.apply(amount=-3)
    handle = scheduler.attach(trainer, clock=TokenClock(tokens_of))
    for clock in (None, TokenClock(tokens_of)):
        with pytest.raises(ValueError, match="a scheduler with a clock must be attached only once"):
            scheduler.attach(trainer, clock=clock)
    handle.remove()
    assert not trainer.has_event_handler(scheduler)
    assert not any(trainer._event_handlers.values())
    scheduler.attach(trainer, clock=SampleClock())
    trainer.logger.disabled = True
    with pytest.raises(ValueError, match="samples_of must be a function for a batch without a tensor, given 5"):
        trainer.run([5])


def test_other_targets_follow_a_clock():
    loader = torch.utils.data.DataLoader(range(1000), batch_size=4)
    sizes = BatchSizeScheduler(loader, LinearInterpolation([(0, 4), (64, 16)]))
    trainer = Engine(lambda engine, batch: seen.append((len(batch), engine.state.dropout)))
    seen = []
    sizes.attach(trainer, Events.GET_BATCH_STARTED, clock=SampleClock())
    dropout = StateParamScheduler("dropout", create_new=True, schedule=LinearInterpolation([(0, 0.0), (100, 1.0)]))
    dropout.attach(trainer, Events.ITERATION_STARTED, clock=SampleClock())
    trainer.run(loader, epoch_length=8)
    samples = [0, *itertools.accumulate(size for size, _ in seen)]
    assert [size for size, _ in seen] == [int(4 + 12 * min(count, 64) / 64 + 0.5) for count in samples[:-1]]
    assert [value for _, value in seen] == pytest.approx([count / 100 for count in samples[:-1]])


def test_a_metric_counts_its_readings_beside_a_clock():
    optimizer, seen = make_optimizer(), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)[0]))
    schedule = Product([LinearInterpolation([(0, 1.0), (1000, 0.0)]), Plateau(factor=0.5, patience=0)])
    scheduler = MetricScheduler(optimizer, "lr", "loss", schedule)
    trainer.state.metrics = {"loss": 1.0}
    scheduler.attach(trainer, clock=TokenClock(tokens_of))
    trainer.run([100, 200, 300])
    assert seen == pytest.approx([1.0, 0.9 * 0.5, 0.7 * 0.25])


def test_a_phase_begins_at_the_next_count():
    optimizer, seen = make_optimizer(), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)[0]))
    scheduler = PhaseScheduler(optimizer, "lr", [Constant(0.5), Anneal(1.0, 0.0, 100)])
    scheduler.attach(trainer, clock=TokenClock(tokens_of))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), scheduler.next_phase)
    trainer.run([30, 30, 25, 25, 25])
    assert seen == [0.5, 0.5, 0.5, 0.375, 0.25]


def test_several_groups_follow_one_clock():
    optimizer, seen = make_optimizer(2), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)))
    members = [
        LinearScheduler(optimizer, "lr", 300, start_value=high, end_value=0.0, param_group_index=group)
        for group, high in enumerate((1.0, 2.0))
    ]
    both = ParamGroupScheduler(members, save_history=True)
    both.attach(trainer, clock=TokenClock(tokens_of))
    wanted = both.simulate(sum(LENGTHS) + 1)
    trainer.run(LENGTHS)
    assert np.array_equal(np.array(seen), wanted[BEFORE[:-1]])
    assert both.state_dict()["value"] == pytest.approx(seen[-1])


@for_each("event", [Events.ITERATION_STARTED, Events.EPOCH_STARTED, OptimizerEvents.STEP_STARTED])
@for_each("kind", ["tokens", "time", "budget"])
def test_dropping_a_run_with_a_clock_frees_it_at_once(kind, event):
    if kind == "budget" and event == Events.EPOCH_STARTED:
        return
    optimizer = make_optimizer()
    trainer = Engine(lambda engine, batch: None)
    made = {"tokens": lambda: TokenClock(tokens_of), "time": TimeClock, "budget": lambda: TimeClock(budget=1000)}
    scheduler = LinearScheduler(optimizer, "lr", 1000)
    scheduler.attach(trainer, event, clock=made[kind]())
    trainer.run([1] * 3)
    held = [weakref.ref(one) for one in (optimizer, trainer, scheduler)]
    gc.disable()
    try:
        del optimizer, trainer, scheduler
        assert [one() for one in held] == [None] * 3
    finally:
        gc.enable()


def test_paused_schedulers_count_nothing():
    optimizer, trainer = make_optimizer(), make_trainer()
    for event, clock in (
        (Events.ITERATION_STARTED, TokenClock(tokens_of)),
        (Events.EPOCH_STARTED, SampleClock(tokens_of)),
        (OptimizerEvents.STEP_STARTED, TokenClock(tokens_of)),
        (Events.ITERATION_STARTED, TimeClock(now=itertools.count().__next__)),
    ):
        scheduler = LinearScheduler(optimizer, "lr", 1000)
        handle = scheduler.attach(trainer, event, clock=clock)
        with paused(trainer):
            trainer.run([1] * 3)
        assert scheduler.event_index == 0
        assert "readings" not in scheduler.state_dict()
        handle.remove()


class FakeEvent:
    """Counts how often it was waited for, in the place of an event of a GPU."""

    waited = 0

    def record(self, stream):
        assert stream == "the stream of cpu"

    def synchronize(self):
        FakeEvent.waited += 1


def test_a_tensor_of_a_gpu_is_sent_at_once_and_waited_for_when_it_is_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    optimizer, trainer, waited = make_optimizer(), make_trainer(), []
    scheduler = LinearScheduler(optimizer, "lr", 1000)
    scheduler.attach(trainer, clock=TokenClock(lambda engine: torch.tensor(engine.state.batch), lag=2))
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: waited.append(FakeEvent.waited))
    trainer.run([10, 20, 30, 40])
    assert waited == [0, 0, 1, 2]
    assert scheduler.event_index == 30
    assert copy.deepcopy(scheduler._readings) == (30, 40)
    assert scheduler.state_dict()["readings"] == [30, 40]


# Saving and resuming.


def stopped_and_resumed(event, lengths, stop, accumulated=1, clock=None, epoch_length=6):
    """The values of an unbroken run, those of a run that is resumed after an iteration, and their schedulers."""
    results = []
    for parts in ([len(lengths)], [stop, len(lengths)]):
        state, seen = None, []
        for last in parts:
            optimizer = make_optimizer(lr=0.25)

            def train(engine, batch, optimizer=optimizer, seen=seen, last=last):
                if engine.state.iteration % accumulated == 0:
                    optimizer.step()
                seen.append(values_of(optimizer)[0])

            trainer = Engine(train)
            scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING, save_history=True)
            trainer.logger.disabled = True
            scheduler.attach(
                trainer, event, clock=clock() if clock else TokenClock(lambda e: lengths[e.state.iteration - 1])
            )
            saved = {}

            def save(engine, saved=saved, scheduler=scheduler, trainer=trainer, optimizer=optimizer, last=last):
                if engine.state.iteration == last:
                    saved.update(trainer=trainer.state_dict(), scheduler=scheduler.state_dict())
                    saved.update(optimizer=optimizer.state_dict(), history=trainer.state.param_history.state_dict())
                    if last < len(lengths):
                        raise StoppedError

            trainer.add_event_handler(Events.ITERATION_COMPLETED, save)
            if state:
                trainer.load_state_dict(state["trainer"])
                scheduler.load_state_dict(state["scheduler"])
                optimizer.load_state_dict(state["optimizer"])
                trainer.state.param_history = ParamHistory()
                trainer.state.param_history.load_state_dict(state["history"])
            with contextlib.suppress(StoppedError):
                trainer.run([0] * epoch_length, max_epochs=len(lengths) // epoch_length)
            state = saved
        results.append((seen, state["scheduler"], trainer.state.param_history["lr"].to_numpy().tolist()))
    return results


@for_each("stop", [1, 2, 5, 6, 7, 11, 12, 14], one_in=5)
@for_each(
    "event",
    [
        Events.ITERATION_STARTED,
        Events.ITERATION_STARTED(every=4),
        Events.EPOCH_STARTED,
        Events.EPOCH_STARTED(every=2),
        Events.GET_BATCH_STARTED,
        OptimizerEvents.STEP_STARTED,
        OptimizerEvents.STEP_STARTED(every=2),
    ],
)
@for_each("lag", [0, 3])
def test_a_resumed_run_writes_what_the_unbroken_one_writes(event, stop, lag):
    draw = random.Random(5)
    lengths = [draw.randint(0, 3000) for _ in range(18)]
    clock = None if lag == 0 else lambda: TokenClock(lambda engine: lengths[engine.state.iteration - 1], lag=lag)
    unbroken, resumed = stopped_and_resumed(event, lengths, stop, accumulated=3, clock=clock)
    assert resumed == unbroken


@pytest.mark.parametrize("stop", [1, 6, 7, 11])
@pytest.mark.parametrize("event", [Events.ITERATION_STARTED, Events.EPOCH_STARTED, OptimizerEvents.STEP_STARTED])
def test_a_resumed_run_counts_the_same_time(event, stop, engines):
    lengths = [0] * 18
    unbroken, resumed = stopped_and_resumed(event, lengths, stop, clock=engines)
    assert resumed == unbroken
    assert unbroken[1]["event_index"] > 1000


@pytest.fixture
def engines():
    """A time clock that tells a time for each iteration of the engine that reads it."""

    def make():
        clock = TimeClock(now=lambda: 0.0)
        begin = clock._begin

        def begun(engine):
            clock.now = lambda: round(100 * engine.state.iteration**1.3) / 1000
            begin(engine)

        clock._begin = begun
        return clock

    return make


def test_a_loaded_state_keeps_its_readings_and_its_value():
    scheduler = LinearScheduler(make_optimizer(), "lr", 1000)
    scheduler.attach(make_trainer(), clock=TokenClock(tokens_of, lag=2))
    state = {**scheduler.state_dict(), "event_index": 120, "readings": [30, 40], "value": 0.3}
    scheduler.load_state_dict(state)
    assert scheduler.state_dict() == state
    scheduler.seek(500)
    assert "readings" not in scheduler.state_dict()
    for bad in ([-1], [0.5], "ab", [None]):
        with pytest.raises((TypeError, ValueError), match=r"readings(\[0\])? must be"):
            scheduler.load_state_dict({**state, "readings": bad})
    assert scheduler.event_index == 500


def test_a_resumed_run_without_the_state_of_its_scheduler_warns():
    scheduler, trainer = LinearScheduler(make_optimizer(), "lr", 1000), make_trainer()
    scheduler.attach(trainer, clock=TokenClock(tokens_of))
    trainer.load_state_dict({"iteration": 4, "epoch_length": 8, "max_epochs": 2})
    with pytest.warns(
        ResumeWarning, match=r"has counted nothing, but the engine resumes after iteration 4.*tokens so far"
    ):
        trainer.run([1] * 8, max_epochs=2)


def test_a_count_is_not_compared_with_the_events_of_the_engine(recwarn):
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearScheduler(optimizer, "lr", 10**6)
    scheduler.attach(trainer, clock=TokenClock(tokens_of))
    scheduler.load_state_dict({**scheduler.state_dict(), "event_index": 777})
    trainer.load_state_dict({"iteration": 4, "epoch_length": 8, "max_epochs": 2})
    trainer.run([1] * 8, max_epochs=2)
    assert scheduler.event_index == 777 + 12
    assert not recwarn.list


def test_a_run_that_begins_anew_warns():
    scheduler, trainer = LinearScheduler(make_optimizer(), "lr", 1000), make_trainer()
    scheduler.attach(trainer, clock=TokenClock(tokens_of))
    trainer.run([5] * 4)
    with pytest.warns(ResumeWarning, match="is at event 20, and the engine begins a run at iteration 0"):
        trainer.run([5] * 4)


# Time.


def test_time_counts_while_the_engine_runs():
    first = [50.0, 50.0, 51.5, 51.5, 53.0, 53.0, 54.0]  # at the start, then at the start and the end of each iteration
    seconds = iter([*first, 900.0, 901.0, 903.25, 903.25, 903.5])
    optimizer, seen = make_optimizer(), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)[0]))
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    scheduler.attach(trainer, clock=TimeClock(now=lambda: next(seconds)))
    trainer.run([0] * 3)
    scheduler.seek(scheduler.event_index)  # a second run goes on with the time of the first
    trainer.run([0] * 2)
    assert seen == [0, 1500, 3000, 5000, 7250]
    assert scheduler.event_index == 7500


def test_a_checkpoint_after_a_step_has_the_time_of_that_step():
    time, indices = [0.0], []
    scheduler = LinearScheduler(make_optimizer(), "lr", 10**6)

    def step(engine, batch):
        time[0] += 60

    trainer = Engine(step)
    scheduler.attach(trainer, clock=TimeClock(now=lambda: time[0]))
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: indices.append(scheduler.state_dict()["event_index"]))
    trainer.run([0] * 3)
    assert indices == [60_000, 120_000, 180_000]


@pytest.mark.parametrize("jump", [-100.0, float("-inf"), float("nan"), float("inf")])
def test_a_clock_that_goes_back_does_no_harm(jump):
    seconds = iter([0.0, *(one for one in (0.0, 1.0, jump, 3.0, 4.0) for _ in range(2))])
    optimizer, seen = make_optimizer(), []
    trainer = Engine(lambda engine, batch: seen.append(values_of(optimizer)[0]))
    ParamScheduler(optimizer, "lr", schedule=COUNTING).attach(trainer, clock=TimeClock(now=lambda: next(seconds)))
    trainer.run([0] * 5)
    assert seen == sorted(seen)
    assert seen[:3] == [0, 1000, 1000]
    assert seen[-1] == 4000


def test_schedulers_of_one_clock_have_the_same_time():
    seconds = itertools.count(0.0, 0.125)
    optimizer, trainer = make_optimizer(), make_trainer()
    clock = TimeClock(now=lambda: next(seconds))
    both = [ParamScheduler(optimizer, name, schedule=COUNTING) for name in ("lr", "momentum")]
    for scheduler in both:
        scheduler.attach(trainer, clock=clock)
    trainer.run([0] * 9)
    assert both[0].event_index == both[1].event_index > 0


def test_reading_a_tensor_waits_for_nothing_before_the_lag_is_over():
    tensor = torch.tensor(7)
    assert amount_of(TokenClock(tokens_of, lag=1), tensor) == 7

"""BatchSizeScheduler; test_state_against_ignite.py compares it with ignite's class."""

import math

import pytest
import torch
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader, Dataset

from lehr.handlers import BatchSizeScheduler
from lehr.handlers.schedules import ExponentialDecay, LinearInterpolation


def sizes_seen(scheduler_fn, workers=0):
    loader = DataLoader(torch.zeros(40), batch_size=4, num_workers=workers)
    sizes = []
    trainer = Engine(lambda engine, batch: sizes.append(len(batch)))
    scheduler = BatchSizeScheduler(loader, scheduler_fn, save_history=True)
    scheduler.attach(trainer)
    trainer.run(loader, max_epochs=3, epoch_length=2)
    return sizes, trainer.state.param_history["batch_size"]


def test_all_batches_of_an_epoch_have_the_scheduled_size():
    sizes, history = sizes_seen(lambda epoch: 2 + 3 * epoch)
    assert sizes == [2, 2, 5, 5, 8, 8]
    assert history == [2, 5, 8]


def test_a_schedule_is_rounded_to_the_nearest_whole_number():
    sizes, history = sizes_seen(LinearInterpolation([(0, 2), (2, 5)]))
    assert sizes == [2, 2, 4, 4, 5, 5]
    assert history == [2, 4, 5]
    assert BatchSizeScheduler.simulate_values(3, scheduler_fn=LinearInterpolation([(0, 2), (2, 5)])) == [
        [0, 2],
        [1, 4],
        [2, 5],
    ]


def test_the_written_batch_size_is_an_int():
    loader = DataLoader(torch.zeros(4), batch_size=4)
    scheduler = BatchSizeScheduler(loader, lambda epoch: 2.0)
    assert (type(scheduler.get_param()), scheduler.get_param()) == (int, 2)
    scheduler(None)
    assert (type(loader.batch_sampler.batch_size), loader.batch_sampler.batch_size) == (int, 2)
    rows = BatchSizeScheduler.simulate_values(2, scheduler_fn=lambda epoch: 2)
    assert [type(item) for row in rows for item in row] == [int] * 4


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-3, ValueError), (1.5, ValueError), (math.nan, ValueError), ("2", ValueError)]
)
def test_a_value_that_is_no_batch_size_is_refused(size, error):
    loader = DataLoader(torch.zeros(4), batch_size=4)
    scheduler = BatchSizeScheduler(loader, lambda epoch: size if epoch else 3)
    scheduler(None)
    with pytest.raises(error, match=r"the batch size, the value of .* at event 1, must be .*given"):
        scheduler(None)
    with pytest.raises(error, match="the batch size"):
        scheduler.simulate(2)
    assert (scheduler.event_index, loader.batch_sampler.batch_size) == (1, 3)


def test_a_schedule_raises_an_error_at_the_event_where_it_falls_below_one():
    loader = DataLoader(torch.zeros(4), batch_size=4)
    scheduler = BatchSizeScheduler(loader, ExponentialDecay(4.0, 0.5))
    assert scheduler.simulate(4)[:, 0].tolist() == [4.0, 2.0, 1.0, 1.0]
    scheduler.seek(3)
    scheduler(None)
    with pytest.raises(ValueError, match=r"the batch size of ExponentialDecay\(.*\) at event 4 must be .*at least 1"):
        scheduler(None)


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (([1, 2], abs), TypeError, r"dataloader must be a torch.utils.data.DataLoader, given \[1, 2\]"),
        ((DataLoader(torch.zeros(4), batch_size=None), abs), ValueError, "dataloader must have a .*BatchSampler"),
        ((DataLoader(torch.zeros(4)), 3), TypeError, "scheduler_fn must be a function of the event index, given 3"),
        ((DataLoader(torch.zeros(4)), abs, 1), TypeError, "save_history must be True or False, given 1"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, error, match):
    with pytest.raises(error, match=match):
        BatchSizeScheduler(*arguments)


def test_simulation_needs_the_function():
    with pytest.raises(ValueError, match="scheduler_fn must be given"):
        BatchSizeScheduler.simulate_values(3)


def test_the_default_event_is_the_start_of_an_epoch():
    loader, trainer = DataLoader(torch.zeros(4), batch_size=4), Engine(lambda engine, batch: None)
    scheduler = BatchSizeScheduler(loader, lambda epoch: 1 + epoch)
    scheduler.attach(trainer)
    trainer.run(loader, max_epochs=2, epoch_length=3)
    assert scheduler.event_index == 2
    other = BatchSizeScheduler(loader, lambda event: 1 + event)
    other.attach(trainer, Events.ITERATION_STARTED(every=2), name="sizes")
    trainer.run(loader, max_epochs=4, epoch_length=3)
    assert other.event_index == 3
    assert isinstance(loader.dataset, torch.Tensor | Dataset)

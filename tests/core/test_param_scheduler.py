"""The scheduler of an optimizer's parameter: what it shows of itself, and users' own ways of giving values."""

import threading

import pytest
import torch
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer, values_of

from lehr.handlers import ConcatScheduler, LinearCyclicalScheduler, OneCycleScheduler, ParamScheduler, PiecewiseLinear


def test_get_param_gives_a_list_of_ones_own():
    optimizer = make_optimizer(2)
    scheduler = OneCycleScheduler(optimizer, "lr", [25.0, 50.0], total_steps=10)
    scheduler.get_param()[0] = -5
    scheduler(None)
    assert values_of(optimizer) == [1.0, 2.0]


def test_its_place_to_write_cannot_be_changed():
    scheduler = PiecewiseLinear(make_optimizer(3), "lr", [(0, 0.5)], param_group_index=-1)
    assert scheduler.param_group_index == 2
    assert scheduler.optimizer_param_groups == [scheduler.optimizer.param_groups[2]]
    for name, value in {"optimizer": make_optimizer(), "param_group_index": 1, "schedule": abs}.items():
        with pytest.raises(AttributeError):
            setattr(scheduler, name, value)


def test_an_index_from_the_end_stays_with_its_group():
    optimizer = make_optimizer(2)
    scheduler = PiecewiseLinear(optimizer, "lr", [(0, 0.25)], param_group_index=-1)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 7.0})
    scheduler(None)
    assert values_of(optimizer) == [0.5, 0.25, 7.0]


class Training:
    """What a user's method may belong to: things that cannot be copied, and large ones that must not be."""

    def __init__(self):
        self.trainer = make_trainer()
        self.model = torch.nn.Linear(3, 3)
        self.moving = self.model.weight * 2  # a tensor with a history, which torch refuses to copy
        self.seen = []

    def rate(self, event_index):
        self.seen.append(event_index)
        return 1 / (1 + event_index)


def test_simulating_a_users_method_copies_what_it_changes_and_shares_the_rest():
    training = Training()
    optimizer = make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=training.rate)
    during = []
    scheduler.attach(training.trainer)
    training.trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: during.append(scheduler.simulate(3)))
    training.trainer.run([0] * 2)
    assert [simulated.tolist() for simulated in during] == [[[1.0], [1 / 2], [1 / 3]]] * 2
    assert training.seen == [0, 1]


def test_what_cannot_be_copied_cannot_be_simulated_and_says_so():
    class Locked(ParamScheduler):
        lock = None

        def get_param(self):
            return 0.1

    scheduler = Locked(make_optimizer(), "lr")
    scheduler.lock = threading.Lock()
    with pytest.raises(TypeError, match="Locked.get_param.* cannot be simulated, since it cannot be copied.*lock"):
        scheduler.simulate(2)
    scheduler(None)
    assert values_of(scheduler.optimizer) == [0.1]


def test_simulate_values_shows_the_values_of_every_group():
    class Doubled(OneCycleScheduler):
        def get_param(self):
            return [2 * value for value in super().get_param()]

    rows = ParamScheduler.simulate_values(2, param_name="lr", schedule=lambda event: [event, 2 * event])
    assert rows == [[0, 0.0, 0.0], [1, 1.0, 2.0]]
    rows = Doubled.simulate_values(1, param_name="lr", max_value=[25.0, 50.0], total_steps=10)
    assert rows == [[0, 2.0, 4.0]]


def test_nobody_computes_with_the_values_of_a_stand_in():
    class Relative(ParamScheduler):
        def __init__(self, optimizer, param_name):
            super().__init__(optimizer, param_name)
            self.initial = [group[param_name] for group in optimizer.param_groups]

        def get_param(self):
            return [initial * 0.5**self.event_index for initial in self.initial]

    assert Relative(make_optimizer(2), "lr").simulate(2).tolist() == [[0.5, 1.5], [0.25, 0.75]]
    with pytest.raises(ValueError, match=r"at event 0\[0\] must be finite, given nan"):
        Relative.simulate_values(2, param_name="lr")


def test_members_of_a_concatenation_are_asked_as_they_are_now():
    class Watching(ParamScheduler):
        best = 1.0

        def get_param(self):
            return self.best / (1 + self.event_index)

    optimizer = make_optimizer()
    watching = Watching(optimizer, "lr")
    warmup = LinearCyclicalScheduler(optimizer, "lr", 0.0, 1.0, 4)
    scheduler = ConcatScheduler([warmup, watching], [1])
    scheduler(None), scheduler(None)
    assert values_of(optimizer) == [1.0]
    watching.best = 0.5
    scheduler(None)
    assert values_of(optimizer) == [0.25]
    assert (warmup.event_index, watching.event_index) == (0, 0)


def test_it_prints_what_it_does():
    scheduler = LinearCyclicalScheduler(make_optimizer(), "lr", 0.0, 1.0, 4)
    scheduler.seek(3)
    assert repr(scheduler).startswith("<LinearCyclicalScheduler of 'lr' at event 3: LinearCyclical(start_value=0.0")


def test_attaching_gives_a_handle_that_detaches():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearCyclicalScheduler(optimizer, "lr", 0.0, 1.0, 4)
    handle = scheduler.attach(trainer, Events.EPOCH_STARTED | Events.ITERATION_STARTED(every=2))
    trainer.run([0] * 2)
    assert scheduler.event_index == 2
    handle.remove()
    assert not trainer.has_event_handler(scheduler)


def test_no_events_are_no_values():
    scheduler = LinearCyclicalScheduler(make_optimizer(3), "lr", 0.0, 1.0, 4)
    assert scheduler.simulate(0).shape == (0, 3)
    kwargs = {"param_name": "lr", "start_value": 0.0, "end_value": 1.0, "cycle_size": 4}
    assert LinearCyclicalScheduler.simulate_values(0, **kwargs) == []
    assert ParamScheduler.simulate_values(0, param_name="lr", schedule=abs) == []
    assert LinearCyclicalScheduler.simulate_values(2.0, **kwargs) == [[0, 0.0], [1, 0.5]]
    for num_events, error in (("3", TypeError), (-1, ValueError), (1.5, ValueError)):
        for method in (LinearCyclicalScheduler.simulate_values, LinearCyclicalScheduler.plot_values):
            with pytest.raises(error, match="num_events must be"):
                method(num_events, **kwargs)

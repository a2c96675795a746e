"""skorch trains with the values of ``simulate``: a policy of its LRScheduler that calls as_torch_scheduler."""

import numpy as np
import pytest
import torch
from frameworks import STEPS, Recorder, both, simulated
from sklearn.model_selection import GridSearchCV

from lehr.handlers import as_torch_scheduler

skorch = pytest.importorskip("skorch")
callbacks = pytest.importorskip("skorch.callbacks")

pytestmark = pytest.mark.integrations
RATES = [0.1, 0.2]
SEEN: dict[float, list[Recorder]] = {}  # by the learning rate that the net was given


class Watched(torch.optim.SGD):
    """SGD that records what its steps see: a net makes its optimizer itself."""

    def __init__(self, params, lr, **kwargs):
        super().__init__(params, lr=lr, **kwargs)
        SEEN.setdefault(lr, []).append(Recorder())
        SEEN[lr][-1].watch(self)


def policy(optimizer, last_epoch=-1, duration=STEPS):
    """A policy takes ``last_epoch``, which as_torch_scheduler counts itself."""
    return as_torch_scheduler(both(optimizer, duration))


class Layer(torch.nn.Linear):
    """A module that skorch makes without arguments."""

    def __init__(self):
        super().__init__(2, 2)


def net(scheduler, **arguments):
    SEEN.clear()
    arguments = {"max_epochs": 2, "lr": 0.1, "batch_size": 2, "train_split": None, "verbose": 0, **arguments}
    return skorch.NeuralNetClassifier(
        Layer,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=Watched,
        optimizer__momentum=0.9,
        callbacks=[("schedule", scheduler)],
        **arguments,
    )


def data(size=STEPS):
    return np.ones((size, 2), dtype=np.float32), np.arange(size) % 2


def steps_of(lr):
    """What the steps of the nets with a learning rate saw, for each net that trained."""
    return [list(seen) for seen in SEEN[lr] if seen]


def test_each_step_trains_with_the_simulated_values():
    net(callbacks.LRScheduler(policy, step_every="batch")).fit(*data())
    assert steps_of(0.1) == [simulated()]


def test_one_event_for_each_epoch():
    net(callbacks.LRScheduler(policy)).fit(*data())
    assert steps_of(0.1) == [[pair for pair in simulated(steps=2) for _ in range(STEPS // 2)]]


def test_the_history_of_skorch_has_what_was_trained():
    trained = net(callbacks.LRScheduler(policy, step_every="batch")).fit(*data())
    assert [rate for row in trained.history[:, "batches", :, "event_lr"] for rate in row] == SEEN[0.1][-1].rates


def test_grid_search_gives_each_net_a_schedule_of_its_own():
    searched = net(callbacks.LRScheduler(policy, step_every="batch", duration=STEPS))
    grid = {"lr": RATES, "callbacks__schedule__duration": [STEPS, 2 * STEPS]}
    search = GridSearchCV(searched, grid, cv=2, refit=False, scoring="accuracy", error_score="raise")
    search.fit(*data(2 * STEPS))
    for lr in RATES:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
        slow = [scheduler.simulate(STEPS)[:, 0].tolist() for scheduler in both(optimizer, 2 * STEPS)]
        expected = [simulated(lr=lr)] * 2 + [list(zip(*slow, strict=True))] * 2
        assert sorted(steps_of(lr)) == sorted(expected)

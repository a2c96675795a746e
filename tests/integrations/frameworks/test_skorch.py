"""skorch trains with the values of ``simulate``: a policy of its LRScheduler that calls as_torch_scheduler."""

import pickle

import numpy as np
import pytest
import torch
from frameworks import STEPS, Recorder, both, decays, simulated
from sklearn.model_selection import GridSearchCV

from lehr.handlers import ReduceOnPlateauScheduler, as_torch_scheduler

pytest.importorskip("skorch")

import skorch
from skorch import callbacks

from lehr.handlers.integrations.skorch import SchedulerCallback

pytestmark = pytest.mark.integrations
RATES = [0.1, 0.2]
SEEN: dict[float, list[Recorder]] = {}  # the records of each net, by its argument lr


class Watched(torch.optim.SGD):
    """SGD that records the values at its steps. A net constructs its optimizer, so the class must record."""

    def __init__(self, params, lr, **kwargs):
        super().__init__(params, lr=lr, **kwargs)
        SEEN.setdefault(lr, []).append(Recorder())
        SEEN[lr][-1].watch(self)


def policy(optimizer, last_epoch=-1, duration=STEPS):
    """Return a torch scheduler. skorch passes ``last_epoch``, which as_torch_scheduler does not need."""
    return as_torch_scheduler(both(optimizer, duration))


class Layer(torch.nn.Linear):
    """A module that skorch can construct without arguments."""

    def __init__(self):
        super().__init__(2, 2)


def net(scheduler, *others, **arguments):
    SEEN.clear()
    arguments = {"max_epochs": 2, "lr": 0.1, "batch_size": 2, "train_split": None, "verbose": 0, **arguments}
    return skorch.NeuralNetClassifier(
        Layer,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=Watched,
        optimizer__momentum=0.9,
        callbacks=[("schedule", scheduler), *others],
        **arguments,
    )


def data(size=STEPS):
    return np.ones((size, 2), dtype=np.float32), np.arange(size) % 2


def steps_of(lr):
    """Return the values at the steps of each net that trained with a learning rate."""
    return [list(seen) for seen in SEEN[lr] if seen]


def test_each_step_trains_with_the_simulated_values():
    net(callbacks.LRScheduler(policy, step_every="batch")).fit(*data())
    assert steps_of(0.1) == [simulated()]


def test_one_event_for_each_epoch():
    net(callbacks.LRScheduler(policy)).fit(*data())
    assert steps_of(0.1) == [[pair for pair in simulated(steps=2) for _ in range(STEPS // 2)]]


def test_the_history_of_skorch_has_the_values_of_training():
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


def schedule_of(net):
    return dict(net.callbacks_)["schedule"]


def test_the_callback_trains_with_the_simulated_values():
    trained = net(SchedulerCallback(both)).fit(*data())
    assert steps_of(0.1) == [simulated()]
    rows = zip(
        *(schedule_of(trained).history.to_numpy(name)[:, 0].tolist() for name in ("lr", "momentum")), strict=True
    )
    assert list(rows) == simulated(steps=STEPS + 1)


class Accumulated(skorch.NeuralNetClassifier):
    """A net that takes a step of its optimizer after every second batch."""

    def train_step(self, batch, **fit_params):
        self.batches_ = getattr(self, "batches_", 0) + 1
        step = self.train_step_single(batch, **fit_params)
        if self.batches_ % 2 == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


@pytest.mark.parametrize("kind", [skorch.NeuralNetClassifier, Accumulated])
def test_the_callback_continues_with_a_net(monkeypatch, tmp_path, kind):
    monkeypatch.setattr(skorch, "NeuralNetClassifier", kind)
    epochs = 1 if kind is not Accumulated else 2
    first = net(SchedulerCallback(both), max_epochs=epochs)
    first.fit(*data())
    files = {f"f_{name}": str(tmp_path / name) for name in ("params", "optimizer", "history")}
    first.save_params(**files)
    copied = pickle.loads(pickle.dumps(first))
    first.partial_fit(*data())  # continue with the same net
    assert steps_of(0.1) == [simulated()]
    history = schedule_of(first).history
    resumed = net(SchedulerCallback(both), max_epochs=epochs).initialize()
    resumed.load_params(**files)
    resumed.partial_fit(*data())  # continue with a new net, which has loaded the files
    assert steps_of(0.1) == [simulated()[STEPS // 2 :]]
    assert schedule_of(resumed).history == history
    copied.partial_fit(*data())  # continue with a copy of the net
    assert schedule_of(copied).history == history


def test_schedules_that_start_from_the_groups_resume_from_files(tmp_path):
    first = net(SchedulerCallback(decays), max_epochs=1).fit(*data())
    files = {f"f_{name}": str(tmp_path / name) for name in ("params", "optimizer", "history")}
    first.save_params(**files)
    seen = list(SEEN[0.1][-1])
    resumed = net(SchedulerCallback(decays), max_epochs=1).initialize()
    resumed.load_params(**files)
    resumed.partial_fit(*data())
    assert seen + SEEN[0.1][-1] == simulated(make=decays)


def test_the_callback_reads_the_metric(tmp_path):
    def plateau(optimizer):
        return ReduceOnPlateauScheduler(optimizer, "lr", "hand", patience=0, factor=0.5)

    def scored(net):
        return [5.0, 4.0, 4.5, 4.2][len(net.history) - 1]

    def make(epochs):
        score = callbacks.EpochScoring(
            lambda net, inputs, targets: scored(net), name="hand", use_caching=False, on_train=True
        )
        return net(score, ("rates", SchedulerCallback(plateau)), max_epochs=epochs)

    whole = make(4).fit(*data())
    rates = [rate for rate in (0.1, 0.1, 0.1, 0.05) for _ in range(STEPS // 2)]
    assert SEEN[0.1][-1].rates == rates
    first = make(3).fit(*data())
    files = {f"f_{name}": str(tmp_path / name) for name in ("params", "optimizer", "history")}
    first.save_params(**files)
    resumed = make(1).initialize()
    resumed.load_params(**files)
    resumed.partial_fit(*data())
    assert SEEN[0.1][-1].rates == rates[3 * STEPS // 2 :]
    assert whole.history[:, "hand"] == resumed.history[:, "hand"]


def test_the_error_for_a_missing_metric_lists_the_metrics_that_exist():
    def plateau(optimizer):
        return ReduceOnPlateauScheduler(optimizer, "lr", "loss")

    with pytest.raises(ValueError, match="metric_name must be one of .*'train_loss'.* given 'loss'"):
        net(SchedulerCallback(plateau)).fit(*data())
    net(SchedulerCallback(plateau, metric_name="train_loss")).fit(*data())


def slowly(optimizer):
    return both(optimizer, 2 * STEPS)


def test_grid_search_gives_each_net_a_callback_of_its_own():
    grid = {"lr": RATES, "callbacks__schedule__make": [both, slowly]}
    search = GridSearchCV(
        net(SchedulerCallback(both)), grid, cv=2, refit=False, scoring="accuracy", error_score="raise"
    )
    search.fit(*data(2 * STEPS))
    for lr in RATES:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
        slow = [scheduler.simulate(STEPS)[:, 0].tolist() for scheduler in slowly(optimizer)]
        expected = [simulated(lr=lr)] * 2 + [list(zip(*slow, strict=True))] * 2
        assert sorted(steps_of(lr)) == sorted(expected)

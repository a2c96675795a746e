"""A range test restores every object exactly, and the run goes on as if there had been no range test."""

import copy
import itertools
import queue
import random
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import DeterministicEngine, Engine, Events
from torch import nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler
from whole_runs import BATCHES, data, everything, network, plain, whole_run

from lehr.engine import ParamHistory
from lehr.handlers import CosineDecayScheduler, ExponentialScheduler, find_lr
from lehr.handlers.core.trials.trainer_trial import Trial

FEW = {"num_steps": 12, "seeds": 2}


def interrupt_at(trainer, iteration):
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=iteration), trainer.interrupt)


def before_the_first(run):
    """Leave the run before its first iteration."""


def after_an_epoch(run):
    run.trainer.run(run.loader, max_epochs=1)
    run.trainer.state.max_epochs = 4


def in_mid_epoch(run):
    interrupt_at(run.trainer, BATCHES + 3)
    run.trainer.run(run.loader, max_epochs=4)
    assert run.trainer.state.iteration == BATCHES + 3


def after_a_resume(run):
    """Load the states that another run has at the end of its first epoch."""
    saved = whole_run()
    saved.trainer.run(saved.loader, max_epochs=1)
    saved.trainer.state.max_epochs = 4
    pairs = [(run.model, saved.model), (run.optimizer, saved.optimizer), (run.trainer, saved.trainer)]
    pairs += zip(run.schedulers.values(), saved.schedulers.values(), strict=True)
    for one, other in pairs:
        one.load_state_dict(copy.deepcopy(other.state_dict()))


@pytest.mark.parametrize(
    ("point", "accumulation"),
    [
        (in_mid_epoch, 4),
        (after_a_resume, 4),
        pytest.param(before_the_first, 1, marks=pytest.mark.proof),
        pytest.param(after_an_epoch, 1, marks=pytest.mark.proof),
        pytest.param(in_mid_epoch, 1, marks=pytest.mark.proof),
    ],
)
def test_the_run_goes_on_as_if_there_had_been_no_test(point, accumulation, tmp_path):
    ended = []
    for tested in (False, True):
        run = whole_run(tmp_path / str(tested), accumulation)
        point(run)
        if tested:
            before, tensors = everything(run), list(map(id, run.model.state_dict(keep_vars=True).values()))
            result = find_lr(run.trainer, run.loader, **FEW)
            assert everything(run) == before
            assert list(map(id, run.model.state_dict(keep_vars=True).values())) == tensors
            assert len(result.losses[0]) > 5
            assert np.ptp(result.losses) > 0.1  # the test has trained
        run.trainer.run(run.loader, max_epochs=4)
        assert run.trainer.state.iteration == 4 * BATCHES
        ended.append((everything(run), plain(run.trainer.state.param_history)))
    for name, value in ended[0][0].items():
        if name not in ("handlers", "hooks", "state"):  # these differ between any two runs
            assert ended[1][0][name] == value, name
    assert ended[0][1] == ended[1][1]


class Stop(BaseException):
    """An error that is neither an ``Exception`` nor a ``KeyboardInterrupt``."""


FAILURES = [
    (ZeroDivisionError, in_mid_epoch, "forward"),
    (KeyboardInterrupt, before_the_first, "step"),
    (Stop, in_mid_epoch, "loader"),
]
OTHER_FAILURES = [
    pytest.param(error, point, where, marks=pytest.mark.proof)
    for (error, point, _), where in itertools.product(FAILURES, ("forward", "step", "loader"))
    if (error, point, where) not in FAILURES
]


@pytest.mark.parametrize(("error", "point", "where"), FAILURES + OTHER_FAILURES)
def test_an_error_leaves_nothing_behind(error, point, where):
    run, calls, armed = whole_run(), [], []

    def fail(*_):
        calls.extend(armed)
        if len(calls) == 9:
            raise error

    if where == "forward":
        run.model[0].register_forward_hook(fail)
    elif where == "step":
        run.optimizer.register_step_post_hook(fail)
    else:
        collate = run.loader.collate_fn
        run.loader.collate_fn = lambda samples: (fail(), collate(samples))[1]
    point(run)
    before = everything(run)
    armed.append(1)
    with pytest.raises(error):
        find_lr(run.trainer, run.loader, **FEW)
    assert everything(run) == before
    armed.clear()
    calls.clear()
    run.trainer.run(run.loader, max_epochs=4)
    assert run.schedulers["lr"].event_index == 4 * BATCHES
    assert run.schedulers["decay"].event_index == 4 * BATCHES


def test_an_error_within_a_real_step_does_not_repeat_an_event_of_the_run():
    run, armed = whole_run(), []

    def fail(*_):
        if armed and run.trainer.state.iteration == 3:
            raise ZeroDivisionError

    run.optimizer.register_step_pre_hook(fail)  # after the hooks that count the steps
    in_mid_epoch(run)
    armed.append(1)
    with pytest.raises(ZeroDivisionError):
        find_lr(run.trainer, run.loader, **FEW)
    armed.clear()
    run.trainer.run(run.loader)
    assert run.schedulers["decay"].event_index == 4 * BATCHES


class Noisy(Dataset):
    """A dataset that has random generators of its own and counts the samples that it has given."""

    def __init__(self):
        self.of_numpy, self.of_python = np.random.default_rng(1), random.Random(1)
        self.old = np.random.RandomState(1)
        self.given = 0

    def __len__(self):
        return 16

    def __getitem__(self, index):
        self.given += 1
        noise = self.of_numpy.normal() + self.of_python.random() + self.old.rand()
        return torch.full((4,), float(noise)), index % 3


def plain_trainer(model, optimizer):
    def step(engine, batch):
        model.train()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.item()

    return Engine(step)


def test_the_random_numbers_and_the_count_of_a_dataset_come_back():
    model = network()
    optimizer, dataset = torch.optim.SGD(model.parameters(), lr=0.1), Noisy()
    find_lr(plain_trainer(model, optimizer), DataLoader(dataset, 4), **FEW)
    fresh = Noisy()
    assert dataset.given == 0
    assert torch.equal(dataset[0][0], fresh[0][0])


def test_each_seed_seeds_the_generators_of_a_dataset():
    torch.manual_seed(0)
    model, dataset = nn.Linear(4, 3), Noisy()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for kept in ("of_numpy", "of_python", "old"):
        for name in {"of_numpy", "of_python", "old"} - {kept}:
            setattr(dataset, name, SimpleNamespace(normal=float, random=float, rand=float))
        options = {"num_steps": 10, "seeds": [0, 1, 0]}
        losses = find_lr(plain_trainer(model, optimizer), DataLoader(dataset, 4), **options).losses
        assert (losses[0] == losses[2]).all()
        assert (losses[0, :5] != losses[1, :5]).all(), kept
        dataset = Noisy()


def test_gradients_that_stay_in_their_memory_come_back():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    memory = [torch.zeros_like(param) for param in model.parameters()]  # like the buckets of DDP

    def step(engine, batch):
        for param, gradient in zip(model.parameters(), memory, strict=True):
            param.grad = gradient.zero_()
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss

    trainer = Engine(step)
    trainer.run(DataLoader(data(), 8), max_epochs=1)
    before = plain(memory)
    find_lr(trainer, DataLoader(data(), 8), **FEW)
    assert plain(memory) == before == plain([param.grad for param in model.parameters()])


class Drawn(Dataset):
    """A dataset that draws each sample when it is loaded."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        return torch.rand(4), index % 3


@pytest.mark.proof  # starts worker processes
def test_epochs_of_a_sampler_and_workers_that_go_on_come_back():
    epochs = []
    for tested in (False, True):
        torch.manual_seed(0)
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        sampler = DistributedSampler(Drawn(), num_replicas=1, rank=0)
        loader = DataLoader(Drawn(), 4, sampler=sampler, num_workers=1, persistent_workers=True)
        first = plain(list(loader))
        workers = loader._iterator
        if tested:
            result = find_lr(plain_trainer(model, optimizer), loader, num_steps=10, seeds=[4])
            assert len(result.lrs) > 3
        assert sampler.epoch == 0
        assert loader._iterator is workers
        epochs.append([first, plain(list(loader))])
        del workers, loader._iterator
    assert epochs[0] == epochs[1]


def test_what_a_training_step_writes_into_the_state_of_the_engine_comes_back():
    run = whole_run()
    train, seen = run.trainer._process_function, []
    record = seen.append  # a range test would restore the list itself

    def step(engine, batch):
        engine.state.seen.append(engine.state.iteration)
        engine.state.metrics["raw"] = engine.state.made = len(engine.state.seen)
        record(engine.state.iteration)
        return train(engine, batch)

    run.trainer._process_function = step
    run.trainer.state.seen = kept = [0]
    find_lr(run.trainer, run.loader, **FEW)
    assert run.trainer.state.seen is kept == [0]
    assert "raw" not in run.trainer.state.metrics
    assert not hasattr(run.trainer.state, "made")
    assert seen[:8] == [1, 2, 3, 4, 5, 6, 7, 8]


class Counting(Engine):
    """An engine whose attribute ``rates`` is a list."""

    def __init__(self, train, optimizer):
        super().__init__(self.step)
        self.train, self.optimizer, self.rates = train, optimizer, []

    def step(self, engine, batch):
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        return self.train(engine, batch)


def test_the_attributes_of_an_engine_come_back_and_its_step_reads_the_learning_rate():
    model, read = network(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer = Counting(plain_trainer(model, optimizer)._process_function, optimizer)
    trainer.rates = kept = [0.0]
    options = {"num_steps": 10, "seeds": 1, "output_transform": lambda loss: read.append(kept[-1]) or loss}
    result = find_lr(trainer, DataLoader(data(), 8), **options)
    assert trainer.rates is kept == [0.0]
    assert read[1:] == result.lrs.tolist()


def test_schedulers_that_a_training_step_calls_come_back():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    of_torch = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
    called = ExponentialScheduler(optimizer, "momentum", gamma=0.9)
    called.history = history = ParamHistory()
    by_steps = CosineDecayScheduler(optimizer, "dampening", 100, start_value=0.5)
    by_steps.apply_at_steps()
    written = []
    record = written.append  # a range test would restore the list itself

    def step(engine, batch):
        called.apply()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        record(optimizer.param_groups[0]["lr"])
        of_torch.step()
        return loss

    trainer, loader = Engine(step), DataLoader(data(), 8)
    trainer.run(loader, max_epochs=1)
    before = plain([of_torch, called, by_steps, history, optimizer])
    written.clear()
    result = find_lr(trainer, loader, num_steps=12, seeds=1)
    assert plain([of_torch, called, by_steps, history, optimizer]) == before
    assert by_steps.event_index == called.event_index == BATCHES
    assert written[1:] == result.lrs.tolist()  # the schedulers do not change them
    trainer.run(loader, max_epochs=2)
    assert len(history["momentum"]) == 2 * BATCHES


def test_a_deterministic_engine_goes_on():
    ended = []
    for tested in (False, True):
        run = whole_run()
        trainer = DeterministicEngine(run.trainer._process_function)
        torch.manual_seed(3)
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), trainer.terminate)
        trainer.run(run.loader, max_epochs=3)
        if tested:
            find_lr(trainer, run.loader, **FEW)
        trainer.run(run.loader)
        assert trainer.state.iteration == 3 * BATCHES
        ended.append(plain([run.model, run.optimizer, torch.get_rng_state()]))
    assert ended[0] == ended[1]


def test_a_model_that_only_its_optimizer_leads_to_comes_back():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    class Opaque:
        __slots__ = ("call",)

    opaque = Opaque()
    opaque.call = lambda batch: nn.functional.cross_entropy(model(batch[0]), batch[1])

    def step(engine, batch):
        optimizer.zero_grad()
        loss = opaque.call(batch)
        loss.backward()
        optimizer.step()
        return loss

    before = plain(model)
    find_lr(Engine(step), DataLoader(data(), 8), **FEW)
    assert plain(model) == before


class OwnLoop:
    """A user's class whose training step counts batches itself to accumulate gradients."""

    def __init__(self):
        self.model = network()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.count, self.losses, self.average = 0, [], torch.zeros(1)

    def step(self, engine, batch):
        self.count += 1
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        loss.backward()
        self.losses.append(loss.item())
        self.average = 0.9 * self.average + 0.1 * loss.detach()
        if self.count % 4 == 0:
            self.optimizer.step()
            self.optimizer.zero_grad()
        return loss.item()


def test_the_attributes_of_an_object_with_the_training_step_come_back():
    ended = []
    for tested in (False, True):
        torch.manual_seed(0)
        own, loader = OwnLoop(), DataLoader(data(), 8)
        trainer = Engine(own.step)
        trainer.run(loader, max_epochs=1)  # 6 iterations, which end within an accumulation
        if tested:
            find_lr(trainer, loader, **FEW)
            assert own.count == len(own.losses) == BATCHES
        trainer.run(loader, max_epochs=3)
        ended.append(plain([own.model, own.losses, own.average, own.count]))
    assert ended[0] == ended[1]


TOTAL = 0


def test_the_variables_of_a_training_step_come_back():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train = plain_trainer(model, optimizer)._process_function
    count, by_class, seen = 0, Counter({"a": 2}), [[1]]
    average, array = torch.zeros(1), np.zeros(2)

    def step(engine, batch):
        global TOTAL
        nonlocal count
        TOTAL, count = TOTAL + 1, count + 1
        by_class.update("ab")
        seen.append(count)
        seen[0].append(count)
        average.add_(1)
        array[0] += 1
        engine.state.by_class.update("ab")
        engine.state.array += 1
        return train(engine, batch)

    trainer = Engine(step)
    trainer.state.by_class, trainer.state.array = Counter({"a": 2}), np.zeros(2)
    find_lr(trainer, DataLoader(data(), 8), **FEW)
    assert (TOTAL, count, seen) == (0, 0, [[1]])
    assert by_class == trainer.state.by_class == {"a": 2}
    assert (average.item(), *array, *trainer.state.array) == (0, 0, 0, 0, 0)


def test_what_other_libraries_hold_is_not_touched():
    model, caught = network(), queue.SimpleQueue()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train, waiting = plain_trainer(model, optimizer)._process_function, queue.Queue()
    waiting.put(1)

    def step(engine, batch):
        if not waiting.empty():
            caught.put(waiting.get())  # stands in for another thread
        return train(engine, batch)

    find_lr(Engine(step), DataLoader(data(), 8), **FEW)
    assert waiting.empty()
    assert caught.qsize() == 1


def test_the_data_in_a_list_are_not_copied():
    samples = [(torch.zeros(4), number % 3) for number in range(2000)]
    loader = DataLoader(samples, 8, shuffle=True)
    trainer = plain_trainer(network(), optimizer := torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
    trainer.state.dataloader = [(torch.zeros(8, 4), torch.zeros(8))] * 3
    snapshot = Trial(trainer, loader, optimizer, [], [])._snapshot
    saved = {id(tensor) for tensor, _ in snapshot._tensors}
    assert saved.isdisjoint(id(x) for x, _ in samples)
    assert id(trainer.state.dataloader[0][0]) not in saved


class Counted:
    def __init__(self):
        self.count = 0

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def test_what_is_given_as_to_save_comes_back():
    run, counter = whole_run(), Counted()
    run.model[0].register_forward_hook(lambda *_: setattr(counter, "count", counter.count + 1))
    find_lr(run.trainer, run.loader, to_save={"counter": counter}, **FEW)
    assert counter.count == 0

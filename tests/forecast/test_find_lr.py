"""The learning rates and losses of a range test, and which handlers, optimizers and loaders it uses."""

import functools
import gc
import logging
import weakref

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events, create_supervised_trainer
from ignite.handlers import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, IterableDataset
from whole_runs import BATCHES, data, everything, network, plain, whole_run

import lehr.handlers
from lehr.engine import OptimizerEvents
from lehr.handlers import CosineDecayScheduler, find_lr
from lehr.handlers.forecast import LRRangeTest, trial_steps


def make(optimizer_type=torch.optim.SGD, accumulation=1, groups=None, **options):
    """Return a trainer, its optimizer, a loader, and a list with the learning rates of each optimizer step."""
    torch.manual_seed(0)
    model = network()
    params = model.parameters() if groups is None else groups(model)
    optimizer = optimizer_type(params, **{"lr": 0.1, **options})
    trainer = create_supervised_trainer(
        model, optimizer, nn.functional.cross_entropy, gradient_accumulation_steps=accumulation
    )
    used = []
    optimizer.register_step_post_hook(lambda one, *_: used.append([float(group["lr"]) for group in one.param_groups]))
    return trainer, optimizer, DataLoader(data(), 8, shuffle=True), used


@pytest.mark.parametrize("accumulation", [1, 3])
def test_each_real_step_has_a_learning_rate_of_its_own(accumulation):
    trainer, _, loader, used = make(accumulation=accumulation)
    iterations = []
    result = find_lr(
        trainer, loader, start_lr=1e-4, end_lr=1e-1, num_steps=30, seeds=1,
        output_transform=lambda loss: iterations.append(1) or loss,
    )  # fmt: skip
    assert result.lrs.tolist() == [lr for (lr,) in used[1:]]
    np.testing.assert_allclose(result.lrs, 1e-4 * 1000 ** (np.arange(1, 31) / 30), rtol=1e-9)
    assert used[0] == used[1]  # the finder's first step is not in the result
    assert len(iterations) == 31 * accumulation
    assert np.isfinite(result.losses).all()


def test_the_loss_of_a_real_step_is_the_mean_of_its_batches():
    trainer, _, loader, _ = make(accumulation=3)
    losses = []
    result = find_lr(trainer, loader, num_steps=10, seeds=1, output_transform=lambda x: losses.append(x) or x)
    means = np.reshape(losses, (-1, 3)).mean(axis=1)
    np.testing.assert_allclose(result.losses[0], means[1:], rtol=1e-6)


def test_learning_rates_may_be_at_equal_distances():
    trainer, _, loader, _ = make()
    result = find_lr(trainer, loader, start_lr=0.01, end_lr=0.11, num_steps=10, seeds=1, step_mode="linear")
    np.testing.assert_allclose(result.lrs, np.linspace(0.01, 0.1, 10))
    assert result.plot().get_xscale() == "linear"


def test_groups_keep_their_ratios_and_a_group_of_0_keeps_it():
    def groups(model):
        lrs = [0.0, 0.2, 0.02]
        return [
            {"params": one.parameters(), "lr": lr} for one, lr in zip((model[0], model[1], model[4]), lrs, strict=True)
        ]

    trainer, optimizer, loader, used = make(groups=groups)
    result = find_lr(trainer, loader, num_steps=20, seeds=1)
    assert result.ratios == (0.0, 1.0, 0.02 / 0.2)
    for lr, lrs in zip(result.lrs, used[1:], strict=True):
        assert lrs == [0.0, lr, lr * (0.02 / 0.2)] == result.of_groups(lr)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.2, 0.02]
    assert "initial_lr" not in optimizer.param_groups[0]


def test_an_optimizer_whose_groups_all_have_0_is_tested():
    trainer, optimizer, loader, _ = make()
    optimizer.param_groups[0]["lr"] = 0.0
    assert np.ptp(find_lr(trainer, loader, num_steps=30, seeds=1).losses) > 0.1


def test_groups_that_a_warm_up_has_set_to_0_keep_the_ratios_of_their_initial_lr():
    def groups(model):
        return [
            {"params": one.parameters(), "lr": lr} for one, lr in zip((model[0], model[4]), (0.2, 0.02), strict=True)
        ]

    trainer, optimizer, loader, _ = make(groups=groups)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: min(1.0, epoch / 10))
    result = find_lr(trainer, loader, num_steps=10, seeds=1)
    assert result.ratios == (1.0, 0.02 / 0.2)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0]


def test_a_tensor_stays_the_same_tensor():
    rate = torch.tensor(0.1)
    trainer, optimizer, loader, used = make(torch.optim.Adam, lr=rate, capturable=False, foreach=False)
    result = find_lr(trainer, loader, num_steps=12, seeds=2)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.1)
    np.testing.assert_allclose(used[1:13], result.lrs[:, None], rtol=1e-6)


def test_each_seed_has_a_data_order_of_its_own_and_repeats():
    trainer, _, loader, _ = make()
    torch.manual_seed(1)
    first = find_lr(trainer, loader, num_steps=12, seeds=3)
    torch.manual_seed(2)
    loader.generator = torch.Generator().manual_seed(3)
    again = find_lr(trainer, loader, num_steps=12, seeds=[2, 1, 0])
    assert first.seeds == (0, 1, 2)
    assert len(np.unique(first.losses[:, :8], axis=0)) == 3
    assert len(np.unique(again.losses[:, :8], axis=0)) == 3
    loader.generator = None
    np.testing.assert_array_equal(find_lr(trainer, loader, num_steps=12, seeds=[2, 0]).losses, first.losses[[2, 0]])


# Handlers, other engines, a second optimizer and a scaler.


def test_no_handler_is_called_and_no_checkpoint_is_lost(tmp_path):
    run = whole_run()
    checkpoint = ModelCheckpoint(tmp_path, n_saved=1)
    run.trainer.add_event_handler(Events.ITERATION_COMPLETED(every=3), checkpoint, {"model": run.model})
    called = []
    for event in (Events.STARTED, Events.EPOCH_STARTED, Events.ITERATION_COMPLETED, Events.COMPLETED, Events.TERMINATE):
        run.trainer.add_event_handler(event, called.append, event)
    run.trainer.add_event_handler(Events.EXCEPTION_RAISED, lambda error: called.append(error))
    run.trainer.run(run.loader, max_epochs=1)
    files, last = {path.name: path.read_bytes() for path in tmp_path.iterdir()}, checkpoint.last_checkpoint
    called.clear()
    find_lr(run.trainer, run.loader, num_steps=12, seeds=2)
    with pytest.raises(TypeError):
        find_lr(run.trainer, run.loader, output_transform=str)
    assert called == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert checkpoint.last_checkpoint == last
    assert len(files) == 1


def test_a_handler_that_training_needs_is_kept():
    trainer, optimizer, loader, _ = make()
    OptimizerEvents.attach(trainer, optimizer)
    scheduler = CosineDecayScheduler(optimizer, "lr", 100)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    steps, epochs = [], []
    record_step, record_epoch = steps.append, epochs.append  # a range test restores lists that a handler holds

    def clip(engine):
        record_step(engine.state.optimizer_step)

    def next_epoch(engine, record):
        record(engine.state.epoch)

    trainer.add_event_handler(OptimizerEvents.STEP_STARTED, clip)
    trainer.add_event_handler(Events.EPOCH_STARTED(every=2), next_epoch, record_epoch)
    find_lr(trainer, loader, num_steps=13, seeds=1, keep_handlers=[clip, next_epoch])
    assert steps == list(range(1, 15))
    assert epochs == [2]
    assert trainer.state.optimizer_steps == [0]
    assert scheduler.event_index == 0
    with pytest.raises(ValueError, match=r"keep_handlers\[1\] must be a handler of the trainer, given <built-in"):
        find_lr(trainer, loader, keep_handlers=[clip, print])


def test_the_steps_call_no_handlers_of_another_engine():
    trainer, optimizer, loader, _ = make()
    other = Engine(lambda engine, batch: None)
    scheduler = CosineDecayScheduler(optimizer, "lr", 100)
    scheduler.attach(other, OptimizerEvents.STEP_STARTED)
    called = []
    other.add_event_handler(OptimizerEvents.STEP_COMPLETED, lambda: called.append(1))
    hooks = list(optimizer._optimizer_step_pre_hooks.items())
    find_lr(trainer, loader, num_steps=10, seeds=1)
    assert scheduler.event_index == 0
    assert called == []
    assert list(optimizer._optimizer_step_pre_hooks.items()) == hooks
    assert "step" not in vars(optimizer)


def gan():
    torch.manual_seed(0)
    models = nn.Linear(4, 4), nn.Linear(4, 1)
    optimizers = [torch.optim.Adam(model.parameters(), lr=lr) for model, lr in zip(models, (1e-3, 2e-3), strict=True)]

    def step(engine, batch):
        losses = {}
        for name, optimizer, sign in (("critic", optimizers[1], 1), ("loss", optimizers[0], -1)):
            optimizer.zero_grad()
            loss = nn.functional.softplus(sign * models[1](models[0](batch[0]))).mean()
            loss.backward()
            optimizer.step()
            losses[name] = loss.item()
        return losses

    return Engine(step), optimizers, models


def test_one_of_two_optimizers_is_tested():
    trainer, optimizers, models = gan()
    before, used = plain([*models, *optimizers]), []
    for optimizer in optimizers:
        optimizer.register_step_post_hook(lambda one, *_: used.append(one.param_groups[0]["lr"]))
    with pytest.raises(ValueError, match="must be given unless the training step refers to exactly one, found Adam, "):
        find_lr(trainer, DataLoader(data(), 8))
    result = find_lr(trainer, DataLoader(data(), 8), optimizers[0], num_steps=10, seeds=1)
    assert used[2::2] == [2e-3] * 10
    assert used[3::2] == result.lrs.tolist()
    assert plain([*models, *optimizers]) == before


def test_a_scaler_that_skips_steps_makes_no_difference_to_the_learning_rates():
    torch.manual_seed(0)
    model = network()
    optimizer, used = torch.optim.SGD(model.parameters(), lr=0.1), []
    optimizer.register_step_post_hook(lambda one, *_: used.append(one.param_groups[0]["lr"]))
    scaler = torch.amp.GradScaler(
        "cpu", init_scale=2.0**125
    )  # 1000 times this is infinite, so the first steps are skipped

    def step(engine, batch):
        optimizer.zero_grad()
        loss = 1000 * nn.functional.cross_entropy(model(batch[0]), batch[1])
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    before = plain(scaler.state_dict())
    result = find_lr(Engine(step), DataLoader(data(), 8), num_steps=15, seeds=1)
    assert used[1:] == result.lrs.tolist()
    assert np.isfinite(result.losses[0, :8]).all()
    assert plain(scaler.state_dict()) == before
    assert scaler._scale is None or scaler._scale.item() == before["scale"]


# Loaders and engines.


class Stream(IterableDataset):
    def __iter__(self):
        return iter(data())


def test_a_loader_without_a_length_and_a_short_one_go_on_in_the_next_epoch():
    for loader in (DataLoader(Stream(), 8), DataLoader(data(), 24), [next(iter(DataLoader(data(), 8)))]):
        trainer, *_ = make()
        result = find_lr(trainer, loader, end_lr=1.0, num_steps=16, seeds=1)
        assert np.isfinite(result.losses[:, :12]).all()
        assert (trainer.state.epoch_length, trainer.state.max_epochs, trainer.state.iteration) == (None, None, 0)


def test_a_training_step_may_make_its_own_data():
    trainer, _, loader, used = make()
    train, batch = trainer._process_function, next(iter(loader))
    trainer._process_function = lambda engine, _: train(engine, batch)
    result = find_lr(trainer, None, num_steps=12, seeds=1, epoch_length=5)
    assert result.lrs.tolist() == [lr for (lr,) in used[1:]]
    with pytest.raises(TypeError, match="loader must be an iterable that can be read more than once, given None"):
        find_lr(trainer, None)


class Wrapper:
    """Holds an optimizer as an attribute, as accelerate's wrapper does."""

    def __init__(self, optimizer):
        self.optimizer = optimizer


def test_an_optimizer_may_be_in_a_wrapper():
    trainer, optimizer, loader, used = make()
    result = find_lr(trainer, loader, Wrapper(optimizer), num_steps=12, seeds=1)
    assert result.lrs.tolist() == [lr for (lr,) in used[1:]]


def test_a_model_is_free_when_its_trainer_is_dropped():
    trainer, optimizer, loader, _ = make()
    gc.collect()
    gc.disable()
    try:
        result = find_lr(trainer, loader, num_steps=10, seeds=2)
        alive = weakref.ref(optimizer.param_groups[0]["params"][0])
        del trainer, optimizer, loader, _
        assert alive() is None
        assert len(result.seeds) == 2
    finally:
        gc.enable()


def test_the_trainer_says_nothing_at_each_step(caplog):
    trainer, _, loader, _ = make()
    with caplog.at_level(logging.INFO):
        find_lr(trainer, loader, num_steps=12, seeds=2)
    assert caplog.records == []
    with pytest.raises(TypeError):
        find_lr(trainer, loader, output_transform=str)
    assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_a_run_ends_where_its_loss_is_not_a_number():
    trainer, _, loader, used = make()
    losses = []
    result = find_lr(
        trainer, loader, num_steps=30, seeds=1,
        output_transform=lambda loss: losses.append(loss) or (loss if len(losses) < 20 else float("nan")),
    )  # fmt: skip
    assert len(used) == 20
    assert np.isfinite(result.losses[0, :18]).all()
    assert np.isnan(result.losses[0, 18])
    assert result.diverges_at == result.lrs[17]


@pytest.mark.parametrize("finite", [0, 1])
def test_a_loss_that_is_no_number_from_the_beginning_gives_no_suggestion(finite):
    trainer, _, loader, _ = make()
    losses = []
    result = find_lr(
        trainer, loader, num_steps=30, seeds=2,
        output_transform=lambda loss: losses.append(loss) or (loss if len(losses) <= finite else float("nan")),
    )  # fmt: skip
    assert result.suggestion is None
    assert result.reason == "one of the 2 runs has no more than 0 steps with a finite loss before it diverges"
    assert result.diverges_at == result.lrs[0] == pytest.approx(1e-6 * 1e7 ** (1 / 30))
    assert "<img" in result._repr_html_()


@functools.cache
def run_of_bad_input():
    """A run for all bad input, which leaves it as it is, and what is in it."""
    run = whole_run()
    return run, everything(run)


@for_each(
    ("kwargs", "error", "message"),
    [
        ({"trainer": 3}, TypeError, "trainer must be an ignite Engine, given 3"),
        ({"loader": 3}, TypeError, "loader must be an iterable that can be read more than once, given 3"),
        ({"loader": iter([])}, TypeError, "loader must be an iterable that can be read more than once, given <list_it"),
        ({"optimizer": 3}, TypeError, "optimizer must be a torch.optim.Optimizer, given 3"),
        ({"start_lr": 0}, ValueError, "start_lr must be more than 0, given 0"),
        ({"end_lr": 1e-7}, ValueError, "end_lr must be more than 1e-06, given 1e-07"),
        ({"num_steps": 9}, ValueError, "num_steps must be a whole number of at least 10, given 9"),
        ({"num_steps": 10.5}, ValueError, "num_steps must be "),
        ({"step_mode": "log"}, ValueError, "step_mode must be one of 'exp', 'linear', given 'log'"),
        ({"seeds": 0}, ValueError, "seeds must be a whole number of at least 1, given 0"),
        ({"seeds": []}, ValueError, r"seeds must be a number of runs or a seed for each run, given \[\]"),
        ({"seeds": [1, -1]}, ValueError, r"seeds\[1\] must be a whole number of at least 0, given -1"),
        ({"seeds": np.array([1.5])}, ValueError, r"seeds\[0\] must be a whole number of at least 0, given "),
        ({"seeds": [2**32]}, ValueError, r"seeds\[0\] must be at most 4294901760, given 4294967296"),
        ({"seeds": "3"}, TypeError, "seeds must be "),
        ({"diverge_th": 0.5}, ValueError, "diverge_th must be at least 1, given 0.5"),
        ({"epoch_length": 0}, ValueError, "epoch_length must be a whole number of at least 1, given 0"),
        ({"loader": DataLoader}, TypeError, "loader must be an iterable that can be read more than once, given <class"),
        ({"output_transform": 3}, TypeError, "output_transform must be a function of the output, given 3"),
        (
            {"keep_handlers": print},
            TypeError,
            "keep_handlers must be a list of handlers of the trainer, given <built-in",
        ),
        ({"to_save": [1]}, TypeError, r"to_save must be a mapping of names to objects, given \[1\]"),
        ({"to_save": {"a": 1}}, TypeError, r"to_save\['a'\] must have state_dict and load_state_dict, given 1"),
        (
            {"output_transform": lambda loss: "x"},
            TypeError,
            "must give the loss of an iteration as a number, given 'x'",
        ),
        ({"output_transform": lambda loss: -loss}, ValueError, "must give a loss that is not negative"),
        ({"optimizer": torch.optim.SGD([torch.zeros(1)], lr=1.0)}, RuntimeError, "no step in 24 iterations"),
        ({"loader": DataLoader([])}, ValueError, "Input data has zero size"),
    ],
)
def test_bad_input_is_told_and_changes_nothing(kwargs, error, message, monkeypatch):
    monkeypatch.setattr(trial_steps, "PATIENCE", 24)
    run, before = run_of_bad_input()
    with pytest.raises(error, match=message) as caught:
        find_lr(kwargs.pop("trainer", run.trainer), kwargs.pop("loader", run.loader), **kwargs)
    assert len(str(caught.value)) <= 500
    assert everything(run) == before


class Once(IterableDataset):
    """A dataset that can be iterated only once."""

    def __init__(self):
        self.left = iter(data())

    def __iter__(self):
        return self.left


def test_a_loader_that_is_exhausted_is_an_error():
    trainer, *_ = make()
    with pytest.raises(RuntimeError, match="loader must give batches each time it is iterated"), pytest.warns():
        find_lr(trainer, DataLoader(Once(), 8), num_steps=20)


def test_a_model_without_shapes_is_refused():
    model = nn.Sequential(nn.LazyLinear(8), nn.Linear(8, 3))
    trainer = create_supervised_trainer(model, torch.optim.SGD(model.parameters(), lr=0.1), nn.functional.cross_entropy)
    with pytest.raises(ValueError, match="trainer must have a model whose parameters all have a shape, given <Unini"):
        find_lr(trainer, DataLoader(data(), 8))
    assert isinstance(model[0], nn.LazyLinear)


def test_a_running_trainer_is_refused():
    run, errors = whole_run(), []

    @run.trainer.on(Events.ITERATION_COMPLETED(once=3))
    def look(engine):
        with pytest.raises(RuntimeError, match="trainer must not be running: call find_lr before or after") as caught:
            find_lr(engine, run.loader)
        errors.append(caught)

    run.trainer.run(run.loader, max_epochs=2)
    assert len(errors) == 1
    assert run.trainer.state.iteration == 2 * BATCHES


def test_a_loss_is_read_from_a_dictionary():
    trainer, optimizers, _ = gan()
    losses = find_lr(trainer, DataLoader(data(), 8), optimizers[0], num_steps=10, seeds=1).losses
    given = find_lr(
        trainer, DataLoader(data(), 8), optimizers[0], num_steps=10, seeds=1, output_transform=lambda out: out["loss"]
    )
    np.testing.assert_array_equal(losses, given.losses)


def test_it_is_public():
    assert lehr.handlers.find_lr is find_lr
    assert isinstance(find_lr(*make()[::2], num_steps=10, seeds=1), LRRangeTest)

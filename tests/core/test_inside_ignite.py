"""Schedulers beside other parts of ignite: loggers, common handlers, the deterministic engine and averaged weights."""

import pytest
import torch
from ignite.contrib.engines import common
from ignite.engine import DeterministicEngine, Engine, Events
from ignite.handlers import EMAHandler
from ignite.handlers.base_logger import BaseLogger, BaseOptimizerParamsHandler
from optimizers import make_optimizer, make_trainer

from lehr.handlers import ConstantScheduler, CosineDecayScheduler, ParamGroupScheduler, check_plan


class Log(BaseOptimizerParamsHandler):
    """Collects the values that a logger of ignite would log."""

    def __init__(self, optimizer, param_name="lr"):
        super().__init__(optimizer, param_name)
        self.values = []

    def __call__(self, engine, logger, event_name):
        self.values.append(self.optimizer.param_groups[0][self.param_name])


class Logger(BaseLogger):
    def _create_output_handler(self, *args, **kwargs):
        raise NotImplementedError

    def _create_opt_params_handler(self, *args, **kwargs):
        return Log(*args, **kwargs)


def logged(order, event=Events.ITERATION_STARTED, scheduler_event=Events.ITERATION_STARTED, kind=CosineDecayScheduler):
    """The logged values, the simulated ones, and what check_plan finds."""
    optimizer, trainer = make_optimizer(lr=0.1), make_trainer()
    options = {"duration": 6} if kind is CosineDecayScheduler else {"value": 0.3}
    scheduler, log = kind(optimizer, "lr", **options), Log(optimizer)
    steps = [lambda: scheduler.attach(trainer, scheduler_event), lambda: Logger().attach(trainer, log, event)]
    for step in steps if order == "scheduler first" else reversed(steps):
        step()
    found = [one for one in check_plan(trainer, max_epochs=2, epoch_length=3) if one.code == "early-log"]
    wanted = scheduler.simulate(6)[:, 0].tolist()
    trainer.run([0] * 3, max_epochs=2)
    return log.values, wanted, found


def test_a_logger_after_the_scheduler_logs_what_is_trained():
    values, wanted, found = logged("scheduler first")
    assert values == wanted
    assert not found
    values, wanted, found = logged("logger first", event=Events.ITERATION_COMPLETED)
    assert values == wanted
    assert not found


def test_a_logger_before_the_scheduler_is_a_finding():
    values, wanted, (finding,) = logged("logger first")
    assert values == [0.1, *wanted[:-1]]
    assert "Log logs 'lr' at ITERATION_STARTED before the scheduler writes it there:" in finding.message
    assert finding.severity == "warning"
    assert logged("logger first", Events.ITERATION_STARTED(every=2), Events.ITERATION_STARTED(every=2))[2]


def test_a_logger_of_the_same_value_or_of_another_parameter_is_no_finding():
    assert not logged("logger first", kind=ConstantScheduler)[2]
    optimizer, trainer = make_optimizer(lr=0.1), make_trainer()
    Logger().attach(trainer, Log(optimizer, "momentum"), Events.ITERATION_STARTED)
    Logger().attach(trainer, Log(make_optimizer()), Events.ITERATION_STARTED)
    ParamGroupScheduler([CosineDecayScheduler(optimizer, "lr", duration=6)]).attach(trainer)
    assert not check_plan(trainer, max_epochs=2, epoch_length=3)


def model_and_trainer(engine=Engine):
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer, seen = torch.optim.SGD(model.parameters(), lr=0.1), []

    def step(engine, batch):
        optimizer.zero_grad()
        loss = model(batch).pow(2).mean()
        loss.backward()
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        return loss.item()

    return model, optimizer, engine(step), seen


DATA = [torch.ones(4, 2) * number for number in range(1, 4)]


def test_the_common_handlers_take_a_scheduler(tmp_path):
    model, optimizer, trainer, seen = model_and_trainer()
    scheduler = CosineDecayScheduler(optimizer, "lr", duration=6)
    common.setup_common_training_handlers(
        trainer,
        to_save={"trainer": trainer, "model": model, "optimizer": optimizer, "scheduler": scheduler},
        save_every_iters=3,
        output_path=str(tmp_path),
        lr_scheduler=scheduler,
        with_gpu_stats=False,
        with_pbars=False,
        clear_cuda_cache=False,
    )
    trainer.run(DATA, max_epochs=2)
    assert seen == scheduler.simulate(6)[:, 0].tolist()
    (file,) = tmp_path.iterdir()
    assert torch.load(file, weights_only=True)["scheduler"]["event_index"] == 6


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_the_deterministic_engine_goes_on_exactly(stop):
    _, optimizer, trainer, whole = model_and_trainer(DeterministicEngine)
    CosineDecayScheduler(optimizer, "lr", duration=6).attach(trainer)
    trainer.run(DATA, max_epochs=2)
    _, optimizer, trainer, seen = model_and_trainer(DeterministicEngine)
    scheduler = CosineDecayScheduler(optimizer, "lr", duration=6)
    scheduler.attach(trainer)
    states = {}

    def save(engine):
        states.update(trainer=engine.state_dict(), scheduler=scheduler.state_dict())

    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=stop), save)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=stop), trainer.terminate)
    trainer.run(DATA, max_epochs=2)
    begun = list(seen)
    _, optimizer, trainer, seen = model_and_trainer(DeterministicEngine)
    scheduler = CosineDecayScheduler(optimizer, "lr", duration=6)
    scheduler.attach(trainer)
    trainer.load_state_dict(states["trainer"])
    scheduler.load_state_dict(states["scheduler"])
    trainer.run(DATA, max_epochs=2)
    assert begun + seen == whole


def test_averaged_weights_beside_a_scheduler():
    model, optimizer, trainer, seen = model_and_trainer()
    scheduler = CosineDecayScheduler(optimizer, "lr", duration=6, save_history=True)
    averaged = EMAHandler(model, momentum=0.1)
    averaged.attach(trainer, event=Events.ITERATION_COMPLETED)
    scheduler.attach(trainer)
    trainer.run(DATA, max_epochs=2)
    assert seen == scheduler.simulate(6)[:, 0].tolist()
    assert trainer.state.param_history["lr"] == [[value] for value in seen]
    assert trainer.state.ema_momentum == 0.1

"""On a GPU: steps captured in a CUDA graph, schedules that never wait for the device, and plans that live on it.

Skipped where there is none; ``make gpu`` runs these alone.
"""

import time

import pytest
import torch
from ignite.engine import Engine, Events

from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    DevicePlan,
    LinearScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    TokenClock,
)

pytestmark = pytest.mark.gpu
EVENTS, WARMUP = 40, 3

CAPTURABLE = [
    pytest.param(torch.optim.Adam, {}, id="Adam"),
    pytest.param(torch.optim.AdamW, {"weight_decay": 0.1}, id="AdamW"),
    pytest.param(torch.optim.AdamW, {"fused": True}, id="AdamW, fused"),
    pytest.param(torch.optim.NAdam, {}, id="NAdam"),
    pytest.param(torch.optim.RAdam, {}, id="RAdam"),
    pytest.param(torch.optim.Adamax, {}, id="Adamax"),
    pytest.param(torch.optim.Adadelta, {}, id="Adadelta"),
    pytest.param(torch.optim.RMSprop, {"momentum": 0.9}, id="RMSprop"),
]
each_optimizer = pytest.mark.parametrize(("optimizer_class", "arguments"), CAPTURABLE)


def cosine(optimizer):
    return CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.001, 25)


def one_cycle_a_group(optimizer):
    return OneCycleScheduler(optimizer, "lr", [0.1, 0.2], total_steps=EVENTS)


def warmed_up(optimizer):
    warmup = LinearScheduler(optimizer, "lr", 10, start_value=0.001, end_value=0.1)
    return ConcatScheduler([warmup, cosine(optimizer)], durations=[10])


each_schedule = pytest.mark.parametrize("make_scheduler", [cosine, one_cycle_a_group, warmed_up])


class Training:
    """Two parameters, in a param group each, that learn data they are given; all of it lies on the GPU."""

    def __init__(self, optimizer_class, arguments):
        generator = torch.Generator("cuda").manual_seed(0)
        self.params = [torch.randn(64, device="cuda", generator=generator, requires_grad=True) for _ in range(2)]
        self.data = torch.randn(EVENTS, 16, 64, device="cuda", generator=generator)
        self.batch = torch.empty_like(self.data[0])
        groups = [{"params": [param], "lr": torch.tensor(0.1, device="cuda")} for param in self.params]
        self.rates = [group["lr"] for group in groups]
        self.optimizer = optimizer_class(groups, capturable=True, **arguments)

    def step(self):
        first, second = self.params
        ((first * self.batch - second) ** 2).sum(dim=1).sqrt().sum().backward()
        self.optimizer.step()

    def run(self, before_step, captured, inside=lambda: None):
        """Train on all data; the first steps as they are, on a side stream, as torch wants it before a capture."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        rates = []

        def take(index, step):
            self.batch.copy_(self.data[index])
            before_step()
            step()
            rates.append(torch.stack(self.rates).clone())

        def plain():
            self.optimizer.zero_grad(set_to_none=True)
            inside()
            self.step()

        with torch.cuda.stream(side):
            for index in range(WARMUP):
                take(index, plain)
        torch.cuda.current_stream().wait_stream(side)
        if not captured:
            for index in range(WARMUP, EVENTS):
                take(index, plain)
            return torch.stack(rates)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            inside()
            self.step()
        with never_waiting():
            for index in range(WARMUP, EVENTS):
                take(index, graph.replay)
        return torch.stack(rates)


class never_waiting:  # noqa: N801 -- it reads as a statement
    """Every synchronisation of host and device is an error."""

    def __enter__(self):
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")

    def __exit__(self, *error):
        torch.cuda.set_sync_debug_mode("default")


def assert_the_same(one, other):
    """Bit for bit, in what was learned and in what the optimizers remember."""
    assert all(torch.isfinite(param).all() for param in one.params)
    for mine, its in zip(one.params, other.params, strict=True):
        assert torch.equal(mine, its)
        for name, value in one.optimizer.state[mine].items():
            assert torch.equal(value, other.optimizer.state[its][name]), name


def test_waiting_would_be_noticed():
    number = torch.ones(1, device="cuda")
    with pytest.raises(RuntimeError), never_waiting():
        number.item()


@each_schedule
@each_optimizer
def test_a_captured_step_trains_as_one_that_is_not(optimizer_class, arguments, make_scheduler):
    plain, captured = (Training(optimizer_class, arguments) for _ in range(2))
    schedulers = [make_scheduler(training.optimizer) for training in (plain, captured)]
    expected = plain.run(lambda: schedulers[0](None), captured=False)
    assert torch.equal(captured.run(lambda: schedulers[1](None), captured=True), expected)
    table = torch.from_numpy(schedulers[0].simulate(EVENTS)).float().cuda()
    assert torch.equal(expected, table)
    assert all(group["lr"] is rate for group, rate in zip(captured.optimizer.param_groups, captured.rates, strict=True))
    assert_the_same(plain, captured)
    assert len(expected.unique()) > EVENTS // 2


@each_schedule
@each_optimizer
def test_a_plan_on_the_device_trains_as_the_scheduler_and_the_host_does_nothing(
    optimizer_class, arguments, make_scheduler
):
    plain, captured = (Training(optimizer_class, arguments) for _ in range(2))
    scheduler = make_scheduler(plain.optimizer)
    plan = DevicePlan(make_scheduler(captured.optimizer), EVENTS)
    expected = plain.run(lambda: scheduler(None), captured=False)
    assert torch.equal(captured.run(lambda: None, captured=True, inside=plan.write), expected)
    assert plan.event_index == EVENTS
    assert_the_same(plain, captured)


@pytest.mark.parametrize("make_scheduler", [cosine, one_cycle_a_group, warmed_up])
def test_events_of_an_engine_never_wait(make_scheduler):
    """With a history, for longer than a block of values, through every way that a tensor is written in."""
    training = Training(torch.optim.AdamW, {})
    betas = [torch.tensor(0.9, device="cuda"), torch.tensor(0.99, device="cuda")]
    for group in training.optimizer.param_groups:
        group["betas"] = tuple(beta.clone() for beta in betas)
        group["weight_decay"] = torch.tensor(0.1, device="cuda")
    alone = [
        LinearScheduler(training.optimizer, "weight_decay", 100, end_value=1.0, start_value=0.5, param_group_index=at)
        for at in (0, 1)
    ]
    schedulers = [
        make_scheduler(training.optimizer),
        CosineAnnealingScheduler(training.optimizer, "betas[0]", 0.95, 0.85, 30, save_history=True),
        ParamGroupScheduler(alone, save_history=True),
    ]
    trainer = Engine(lambda engine, batch: None)
    for scheduler in schedulers:
        scheduler.save_history = True
        scheduler.attach(trainer, Events.ITERATION_STARTED)
    with never_waiting():
        trainer.run(range(10_000), max_epochs=1)
    assert [scheduler.event_index for scheduler in schedulers] == [10_000] * 3
    assert len(trainer.state.param_history["betas[0]"]) == 10_000
    last = schedulers[0].simulate(1, start=9_999)[0]
    assert [rate.item() for rate in training.rates] == torch.from_numpy(last).float().tolist()


def test_a_plan_that_is_sought_or_resumed_is_written_by_the_graph_that_was_captured():
    training = Training(torch.optim.AdamW, {})
    plan = DevicePlan(cosine(training.optimizer), EVENTS)
    plan.write()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        plan.write()
    table = plan.values.clone()
    plan.seek(17)
    graph.replay()
    assert torch.equal(training.rates[0], table[17, 0])
    state = plan.state_dict()
    assert state["event_index"] == 18
    graph.replay()
    plan.load_state_dict(state)
    graph.replay()
    assert torch.equal(training.rates[0], table[18, 0])
    for _ in range(EVENTS):
        graph.replay()
    assert torch.equal(training.rates[0], table[-1, 0])


@pytest.mark.parametrize("lag", [0, 2])
def test_a_clock_with_a_lag_does_not_wait_for_the_step_that_runs(lag):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, device="cuda"))], lr=0.1)
    mask = torch.ones(4, 25, dtype=torch.int64, device="cuda")
    trainer = Engine(lambda engine, batch: torch.cuda._sleep(1_000_000_000))  # about half a second, on the GPU
    scheduler = LinearScheduler(optimizer, "lr", 1000)
    scheduler.attach(trainer, clock=TokenClock(lambda engine: mask.sum(), lag=lag))
    trainer.run([0])  # what is allocated and compiled at first
    torch.cuda.synchronize()
    scheduler.seek(0)
    begun = time.perf_counter()
    trainer.run([0] * 3)
    queued = time.perf_counter() - begun
    torch.cuda.synchronize()
    whole = time.perf_counter() - begun
    assert (queued < 0.5 * whole) == (lag > 0)
    assert scheduler.event_index == 100 * (3 - lag)
    assert scheduler.state_dict().get("readings", []) == [100] * lag

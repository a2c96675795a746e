"""``convert_config`` gives a config with the same values for another library, or an error that names the part."""

import json
import math
import random
from collections import Counter

import numpy as np
import pytest
import torch
from cases import for_each

from lehr.handlers import configure_scheduler
from lehr.handlers.config import convert_config
from lehr.handlers.config.conversion.split_into_phases import phases_of
from lehr.handlers.core.for_plans_and_cli import members_of
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    CosineAnnealing,
    Cyclic,
    ExponentialDecay,
    InverseTimeDecay,
    Linear,
    LinearCyclical,
    LinearInterpolation,
    MultiStepDecay,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    Power,
    PowerDecay,
    Product,
    Restarts,
    Reversed,
    Shift,
    StepDecay,
    Stretch,
    WarmupStableDecay,
    Window,
)

TARGETS = ("lehr", "torch", "mmengine", "transformers", "hf")


def optimizer(*rates, momentum=0.9):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (0.1,)]
    return torch.optim.SGD(groups, lr=groups[0]["lr"], momentum=momentum)


def values(config, events, *rates, **options):
    """Return the values of all groups for each param name."""
    scheduler = configure_scheduler(optimizer(*rates), config, **options)
    return {member.param_name: member.simulate(events) for member in members_of(scheduler)}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, expected in one.items():
        np.testing.assert_allclose(other[name], expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


COSINE = {"lr_scheduler_type": "cosine", "warmup_steps": 4, "max_steps": 12}


@for_each(
    ("config", "to", "options", "expected"),
    [
        (
            {"type": "torch.StepLR", "step_size": 30},
            "mmengine",
            {"max_epochs": 90},
            [{"type": "mmengine.StepLR", "step_size": 30, "gamma": 0.1, "begin": 0, "end": 90, "by_epoch": True}],
        ),
        (
            COSINE,
            "torch",
            {"total_steps": 12},
            {
                "type": "torch.SequentialLR",
                "schedulers": [
                    {"type": "torch.ConstantLR", "factor": 0.0, "total_iters": 1},
                    {"type": "torch.LinearLR", "start_factor": 0.25, "end_factor": 1.0, "total_iters": 3},
                    {"type": "torch.CosineAnnealingLR", "T_max": 8, "eta_min": 0.0},
                ],
                "milestones": [1, 4],
            },
        ),
        (
            COSINE,
            "lehr",
            {},
            {
                "type": "ConcatScheduler",
                "schedulers": [
                    {"type": "LinearScheduler", "duration": 4, "start_value": 0.0, "end_value": 1.0, "relative": True},
                    {"type": "CosineDecayScheduler", "duration": 8, "beyond": "mirror"},
                ],
                "durations": [4],
            },
        ),
        (
            [
                {"type": "mmengine.LinearLR", "start_factor": 0.5, "end": 3},
                {"type": "mmengine.MultiStepLR", "milestones": [4, 6], "gamma": 0.5},
            ],
            "torch",
            {"max_epochs": 8},
            {
                "type": "torch.SequentialLR",
                "schedulers": [
                    {"type": "torch.LinearLR", "start_factor": 0.5, "end_factor": 1.0, "total_iters": 2},
                    {"type": "torch.MultiStepLR", "milestones": [1, 3], "gamma": 0.5},
                ],
                "milestones": [3],
            },
        ),
        (
            {"type": "torch.SequentialLR", "milestones": [2], "schedulers": [
                {"type": "torch.LinearLR", "start_factor": 0.5, "total_iters": 2},
                {"type": "torch.PolynomialLR", "total_iters": 4, "power": 2.0}]},
            "mmengine",
            {"epoch_length": 5, "max_epochs": 6},
            {
                "schedulers": [
                    {"type": "mmengine.LinearLR", "start_factor": 0.5, "end_factor": 1.0, "begin": 0, "end": 3,
                     "by_epoch": True},
                    {"type": "mmengine.PolyLR", "eta_min": 0.0, "power": 2.0, "begin": 2, "end": 7, "by_epoch": True},
                ],
                "epoch_length": 5,
            },
        ),
        (
            {"type": "torch.CosineAnnealingLR", "T_max": 50, "eta_min": 0.001},
            "hf",
            {"total_steps": 50},
            {
                "lr_scheduler_type": "cosine_with_min_lr",
                "max_steps": 50,
                "lr_scheduler_kwargs": {"min_lr": 0.001},
            },
        ),
        (
            {"type": "torch.ExponentialLR", "gamma": 0.9, "epoch_length": 10},
            "torch",
            {},
            {"type": "torch.ExponentialLR", "gamma": 0.9, "epoch_length": 10},
        ),
        (
            {"lr_scheduler_type": "inverse_sqrt", "warmup_steps": 0, "learning_rate": 0.5},
            "lehr",
            {},
            {"type": "InverseSquareRootScheduler", "timescale": 10000, "initial_value": 0.5},
        ),
        (
            {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 3},
            "transformers",
            {},
            {"type": "transformers.constant_with_warmup", "num_warmup_steps": 3},
        ),
    ],
)  # fmt: skip
def test_what_a_config_becomes(config, to, options, expected):
    made = convert_config(config, to=to, **options)
    assert made == expected
    assert json.loads(json.dumps(made)) == made
    assert_same(values(config, 60 if not options else 12, **options), values(made, 60 if not options else 12))


@for_each(
    ("config", "to", "options", "said"),
    [
        (
            {"type": "torch.StepLR", "step_size": 3},
            "transformers",
            {},
            "transformers cannot express the schedule of 'lr' at event 0 and later, from 1, times 0.1 every 3 steps:",
        ),
        (
            {"type": "deepspeed.WarmupLR", "warmup_num_steps": 50},
            "torch",
            {},
            "torch cannot express the schedule of 'lr' at events 1 to 49, from 0 to 1 on a logarithm in 49 steps:",
        ),
        (
            {**COSINE, "learning_rate": 0.25},
            "torch",
            {"total_steps": 12},
            "starts only from the optimizer's value, 1; it can do so for an optimizer whose 'lr' is 0.25",
        ),
        (COSINE, "mmengine", {"total_steps": 12}, "for every optimizer, since it depends on the optimizer's values"),
        (COSINE, "mmengine", {}, "whether events are epochs or iterations: pass max_epochs, total_steps or epoch_len"),
        (
            {"type": "torch.LinearLR", "total_iters": 5, "param_name": "weight_decay"},
            "torch",
            {"optimizer": optimizer()},
            "the schedule of 'weight_decay': the schedulers of torch schedule only 'lr'",
        ),
        (
            {"type": "torch.OneCycleLR", "max_lr": 0.5, "total_steps": 20},
            "hf",
            {},
            "the schedule of 'momentum': transformers schedules only 'lr'",
        ),
        (
            {"type": "torch.CosineAnnealingLR", "T_max": 5},
            "hf",
            {"total_steps": 1000},
            None,
        ),
        (
            {"type": "torch.PolynomialLR", "total_iters": 5},
            "hf",
            {"total_steps": 1000},
            "the schedule of 'lr', which has 5 steps, but the run has 1000",
        ),
        (
            {"type": "torch.CosineAnnealingWarmRestarts", "T_0": 5},
            "mmengine",
            {"epoch_length": 3},
            "mmengine needs a list of all cycles: pass the length of the run",
        ),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_said_is_named(config, to, options, said):
    if said is None:
        made = convert_config(config, to=to, **options)
        assert_same(values(config, 1000), values(made, 1000))
        return
    with pytest.raises(ValueError, match="cannot express") as caught:
        convert_config(config, to=to, **options)
    assert said in str(caught.value)
    assert len(str(caught.value)) <= 500


def test_wrong_arguments():
    with pytest.raises(TypeError, match="lr_lambda must be plain data to be in a config"):
        convert_config({"type": "torch.LambdaLR", "lr_lambda": lambda step: 0.5}, to="mmengine", total_steps=3)
    with pytest.raises(ValueError, match="to must be one of 'hf', 'lehr', 'mmengine', 'torch', 'transformers'"):
        convert_config(COSINE, to="pytorch")
    with pytest.raises(ValueError, match="is not known"):
        convert_config({"type": "torch.StepLR", "size": 3}, to="lehr")


def test_the_optimizer_stays_as_it_is():
    given = optimizer(0.1, 0.01)
    before = dict(given.state_dict()["param_groups"][0])
    made = convert_config(COSINE, to="torch", optimizer=given, total_steps=12)
    assert given.state_dict()["param_groups"][0] == before
    assert_same(values(COSINE, 12, 0.1, 0.01), values(made, 12, 0.1, 0.01))


def test_groups_that_differ():
    triangles = {"base_lr": [0.1, 0.2], "max_lr": [0.4, 0.8], "cycle_momentum": False}
    made = convert_config({"type": "torch.CyclicLR", **triangles},
                          to="torch", optimizer=optimizer(1.0, 1.0))  # fmt: skip
    assert (made["base_lr"], made["max_lr"]) == ([0.1, 0.2], [0.4, 0.8])
    config = {"lr_scheduler_type": "cosine", "warmup_steps": 2, "max_steps": 9, "learning_rate": 0.1}
    with pytest.raises(ValueError, match="torch cannot express the schedule of 'lr'"):
        convert_config(config, to="torch", optimizer=optimizer(0.1, 0.2), total_steps=9)


def test_what_only_its_own_library_can_say():
    triangles = [{"type": "torch.CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": size} for size in (1, 8)]
    config = {"type": "torch.SequentialLR", "milestones": [2], "schedulers": triangles}
    assert convert_config(config, to="torch")["schedulers"] == triangles
    for to in ("lehr", "mmengine", "transformers", "hf"):
        with pytest.raises(ValueError, match=f"{to} cannot express the schedule of"):
            convert_config(config, to=to, total_steps=20)


@pytest.mark.parametrize("to", ["torch", "transformers", "lehr"])
def test_a_scheduler_that_reads_a_metric_is_the_same_one(to):
    config = {"type": "torch.ReduceLROnPlateau", "patience": 2, "factor": 0.5, "metric_name": "accuracy", "mode": "max"}
    made = convert_config(config, to=to, optimizer=optimizer())
    schedulers = [configure_scheduler(optimizer(), one) for one in (config, made)]
    for metric in (1.0, 0.5, 0.4, 0.3, 0.2, 2.0, 1.0, 1.0, 1.0, 1.0):
        for one in schedulers:
            one.observe(metric)
        assert schedulers[0].schedule.value(0) == schedulers[1].schedule.value(0)
    with pytest.raises(ValueError, match="which reads a metric|schedule of a metric"):
        convert_config(config, to="hf")


def test_the_momentum_of_a_cycle():
    config = {"type": "torch.OneCycleLR", "max_lr": 0.5, "total_steps": 20, "base_momentum": 0.7}
    made = convert_config(config, to="torch")
    assert (made["cycle_momentum"], made["base_momentum"], made["max_momentum"]) == (True, 0.7, 0.95)
    again = convert_config(convert_config(config, to="lehr"), to="torch")
    assert again == made
    assert_same(values(config, 20), values(again, 20))


class Draw:
    """Draws configs of many kinds."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.n, self.ratio, self.pick = self.random.randint, self.random.uniform, self.random.choice

    def of_torch(self):
        n, pick = self.n, self.pick
        return pick(
            [
                {"type": "StepLR", "step_size": n(1, 9), "gamma": pick([0.1, 0.5, 1.0])},
                {"type": "MultiStepLR", "milestones": sorted(self.random.choices(range(1, 25), k=n(1, 3)))},
                {"type": "ExponentialLR", "gamma": pick([0.9, 0.5])},
                {"type": "LinearLR", "start_factor": pick([0.1, 1.0]), "end_factor": pick([0.0, 0.5, 1.0])},
                {"type": "CosineAnnealingLR", "T_max": n(1, 20), "eta_min": pick([0.0, 0.01])},
                {"type": "PolynomialLR", "total_iters": n(1, 20), "power": pick([1.0, 2.0, 0.5])},
                {"type": "ConstantLR", "factor": pick([0.5, 1.0]), "total_iters": n(1, 9)},
                {"type": "CosineAnnealingWarmRestarts", "T_0": n(1, 9), "T_mult": n(1, 2)},
                {"type": "OneCycleLR", "max_lr": 0.5, "total_steps": n(4, 40), "cycle_momentum": pick([True, False])},
                {"type": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": n(1, 9), "cycle_momentum": False},
            ]
        )

    def config(self):
        return self.pick([self.alone, self.sequence, self.mmengine, self.hf, self.lehr, self.others])()

    def alone(self):
        return prefixed(self.of_torch())

    def sequence(self):
        n, pick = self.n, self.pick
        first = {"type": "torch.LinearLR", "start_factor": pick([0.1, 0.5]), "total_iters": n(1, 6)}
        if pick([True, False, False]):
            return [first, {"type": "torch.StepLR", "step_size": n(1, 9), "gamma": 0.5}]
        drawn = [self.of_torch() for _ in range(n(1, 2))]
        rest = [one if "LR" in one["type"] and "Cycle" not in one["type"] else EXPONENTIAL for one in drawn]
        milestones = sorted(self.random.sample(range(2, 20), k=len(rest)))
        return {"type": "torch.SequentialLR", "schedulers": [first, *map(prefixed, rest)], "milestones": milestones}

    def mmengine(self):
        n, pick, end = self.n, self.pick, self.n(2, 8)
        window = {"begin": end, "end": end + n(2, 20)}
        cycles = {"periods": [n(2, 9), n(2, 9)], "restart_weights": [1.0, 0.5], "eta_min": 0.0, "begin": end}
        after = pick(
            [
                {"type": "mmengine.CosineAnnealingLR", "eta_min": pick([0.0, 0.01]), **window},
                {"type": "mmengine.MultiStepLR", "milestones": [n(3, 9), n(10, 20)]},
                {"type": "mmengine.PolyLR", "eta_min": 0.001, "power": pick([1.0, 0.9]), **window},
                {"type": "mmengine.ConstantLR", "factor": 0.5, **window},
                {"type": "mmengine.CosineRestartLR", **cycles},
            ]
        )
        warmup = {"type": "mmengine.LinearLR", "start_factor": 0.1, "begin": 0, "end": end}
        by_epoch = {"by_epoch": pick([True, False])}
        return [{**one, **by_epoch} for one in pick([[warmup, after], [warmup, after], [after]])]

    def hf(self):
        n, pick = self.n, self.pick
        kwargs = pick(
            [
                *({"lr_scheduler_type": one} for one in ("linear", "cosine", "constant")),
                *({"lr_scheduler_type": one} for one in ("constant_with_warmup", "inverse_sqrt")),
                of_hf("polynomial", power=pick([1.0, 2.0]), lr_end=pick([0.0, 0.001])),
                of_hf("cosine_with_restarts", num_cycles=n(1, 3)),
                of_hf("cosine_with_min_lr", **{pick(["min_lr_rate", "min_lr"]): 0.01}),
                of_hf("warmup_stable_decay", num_decay_steps=n(1, 20), decay_type=pick(["linear", "1-sqrt", "cosine"])),
            ]
        )
        rate = pick([{}, {"learning_rate": 0.05}, {"learning_rate": 0.1}])
        return {**kwargs, **rate, "warmup_steps": n(0, 8), "max_steps": 40}

    def lehr(self):
        n, pick = self.n, self.pick
        phases = {"num_warmup_events": n(0, 5), "num_stable_events": n(0, 9), "num_decay_events": n(1, 9)}
        return pick(
            [
                {"type": "CosineDecayScheduler", "duration": n(1, 30), "end_value": pick([0.0, 0.01])},
                {"type": "PolynomialScheduler", "duration": n(1, 30), "power": 2.0, "end_value": 0.01},
                {"type": "StepScheduler", "step_size": n(1, 9), "gamma": 0.5, "begin": n(0, 5)},
                {"type": "WarmupStableDecayScheduler", **phases, "decay_type": pick(["linear", "1-sqrt", "cosine"])},
                {"type": "PiecewiseLinear", "milestones_values": [[0, 0.0], [n(1, 9), 0.1], [n(10, 19), 0.02]]},
                {"type": "LinearCyclicalScheduler", "start_value": 0.1, "end_value": 0.0, "cycle_size": n(2, 9)},
                {"type": "InverseTimeDecayScheduler", "decay_rate": 0.5},
            ]
        )

    def others(self):
        n, pick = self.n, self.pick
        cycle = {"t_initial": n(5, 30), "warmup_t": n(0, 4), "warmup_prefix": pick([True, False])}
        warmup = {"warmup_num_steps": n(2, 9), "warmup_max_lr": 0.1, "warmup_type": pick(["linear", "log"])}
        return pick(
            [
                {"type": "timm.CosineLRScheduler", **cycle},
                {"type": "deepspeed.WarmupDecayLR", "total_num_steps": 40, **warmup},
            ]
        )


EXPONENTIAL = {"type": "ExponentialLR", "gamma": 0.9}


def of_hf(name, **kwargs):
    return {"lr_scheduler_type": name, "lr_scheduler_kwargs": kwargs}


def prefixed(entry):
    return {**entry, "type": f"torch.{entry['type']}"}


def draws(seed, number):
    draw = Draw(seed)
    for _ in range(number):
        config = draw.config()
        counts_epochs = isinstance(config, list) and config[0].get("by_epoch", False)
        run = draw.pick([{"max_epochs": 10, "epoch_length": 4}, {"max_epochs": 40}] if counts_epochs else
                        [{"total_steps": 40}, {"total_steps": 40}, {}])  # fmt: skip
        if isinstance(config, list) and config[0]["type"].startswith("mmengine") and not run:
            run = {"total_steps": 40}
        yield config, draw.pick(TARGETS), draw.pick([(), (0.1,), (0.1, 0.025)]), run


def check_draw(config, to, rates, run):
    """Return whether a config can be converted; check the values of the result and of its conversion back."""
    given = {} if not rates else {"optimizer": optimizer(*rates)}
    events = 40 if run else 100
    try:
        made = convert_config(config, to=to, **given, **run)
    except ValueError as error:
        assert f"{to} cannot express " in str(error), (config, to, error)
        assert any(part in str(error) for part in ("the schedule of", "whether events are")), error
        return False
    for some in [rates] if rates else [(0.1,), (0.03, 0.03)]:
        assert_same(values(config, events, *some, **run), values(json.loads(json.dumps(made)), events, *some))
    complete = {"total_steps": events} if "epoch_length" in run else run
    again = convert_config(made, to="lehr", optimizer=optimizer(*rates), **complete)
    assert_same(values(config, events, *rates, **run), values(again, events, *rates))
    return True


@pytest.mark.parametrize("number", [100, pytest.param(250, marks=pytest.mark.proof)])
def test_drawn_configs_are_equal_or_refused(number):
    counts = Counter()
    for config, to, rates, run in draws(seed=1, number=number):
        counts[to, check_draw(config, to, rates, run)] += 1
    for to in TARGETS:
        assert counts[to, True] >= (5 if number == 250 else 1), counts
    assert counts["lehr", False] <= 0.1 * counts["lehr", True], counts


@pytest.mark.proof
def test_many_drawn_configs_are_equal_or_refused():
    for seed in range(2, 8):
        for config, to, rates, run in draws(seed, number=200):
            check_draw(config, to, rates, run)


CURVES = [Linear(), Cosine(), Polynomial(2.0), Polynomial(1.0), Power(0.5), Reversed(Linear()), Reversed(Power(0.5))]


def simple_schedule(pick, n):
    """Draw a schedule that contains no other schedule; some of its values are for two param groups."""
    value, steps = (lambda: pick([0.0, 1.0, 0.1, 0.5, [0.2, 0.4]])), n(1, 12)
    return pick(
        [
            lambda: Constant(value()),
            lambda: Anneal(value(), value(), pick([steps, steps + 0.5, 0, 2]), pick(CURVES)),
            lambda: Anneal(value(), value(), steps, pick(CURVES), beyond=pick(["mirror", "stretch"])),
            lambda: StepDecay(value(), 0.5, steps),
            lambda: MultiStepDecay(value(), pick([0.5, 1.0, 0.0]), [2, 2, steps + 2]),
            lambda: ExponentialDecay(value(), 0.9, pick([1, 3]), pick([True, False])),
            lambda: PowerDecay(value(), 4.0),
            lambda: InverseTimeDecay(value(), 0.4),
            lambda: Restarts(value(), 0.0, steps, pick([1, 2])),
            lambda: Restarts(value(), 0.0, [steps, 3.0, 4]),
            lambda: Restarts(1.0, 0.1, steps, 1.0, 0.5, num_cycles=2),
            lambda: OneCycle(0.4, steps + 3),
            lambda: Cyclic(0.1, 0.4, steps),
            lambda: PiecewiseConstant([1.0, 0.5, value()], [3, steps + 3]),
            lambda: LinearInterpolation([(2, 0.1), (5, value()), (9, 0.2)]),
            lambda: WarmupStableDecay(
                value(), 3, steps, 5, decay_type=pick(["linear", "cosine", "power", "exponential"])
            ),
            lambda: CosineAnnealing(1.0, 0.1, steps + 1),
            lambda: LinearCyclical(0.0, 1.0, steps + 1, monotonic=pick([True, False])),
        ]
    )()


def composed_schedule(pick, n, depth):
    if depth == 0:
        return simple_schedule(pick, n)
    inner, begin = [composed_schedule(pick, n, depth - 1) for _ in range(3)], n(0, 5)
    return pick(
        [
            lambda: Concatenation(inner, [n(0, 9), n(0, 9)]),
            lambda: Shift(inner[0], n(-4, 6)),
            lambda: Window(inner[0], begin, pick([None, begin + 5]), before=pick([None, 0.7]), interval=pick([1, 2])),
            lambda: Stretch(inner[0], n(1, 4)),
            lambda: Product([*inner[:2], Constant(0.5)]),
        ]
    )()


@pytest.mark.parametrize("number", [100, pytest.param(400, marks=pytest.mark.proof)])
def test_the_phases_of_drawn_schedules_have_their_values(number):
    drawn, events = random.Random(3), np.arange(80)
    for _ in range(number):
        schedule, group = composed_schedule(drawn.choice, drawn.randint, drawn.randint(0, 3)), drawn.randrange(2)
        expected = schedule(events)
        for total in (math.inf, 80):
            phases, next_begin, found = phases_of(schedule, group, total), 0, np.full(80, np.nan)
            for phase in phases:
                assert phase.begin == next_begin
                next_begin = phase.end
                within = events[(events >= phase.begin) & (events < phase.end)]
                found[within] = phase.schedule((within - phase.begin) // phase.every)
            assert next_begin == total
            own = expected[:, group] if expected.ndim == 2 else expected
            np.testing.assert_allclose(found, own, rtol=1e-9, atol=1e-12, err_msg=str(schedule))


@pytest.mark.parametrize("curve", ["linear", "cosine", "1-sqrt", "quadratic", "log", "power", "exponential"])
def test_each_curve_of_a_warmup_and_a_decay(curve):
    config = {"type": "WarmupStableDecayScheduler", "num_warmup_events": 4, "num_stable_events": 2}
    config |= {"num_decay_events": 4, "warmup_type": curve, "decay_type": curve}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    wanted = configure_scheduler(optimizer, config).simulate(12)
    made = convert_config(config, to="lehr", optimizer=optimizer, total_steps=12)
    np.testing.assert_allclose(configure_scheduler(optimizer, made).simulate(12), wanted, rtol=1e-9)
    phases = phases_of(configure_scheduler(optimizer, config).schedule)
    assert [phase.begin for phase in phases] == [0, 4, 6, 10]
    values = [phase.value(step) for phase in phases for step in range(int(min(phase.end, 12)) - phase.begin)]
    np.testing.assert_allclose(values, wanted[:, 0], rtol=1e-9, atol=1e-15)

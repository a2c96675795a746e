"""Branches of a run: cool-downs that begin at a checkpoint of a trunk."""

import json
import warnings

import numpy as np
import pytest
import torch
from cases import few_by_default, for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events
from ignite.handlers import Checkpoint
from optimizers import make_optimizer, make_trainer, values_of
from torch.utils.data import DataLoader

from lehr.handlers import (
    BatchSizeScheduler,
    ConstantScheduler,
    CooldownPolicy,
    CosineDecayScheduler,
    DevicePlan,
    LinearScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    RunLength,
    StateParamScheduler,
    TokenClock,
    WarmupStableDecayScheduler,
    check_plan,
)
from lehr.handlers.schedules import Anneal, Constant, Cooldown, FunctionSchedule, Product, WarmupStableDecay
from lehr.handlers.schedules.warmup_stable_decay import TYPES


def constant(groups=1, lr=0.1):
    return ConstantScheduler(make_optimizer(groups, lr=lr), "lr", lr)


def state_at(scheduler, event_index):
    """The state of a scheduler after that many events, as a checkpoint keeps it."""
    scheduler.seek(event_index - 1 if event_index else 0)
    if event_index:
        scheduler(None)
    return json.loads(json.dumps(scheduler.state_dict()))


def branch_of(make, state, policy):
    """A scheduler with a state and a policy, which must not warn."""
    branch = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        branch.load_state_dict(state, resume_policy=policy)
    return branch


def a_tenth(event_index):
    return 0.1 + 0.001 * (event_index % 7)


def own_tenths(event_index):
    return [a_tenth(event_index), 2 * a_tenth(event_index)]


TRUNKS = {
    "constant": constant,
    "three groups": lambda: constant(3),
    "cosine": lambda: CosineDecayScheduler(make_optimizer(lr=0.1), "lr", duration=500, start_value=0.1),
    "groups that differ": lambda: LinearScheduler(
        make_optimizer(2), "lr", 400, start_value=[0.4, 0.2], end_value=[0.1, 0.15]
    ),
    "relative": lambda: ParamScheduler(make_optimizer(2), "lr", schedule=Anneal(0.2, 1.0, 100), relative=True),
    "a function": lambda: ParamScheduler(make_optimizer(2), "lr", schedule=a_tenth),
    "a function of groups": lambda: ParamScheduler(make_optimizer(2), "lr", schedule=own_tenths),
    "a product with a function": lambda: ParamScheduler(
        make_optimizer(2), "lr", schedule=Product([Anneal(1.0, 0.5, 100), FunctionSchedule(a_tenth)])
    ),
    "weight decay of one group": lambda: ParamScheduler(
        make_optimizer(2), "weight_decay", param_group_index=1, schedule=Constant(0.3)
    ),
}


@pytest.mark.parametrize("name", TRUNKS)
@few_by_default(4)
@given(
    begin=st.integers(0, 300),
    duration=st.integers(1, 200),
    curve=st.sampled_from(TYPES),
    end_value=st.sampled_from([0.0, 1e-5, 0.25]),
    stop=st.integers(0, 250),
)
def test_a_branch_is_its_trunk_until_the_checkpoint_and_then_cools_down(name, begin, duration, curve, end_value, stop):
    make, trunk = TRUNKS[name], TRUNKS[name]()
    state = state_at(trunk, begin)
    unchanged = json.dumps(state), trunk.simulate(600).tolist()
    branch = branch_of(make, state, CooldownPolicy(duration, curve, end_value))
    values, own = branch.simulate(begin + duration + 50), trunk.simulate(begin + duration + 50)
    assert (values[: begin + 1] == own[: begin + 1]).all()  # no jump
    assert (values[begin + duration :] == end_value).all()
    # The cool-down is that of the WSD scheduler; its value may differ by the rounding of the product.
    shape = WarmupStableDecay(1.0, 0, begin, duration, decay_type=curve)(np.arange(begin, begin + duration))
    expected = end_value + (own[begin : begin + duration] - end_value) * shape[:, None]
    np.testing.assert_allclose(values[begin : begin + duration], expected, rtol=1e-9, atol=1e-15)
    # The branch is saved and resumed without a policy and without a warning, or with the same policy.
    for policy in (None, CooldownPolicy(duration, curve, end_value)):
        left = branch_of(make, state, CooldownPolicy(duration, curve, end_value))
        for _ in range(stop):
            left(None)
        again = branch_of(make, json.loads(json.dumps(left.state_dict())), policy)
        assert (again.simulate(begin + duration + 50) == values).all()
        assert again.state_dict() == left.state_dict()
        again(None)
        assert (
            values_of(again.optimizer, again.param_name)[-values.shape[1] :]
            == again.simulate(1, begin + stop)[0].tolist()
            or not again._target.writes_all
        )
    assert (json.dumps(state), trunk.simulate(600).tolist()) == unchanged


def test_several_branches_of_one_state_do_not_know_of_each_other():
    state = state_at(constant(), 100)
    short, long = (branch_of(constant, state, CooldownPolicy(duration, "linear")) for duration in (10, 100))
    assert short.simulate(1, 105)[0, 0] == pytest.approx(0.05)
    assert long.simulate(1, 105)[0, 0] == pytest.approx(0.095)


def test_another_cool_down_of_a_branch_is_an_error_and_changes_nothing():
    branch = branch_of(constant, state_at(constant(), 100), CooldownPolicy(10))
    for _ in range(5):
        branch(None)
    state, other = branch.state_dict(), constant()
    for policy in (CooldownPolicy(20), CooldownPolicy(10, "linear"), CooldownPolicy(10, end_value=0.01)):
        before = other.state_dict()
        with pytest.raises(
            ValueError, match="must not begin another cool-down in a branch, whose own cool-down began at event 100 "
        ):
            other.load_state_dict(state, resume_policy=policy)
        assert other.state_dict() == before


def test_a_cool_down_goes_on_under_a_changed_schedule():
    """The rate would jump back up without it."""
    state = state_at(branch_of(constant, state_at(constant(), 100), CooldownPolicy(10, "linear")), 105)
    lower = constant(lr=0.05)
    with pytest.warns(ResumeWarning, match="the cool-down in the state goes on"):
        lower.load_state_dict(state)
    assert lower.simulate(6, start=105)[:, 0] == pytest.approx([0.025, 0.02, 0.015, 0.01, 0.005, 0.0])

    def cosine():
        return CosineDecayScheduler(make_optimizer(), "lr", duration=200, start_value=0.1)

    def longer():
        return CosineDecayScheduler(make_optimizer(), "lr", duration=300, start_value=0.1)

    state = branch_of(cosine, state_at(cosine(), 100), CooldownPolicy(10)).state_dict()
    for policy in ("keep_fraction", "keep_value", "keep_end"):
        with pytest.raises(ValueError, match=f"must be 'keep_step' for a state in a cool-down.*{policy}"):
            longer().load_state_dict(state, resume_policy=policy)


def test_a_changed_schedule_is_told_of_beside_a_cool_down():
    state = state_at(constant(lr=0.2), 100)
    branch = constant(lr=0.1)
    with pytest.warns(ResumeWarning, match=r"(?s)at its event 100, and cools down.*saved: .*0\.2.*now: .*0\.1"):
        branch.load_state_dict(state, resume_policy=CooldownPolicy(10, "linear"))
    assert branch.simulate(2, start=104)[:, 0] == pytest.approx([0.06, 0.05])


def test_a_branch_may_begin_in_a_shifted_or_stretched_run_or_a_handover():
    def cosine(duration):
        return CosineDecayScheduler(make_optimizer(), "lr", duration=duration, start_value=0.1)

    for policy in ("keep_fraction", "keep_value", "keep_end"):
        trunk = cosine(200)
        with pytest.warns(ResumeWarning):
            trunk.load_state_dict(state_at(cosine(100), 40), resume_policy=policy)
        for _ in range(20):
            trunk(None)
        branch = branch_of(lambda: cosine(200), trunk.state_dict(), CooldownPolicy(8))
        assert (branch.simulate(61) == trunk.simulate(61)).all()
        assert branch.simulate(1, start=68)[0, 0] == 0.0
        again = branch_of(lambda: cosine(200), branch.state_dict(), None)
        assert (again.simulate(100) == branch.simulate(100)).all()


def lr_and_weight_decay():
    optimizer = make_optimizer(2)
    return ParamGroupScheduler(
        [
            LinearScheduler(optimizer, "lr", 400, start_value=[0.4, 0.2], end_value=[0.1, 0.15]),
            ParamScheduler(optimizer, "weight_decay", schedule=Anneal(0.0, 0.4, 400)),
        ]
    )


@pytest.mark.parametrize(
    ("ends", "at_end"),
    [
        ({"lr": 0.0}, [0.0, 0.0, 0.11]),
        ({"lr": [0.0, 0.01]}, [0.0, 0.01, 0.11]),
        ({"lr": 0.0, "weight_decay": 0.3}, [0.0, 0.0, 0.3]),
    ],
)
def test_a_scheduler_of_several_parameters_cools_down_those_that_are_named(ends, at_end):
    trunk = lr_and_weight_decay()
    state = state_at(trunk, 100)
    branch = branch_of(lr_and_weight_decay, state, CooldownPolicy(10, end_value=ends))
    assert (branch.simulate(101) == trunk.simulate(101)).all()
    assert branch.simulate(1, start=110)[0] == pytest.approx(at_end)
    for _ in range(4):
        branch(None)
    state = json.loads(json.dumps(branch.state_dict()))
    for policy in (None, CooldownPolicy(10, end_value=ends)):
        again = branch_of(lr_and_weight_decay, state, policy)
        assert (again.simulate(150) == branch.simulate(150)).all()
    for event in range(104, 115):
        again(None)
        written = [values_of(again.optimizer[0], name) for name in ("lr", "weight_decay")]
        assert [*written[0], written[1][0]] == branch.simulate(1, event)[0].tolist()


def test_an_attribute_and_a_batch_size_cool_down():
    def dropout():
        return StateParamScheduler("dropout", create_new=True, schedule=Constant(0.5))

    trunk, trainer = dropout(), make_trainer()
    for _ in range(10):
        trunk(trainer)
    branch = branch_of(dropout, trunk.state_dict(), CooldownPolicy(5, "linear"))
    assert branch.simulate(7, start=9)[:, 0] == pytest.approx([0.5, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])

    def by_function():
        return BatchSizeScheduler(DataLoader(torch.zeros(64), batch_size=2), lambda epoch: 32)

    def sizes():
        return BatchSizeScheduler(DataLoader(torch.zeros(64), batch_size=2), Constant(32.0))

    for make in (sizes, by_function):
        branch = branch_of(make, state_at(make(), 10), CooldownPolicy(4, "linear", end_value=5))
        assert branch.simulate(6, start=9)[:, 0].tolist() == [32, 32, 25, 19, 12, 5]
        again = branch_of(make, state_at(branch, 12), None)
        again(None)
        assert again.dataloader.batch_sampler.batch_size == 19
    refused = sizes()
    with pytest.raises(ValueError, match="end_value of 'batch_size' must be at least 1, given 0.0"):
        refused.load_state_dict(state_at(sizes(), 10), resume_policy=CooldownPolicy(4))
    assert refused.event_index == 0


def test_a_device_plan_cools_down():
    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=torch.tensor(0.1))
        return DevicePlan(ParamScheduler(optimizer, "lr", schedule=Constant(0.1)), num_events=40)

    plan = make()
    for _ in range(20):
        plan.write()
    branch = branch_of(make, plan.state_dict(), CooldownPolicy(10, "linear"))
    assert branch.values[[19, 20, 25, 30, 39], 0].tolist() == pytest.approx([0.1, 0.1, 0.05, 0.0, 0.0])


def test_groups_that_joined_the_trunk_cool_down_with_it():
    def trunk_of(added):
        optimizer = make_optimizer(1)
        scheduler = ParamScheduler(optimizer, "lr", schedule=Constant(1.0), relative=True)
        if added:
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.7})
        return scheduler

    trunk = trunk_of(False)
    trunk(None)
    trunk.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.7})
    trunk(None)
    branch = branch_of(lambda: trunk_of(True), trunk.state_dict(), CooldownPolicy(4, "linear"))
    first = trunk.simulate(1)[0, 0]
    expected = [[first * share, 0.7 * share] for share in (1.0, 0.75, 0.5, 0.25, 0.0)]
    np.testing.assert_allclose(branch.simulate(5, start=2), expected)


class Halved(ParamScheduler):
    """A user's own."""

    def get_param(self):
        return 0.5**self.event_index


def plateau():
    return ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss")


REFUSED = {
    "a plateau": (plateau, CooldownPolicy(5), "must not be a CooldownPolicy for a schedule with a state of its own"),
    "phases": (
        lambda: PhaseScheduler(make_optimizer(), "lr", [Constant(0.1), Anneal(1.0, 0.0, 5)]),
        CooldownPolicy(5),
        "must not be a CooldownPolicy for a schedule with a state of its own or a get_param.*a PhaseScheduler",
    ),
    "an overridden method": (
        lambda: Halved(make_optimizer(), "lr"),
        CooldownPolicy(5),
        "must not be a CooldownPolicy for a schedule with a state of its own or a get_param.*Halved.get_param",
    ),
    "several parameters": (
        lr_and_weight_decay,
        CooldownPolicy(5),
        r"end_value must be a mapping such as \{'lr': 0.0\}",
    ),
    "a misspelt name": (
        lr_and_weight_decay,
        CooldownPolicy(5, end_value={"rl": 0}),
        "names among 'lr', 'weight_decay'",
    ),
    "three values for one group": (
        constant,
        CooldownPolicy(5, end_value=[0.0, 0.0, 0.0]),
        "end_value must be one number or have 1 values",
    ),
    "three values for two groups": (
        lr_and_weight_decay,
        CooldownPolicy(5, end_value={"weight_decay": 0.0, "lr": [0.0, 0.0, 0.0]}),
        "end_value must be one number or have 2 values",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_cool_down_that_cannot_be_is_an_error_and_changes_nothing(name):
    make, policy, match = REFUSED[name]
    scheduler, state = make(), make().state_dict()
    before = json.dumps(scheduler.state_dict()), repr(scheduler.schedule)
    with pytest.raises(ValueError, match=match) as raised:
        scheduler.load_state_dict(state, resume_policy=policy)
    assert len(str(raised.value)) <= 500
    assert (json.dumps(scheduler.state_dict()), repr(scheduler.schedule)) == before


@for_each(
    ("arguments", "error", "match"),
    [
        ((0,), ValueError, "duration must be more than 0, given 0"),
        ((0.5,), ValueError, "duration must be at least 1 event, given 0.5"),
        ((float("nan"),), ValueError, "duration must be finite"),
        (([3],), TypeError, "duration must be a number"),
        (("10%",), ValueError, "duration must convert to steps, given '10%': give the run total_steps"),
        (("0 steps",), ValueError, "duration must be more than 0, given 0"),
        (("10 furlongs",), ValueError, "duration must have a known unit"),
        ((10, "sqrt"), ValueError, "curve must be one of 'linear', 'cosine', '1-sqrt'"),
        ((10, "linear", "0"), TypeError, "end_value must be a number, given '0'"),
        ((10, "linear", {}), ValueError, "end_value must have the names of one or more parameters"),
        ((10, "linear", {"lr": None}), TypeError, r"end_value\['lr'\] must be a number, given None"),
    ],
)
def test_wrong_arguments_are_told_of_at_once(arguments, error, match):
    with pytest.raises(error, match=match):
        CooldownPolicy(*arguments)


@pytest.mark.parametrize(
    ("duration", "run", "events"),
    [
        ("10%", RunLength(max_epochs=4, epoch_length=25), 10),
        ("2 epochs", RunLength(epoch_length=25), 50),
        ("2B tokens", RunLength(tokens_per_step=1_000_000), 2000),
        ("1.5k samples", RunLength(samples_per_step=32), 47),
        ("30 steps", None, 30),
        (30, RunLength(max_epochs=4), 30),
    ],
)
def test_a_duration_in_any_unit(duration, run, events):
    policy = CooldownPolicy(duration, run=run)
    assert policy == CooldownPolicy(events)
    branch = branch_of(constant, state_at(constant(), 20), policy)
    assert branch.state_dict()["cooldown"][:2] == [20, events]
    with pytest.raises(TypeError, match="run must be a RunLength or None"):
        CooldownPolicy(duration, run=100)


def test_ignites_checkpoint_begins_a_branch():
    trunk, branch = constant(), constant()
    state = {"scheduler": state_at(trunk, 60)}
    branch.resume_policy = CooldownPolicy(10)
    assert branch.resume_policy == CooldownPolicy(10)
    Checkpoint.load_objects({"scheduler": branch}, state)
    assert isinstance(branch.schedule, Cooldown)
    with pytest.raises(TypeError, match="resume_policy must be"):
        branch.resume_policy = 1000


def test_a_branch_goes_on_in_the_engine_of_its_trunk_without_a_warning():
    trunk_trainer, trunk = make_trainer(), constant()
    trunk.attach(trunk_trainer)
    trunk_trainer.run([0] * 10, max_epochs=2)
    trainer, branch = make_trainer(), constant()
    branch.attach(trainer)
    rates = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: rates.extend(values_of(branch.optimizer)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer.load_state_dict(trunk_trainer.state_dict())
        branch.load_state_dict(trunk.state_dict(), resume_policy=CooldownPolicy(10, "linear"))
        trainer.run([0] * 10, max_epochs=3)
    assert rates == pytest.approx(np.linspace(0.1, 0.01, 10).tolist())


def test_a_run_that_goes_on_after_the_end_of_the_cool_down_is_told_of():
    trainer, branch = make_trainer(), branch_of(constant, state_at(constant(), 20), CooldownPolicy(10))
    branch = branch_of(constant, state_at(branch, 31), None)
    branch.attach(trainer)
    trainer.load_state_dict({"iteration": 31, "epoch_length": 10, "max_epochs": 6})
    with pytest.warns(ResumeWarning, match="all events of the engine's run are past the end of the schedule"):
        trainer.run([0] * 10)


@pytest.mark.parametrize(("epochs", "code"), [(3, "end-not-reached"), (4, None), (6, "repeats")])
def test_a_plan_knows_when_the_cool_down_ends(epochs, code):
    trainer = make_trainer()
    branch = branch_of(constant, state_at(constant(), 20), CooldownPolicy(20, "linear"))
    branch.attach(trainer)
    trainer.load_state_dict({"iteration": 20, "epoch_length": 10, "max_epochs": epochs})
    found = [one for one in check_plan(trainer, max_epochs=epochs, epoch_length=10) if one.severity != "info"]
    assert [finding.code for finding in found] == ([code] if code else [])
    assert all(f"make the cool-down {10 * epochs - 20} events long" in finding.suggestion for finding in found)


def test_what_shows_a_branch_tells_of_its_cool_down():
    branch = branch_of(constant, state_at(constant(), 20), CooldownPolicy(10))
    assert repr(branch).endswith(", cools down to 0.0 over 10 events from event 20 on (1-sqrt)>")
    assert "Cooldown(schedule=" in repr(branch.schedule)
    assert branch.schedule.length == 30
    assert branch.config() == constant().config()  # the config is that of the trunk, which loads the state


def test_only_the_state_of_a_branch_has_a_cool_down():
    """So that older versions load all other states."""
    trunk = constant()
    assert "cooldown" not in state_at(trunk, 20)
    assert branch_of(constant, state_at(trunk, 20), CooldownPolicy(10)).state_dict()["cooldown"] == [
        20,
        10.0,
        0.0,
        "1-sqrt",
    ]


@for_each(
    "cooldown",
    [[20, 10.0, 0.0], "none", [20, 10.0, 0.0, "sqrt"], [-1, 10.0, 0.0, "linear"], [1, 0, 0.0, "linear"],
     [1, 5, "0", "linear"], [1, 5, [[[0.0]]], "linear"], [1, 5, [0.0, 0.0], "linear"], 7],
)  # fmt: skip
def test_a_state_with_another_entry_is_refused(cooldown):
    scheduler = constant(3)
    before = scheduler.state_dict()
    with pytest.raises((TypeError, ValueError)):
        scheduler.load_state_dict({**state_at(constant(3), 20), "cooldown": cooldown})
    assert scheduler.state_dict() == before


def test_a_function_among_several_parameters_cools_down():
    def make():
        optimizer = make_optimizer(2)
        rate = ParamScheduler(optimizer, "lr", schedule=own_tenths)
        return ParamGroupScheduler([rate, ParamScheduler(optimizer, "weight_decay", schedule=a_tenth)])

    trunk = make()
    branch = branch_of(make, state_at(trunk, 20), CooldownPolicy(10, "linear", {"lr": 0.0}))
    for event in range(20, 33):
        branch(None)
        share = max(1 - (event - 20) / 10, 0)
        assert values_of(branch.optimizer[0]) == pytest.approx([value * share for value in own_tenths(event)])
        assert values_of(branch.optimizer[0], "weight_decay") == [a_tenth(event)] * 2
        branch = branch_of(make, json.loads(json.dumps(branch.state_dict())), None)


def test_one_cycle_with_its_momentum_cools_down_the_rate_alone():
    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        rate = OneCycleScheduler(optimizer, "lr", 0.1, total_steps=100)
        return ParamGroupScheduler([rate, ParamScheduler(optimizer, "momentum", schedule=Anneal(0.95, 0.85, 100))])

    trunk = make()
    branch = branch_of(make, state_at(trunk, 50), CooldownPolicy(10, end_value={"lr": 0.0}))
    assert branch.simulate(100)[60:, 0].tolist() == [0.0] * 40
    assert (branch.simulate(100)[:, 1] == trunk.simulate(100)[:, 1]).all()


def test_a_trunk_of_warm_up_and_stable_phase_gives_the_wsd_schedule():
    def make(stable=10**6, decay=1):
        return WarmupStableDecayScheduler(make_optimizer(), "lr", 10, stable, decay, peak_value=0.1)

    branch = branch_of(make, state_at(make(), 60), CooldownPolicy(20))
    np.testing.assert_allclose(branch.simulate(100), make(50, 20).simulate(100), rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("groups", [1, 3])
def test_a_cool_down_over_tokens(groups):
    """Where a clock counts, the duration is in its unit, and so is the event of the checkpoint."""
    tokens = [300, 100, 250, 70, 500, 130, 400, 20]

    def make():
        trainer, scheduler = (
            make_trainer(),
            ParamScheduler(make_optimizer(groups), "lr", schedule=Constant([0.1] * groups)),
        )
        scheduler.attach(trainer, clock=TokenClock(lambda engine: tokens[engine.state.iteration - 1]))
        return trainer, scheduler

    trainer, trunk = make()
    trainer.run([0] * 3, max_epochs=1)
    saved, state = trainer.state_dict(), json.loads(json.dumps(trunk.state_dict()))
    trainer, branch = make()
    trainer.load_state_dict({**saved, "epoch_length": 8, "max_epochs": 1})
    run = RunLength(counts="tokens", total_tokens="10k")
    branch.load_state_dict(state, resume_policy=CooldownPolicy("10%", "linear", run=run))
    rates = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: rates.append(values_of(branch.optimizer)))
    trainer.run([0] * 8)
    counts = np.cumsum([0, *tokens[3:7]])
    np.testing.assert_allclose(rates, np.outer(0.1 * (1 - np.minimum(counts / 1000, 1)), [1] * groups), rtol=1e-12)
    assert len(rates) == 5


def test_recorded_states_of_branches_load():
    """States as version 0.9 wrote them; their form must not change."""
    own = constant().state_dict()
    recorded = {
        "version": 1, "scheduler": "ConstantScheduler", "param_name": "lr", "schedule": own["schedule"], "length": None,
        "event_index": 22, "value": 0.08, "shift": 0, "handover": None, "cooldown": [20, 10.0, 0.0, "linear"],
        "param_groups": 1, "base_values": None, "joined": [],
    }  # fmt: skip
    branch = branch_of(constant, json.loads(json.dumps(recorded)), None)
    np.testing.assert_allclose(branch.simulate(4, start=21)[:, 0], [0.09, 0.08, 0.07, 0.06])
    assert branch.state_dict() == recorded

    def cosine():
        return CosineDecayScheduler(make_optimizer(lr=0.1), "lr", duration=150, start_value=0.1)

    stretched = {**cosine().state_dict(), "event_index": 70, "value": 0.0312, "stretch": [60, 90.0, 150.0]}
    scheduler = branch_of(cosine, stretched, None)
    assert scheduler.simulate(1, start=105)[0, 0] == cosine().simulate(1, start=120)[0, 0]
    assert scheduler.state_dict() == stretched

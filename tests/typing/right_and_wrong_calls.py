"""Calls that type checkers accept, and calls that they refuse: an ignore comment that is not needed is an error."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from lehr.handlers import (
    BatchRamp,
    BatchSizeScheduler,
    ChainedScheduler,
    ConcatScheduler,
    ConstantScheduler,
    CooldownPolicy,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    CosineRestartScheduler,
    CyclicScheduler,
    ExponentialScheduler,
    ExpStateScheduler,
    InverseSquareRootScheduler,
    InverseTimeDecayScheduler,
    LambdaScheduler,
    LambdaStateScheduler,
    LinearCyclicalScheduler,
    LinearScheduler,
    LRScheduler,
    MetricScheduler,
    MultiplicativeScheduler,
    MultiStepScheduler,
    MultiStepStateScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseConstantScheduler,
    PiecewiseLinear,
    PiecewiseLinearStateScheduler,
    PolynomialScheduler,
    ReduceLROnPlateauScheduler,
    ReduceOnPlateauScheduler,
    RunLength,
    StateParamScheduler,
    StepScheduler,
    StepStateScheduler,
    WarmupStableDecayScheduler,
    configure_scheduler,
)
from lehr.handlers.schedules import Anneal, Concatenation, Constant, LinearInterpolation, WarmupStableDecay

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
lr, half = ExponentialScheduler(optimizer, "lr", gamma=0.9), StepScheduler(optimizer, "lr", 2, gamma=0.5)
loader = DataLoader(TensorDataset(torch.zeros(8)), batch_size=2)
torchs = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)

# Right: with and without an optimizer, and the number of events by position and by name.
CosineAnnealingScheduler.simulate_values(num_events=9, param_name="lr", start_value=1, end_value=0, cycle_size=4)
CosineAnnealingScheduler.plot_values(num_events=9, param_name="lr", start_value=1, end_value=0, cycle_size=4)
LinearCyclicalScheduler.simulate_values(
    9, optimizer=optimizer, param_name="lr", start_value=1, end_value=0, cycle_size=4, relative=True
)
ConstantScheduler.simulate_values(9, param_name="lr", value=0.1, begin=2)
CosineDecayScheduler.simulate_values(9, param_name="lr", duration=4, start_value=1.0)
CosineRestartScheduler.simulate_values(9, param_name="lr", T_0=2, start_value=1.0)
CyclicScheduler.simulate_values(9, param_name="lr", base_value=0, max_value=1, step_size_up=2)
ExponentialScheduler.simulate_values(9, param_name="lr", gamma=0.5, initial_value=1.0)
InverseSquareRootScheduler.simulate_values(9, param_name="lr", timescale=1, initial_value=1.0)
InverseTimeDecayScheduler.simulate_values(9, param_name="lr", decay_rate=1.0, initial_value=1.0)
LambdaScheduler.simulate_values(9, param_name="lr", factor_fn=lambda event: 0.5**event, initial_value=1.0)
LinearScheduler.simulate_values(9, param_name="lr", duration=2, start_value=1.0, end_value=0.5)
MetricScheduler.simulate_values(9, param_name="lr", metric_name="loss", schedule=Constant(0.1))
MultiplicativeScheduler.simulate_values(9, param_name="lr", factor_fn=lambda event: 0.5, initial_value=1.0)
MultiStepScheduler.simulate_values(9, param_name="lr", milestones=[1, 3], gamma=0.5, initial_value=1.0)
OneCycleScheduler.simulate_values(9, param_name="lr", max_value=1.0, total_steps=9)
ParamScheduler.simulate_values(9, param_name="lr", schedule=Constant(0.1))
PhaseScheduler.simulate_values(9, param_name="lr", phases=[Constant(0.5), Constant(0.1)], starts=[1])
PiecewiseConstantScheduler.simulate_values(9, param_name="lr", constants=[1.0, 0.1], milestones=[2])
PiecewiseLinear.simulate_values(9, param_name="lr", milestones_values=[(1, 1.0), (3, 0.5)])
PolynomialScheduler.simulate_values(9, param_name="lr", duration=2, power=2.0, start_value=1.0)
StepScheduler.simulate_values(9, param_name="lr", step_size=2, gamma=0.5, initial_value=1.0)
WarmupStableDecayScheduler.simulate_values(
    9, param_name="lr", num_warmup_events=2, num_stable_events=3, num_decay_events=4
)
ExpStateScheduler.simulate_values(9, param_name="p", initial_value=8.0, gamma=0.5)
LambdaStateScheduler.simulate_values(9, param_name="p", lambda_obj=lambda event: 0.5**event)
MultiStepStateScheduler.simulate_values(9, param_name="p", initial_value=8.0, gamma=0.5, milestones=[1, 3])
PiecewiseLinearStateScheduler.simulate_values(9, param_name="p", milestones_values=[(2, 1.0), (4, 0.5)])
StateParamScheduler.plot_values(9, param_name="p", schedule=Constant(0.1))
StepStateScheduler.plot_values(9, param_name="p", initial_value=8.0, gamma=0.5, step_size=2)
BatchSizeScheduler.simulate_values(9, scheduler_fn=lambda event: 2**event)
BatchSizeScheduler.plot_values(9, scheduler_fn=Constant(4.0), dataloader=loader)
BatchRamp.simulate_values(9, "0: 8, 2: 16", lr=Constant(0.1), lr_rule=None)
BatchRamp(optimizer, loader, [(0, 8), ("10%", 16)], lr=lr, scale_betas=True, run=RunLength(total_steps=100))
lr.load_state_dict(
    lr.state_dict(), resume_policy=CooldownPolicy("10%", end_value={"lr": 0.0}, run=RunLength(total_steps=9))
)
ChainedScheduler.simulate_values(9, schedulers=[lr, half])
ConcatScheduler.simulate_values(9, [lr, half], [3], param_names=["lr"])
ConcatScheduler.plot_values(9, schedulers=[lr, half], durations=[3])
LRScheduler.simulate_values(9, torchs)
LRScheduler.plot_values(9, lr_scheduler=torchs)
ParamGroupScheduler.simulate_values(9, [lr])
ParamGroupScheduler.plot_values(9, schedulers=[lr])
ReduceLROnPlateauScheduler.simulate_values(9, metric_values=[1.0] * 9, init_lr=0.1, patience=2)
ReduceLROnPlateauScheduler.plot_values(9, metric_values=[1.0] * 9, init_lr=0.1, patience=2)
ReduceOnPlateauScheduler.simulate_values(9, [1.0] * 9, param_name="lr", initial_value=0.1, factor=0.5)
ReduceOnPlateauScheduler.plot_values(9, metric_values=[1.0] * 9, param_name="lr", initial_value=0.1, factor=0.5)

# Right: durations with units, which are read as events.
run = RunLength(max_epochs=10, epoch_length=500, counts="steps")
WarmupStableDecayScheduler(optimizer, "lr", "1%", "79%", 1000, peak_value=0.1, begin="3 epochs", run=run)
PiecewiseLinear(optimizer, "lr", [("0%", 0.0), (200, 0.1), ("100%", [0.0])], run=run)
PiecewiseLinear.simulate_values("10%", param_name="lr", milestones_values=[("0%", 0.0), ("2 epochs", 0.1)], run=run)
ConcatScheduler([lr, half], durations=["10%"], run=run)
MultiStepStateScheduler(8.0, 0.5, ["10%", 300], "p", run=run)
configure_scheduler(optimizer, {"type": "StepScheduler", "step_size": "10%"}, run={"total_steps": 100})
parts = [Anneal(1.0, 0.0, "20%"), WarmupStableDecay(0.1, "1%", 79, "20%"), LinearInterpolation([("0%", 1.0), (3, 0.5)])]
Concatenation(parts, ["10%", 20]).in_run(run)
halfway: float = Anneal(1.0, 0.0, "20%").duration / 2
whole: int = WarmupStableDecay(0.1, 1, 2, 3).num_warmup_events


class HalvedEachEvent(ParamScheduler):
    """A scheduler of a user."""

    def __init__(self, optimizer: torch.optim.Optimizer, first: float) -> None:
        super().__init__(optimizer, "lr")
        self.first = first

    def get_param(self) -> float:
        """Halve the first value at each event."""
        return self.first * 0.5**self.event_index


HalvedEachEvent.simulate_values(9, first=1.0)

of_config = configure_scheduler(optimizer, {"type": "ExponentialScheduler", "gamma": 0.9})
print(of_config.optimizer.param_groups, of_config.optimizer_param_groups[0]["lr"])

# Wrong: a misspelt name, a name too many, a missing name, and a value of another type.
CosineAnnealingScheduler.simulate_values(  # type: ignore[call-overload]
    num_events=9, param_name="lr", start_valu=1, end_value=0, cycle_size=4
)
CosineAnnealingScheduler.plot_values(  # type: ignore[call-overload]
    num_events=9, param_name="lr", start_value=1, end_value=0, cycle_siz=4
)
LinearCyclicalScheduler.simulate_values(  # type: ignore[call-overload]
    9, optimizer=optimizer, param_name="lr", start_value=1, end_value=0, cycle_size=4, relativ=True
)
StepScheduler.simulate_values(9, param_name="lr", step_size=2, gama=0.5)  # type: ignore[call-overload]
StepScheduler.simulate_values(9, step_size=2)  # type: ignore[call-overload]
StepScheduler.simulate_values(9, param_name=3, step_size=2)  # type: ignore[call-overload]
StepScheduler.plot_values(9, param_name="lr", step_size=2, begins=3)  # type: ignore[call-overload]
PiecewiseLinear(optimizer, "lr", [(0, 0.0)], run=200)  # type: ignore[arg-type]
RunLength(counts="calls")  # type: ignore[arg-type]
Anneal(1.0, 0.0, ["20%"])  # type: ignore[arg-type]
WarmupStableDecayScheduler(optimizer, "lr", 1.5, "79%", "20%", run=run)  # type: ignore[arg-type]
OneCycleScheduler.simulate_values(9, param_name="lr", max_valu=1.0, total_steps=9)  # type: ignore[call-overload]
StepStateScheduler.simulate_values(9, param_name="p", gamma=0.5, initial_value=1, step_sise=2)  # type: ignore[call-arg]
StepStateScheduler.plot_values(9, initial_value=8.0, gamma=0.5, step_size=2)  # type: ignore[call-arg]
BatchRamp.simulate_values(9, sizs="0: 8")  # type: ignore[call-arg]
BatchRamp(optimizer, loader)  # type: ignore[call-arg]
lr.load_state_dict(lr.state_dict(), resume_policy=1000)  # type: ignore[arg-type]
CooldownPolicy(10, curv="linear")  # type: ignore[call-arg]
BatchSizeScheduler.simulate_values(9, scheduler=lambda event: 2**event)  # type: ignore[call-overload]
ConcatScheduler.simulate_values(9, [lr, half], duration=[3])  # type: ignore[call-arg]
LRScheduler.simulate_values(9, torchs, legacy=True)  # type: ignore[call-arg]
ParamGroupScheduler.simulate_values(9, [lr], name=["lr"])  # type: ignore[call-arg]
ReduceLROnPlateauScheduler(optimizer, "loss", paticence=2)  # type: ignore[call-arg]
ReduceLROnPlateauScheduler.simulate_values(9, [1.0] * 9, init_lr=0.1, paticence=2)  # type: ignore[call-arg]
ReduceOnPlateauScheduler.plot_values(9, metric_values=[1.0] * 9, param_name="lr", init_lr=0.1)  # type: ignore[call-arg]
HalvedEachEvent.simulate_values(9, frist=1.0)  # type: ignore[call-overload]
of_config.simulat(9)  # type: ignore[union-attr]

"""Schedulers of the user's own, written as for ignite."""

from lehr.handlers import CyclicalScheduler, ParamScheduler, StateParamScheduler


class HalvingScheduler(ParamScheduler):
    """It halves the value every ``every`` events."""

    def __init__(self, optimizer, param_name, every, **kwargs):
        super().__init__(optimizer, param_name, **kwargs)
        self.every = every

    def get_param(self):
        return 0.5 ** (self.event_index // self.every)


class PerGroupScheduler(ParamScheduler):
    """It gives a value for each param group."""

    def get_param(self):
        return [(self.event_index + 1) * (number + 1) / 8 for number in range(len(self.optimizer_param_groups))]


class SquareCycle(CyclicalScheduler):
    """It goes from the start to the end value with the square of the progress."""

    def get_param(self):
        progress = self.event_index / self.cycle_size
        return self.start_value + (self.end_value - self.start_value) * progress**2


class CountdownState(StateParamScheduler):
    """It counts down in the engine's state."""

    def get_param(self):
        return 10 - self.event_index

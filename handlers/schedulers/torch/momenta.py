"""The momenta that one of torch's schedulers gives, as a schedule."""

from dataclasses import dataclass

from .momentum import momentum_of
from .steps import TorchSteps


@dataclass(frozen=True, repr=False)
class TorchMomenta(TorchSteps):
    """The momenta, or first betas, that a torch scheduler has in effect beside the learning rates.

    They are read from its optimizer, to which it writes them.

    Example:
        >>> from torch.optim.lr_scheduler import CyclicLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
        >>> schedule = TorchMomenta(CyclicLR(optimizer, 0.1, 0.5, step_size_up=2, base_momentum=0.5))
        >>> [round(schedule.value(i), 4) for i in range(4)]
        [0.9, 0.7, 0.5, 0.7]
    """

    def value(self, index: int) -> float | list[float]:
        """The momenta after ``index`` steps."""
        super().value(index)
        momenta = [float(momentum_of(group)) for group in self.wrapped.optimizer.param_groups]
        return momenta[0] if len(momenta) == 1 else momenta

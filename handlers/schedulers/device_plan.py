"""A whole schedule on the device, for training steps that are captured in a CUDA graph or compiled."""

from collections.abc import Mapping
from typing import Any

import torch

from lehr.handlers.core.inspection import set_called_by_another, target_of
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import arguments
from lehr.handlers.targets.param_groups import ParamGroups


class DevicePlan:
    """All values of a scheduler as one tensor on the device, with a counter there that says which comes next.

    A scheduler that is called before each step fills tensors from the host: without a synchronisation, but with a call
    and a kernel a step. What is captured in a CUDA graph can do without: :meth:`write` is nothing but kernels, so that
    every replay of the graph writes the values of its own event and counts it, and the host does nothing at all. It may
    be compiled, too.

    Event i, counting from 0, is written as the scheduler would write it, bit for bit; events after the last one are
    written as that. The scheduler is not to be called or attached meanwhile.

    Args:
        scheduler: of a parameter that is a tensor in each of its param groups, all on one device, such as that of
            ``torch.optim.AdamW(params, lr=torch.tensor(0.1, device="cuda"), capturable=True)``. Counting goes on from
            its ``event_index``.
        num_events: how many events are computed ahead, at least 1. They take up 8 bytes each for float64, 4 for
            float32, times the param groups where these have values of their own.

    Raises:
        TypeError: ``scheduler`` is no :class:`ParamScheduler`, or ``num_events`` no number.
        ValueError: a param group holds a number and not a tensor; tensors are on several devices; the values cannot be
            computed ahead, since they depend on a metric or a Python function; ``num_events`` is not whole or below 1.

    Example:
        >>> from lehr.handlers import LinearScheduler
        >>> rate = torch.tensor(1.0)
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
        >>> plan = DevicePlan(LinearScheduler(optimizer, "lr", 4, start_value=1.0, end_value=0.0), num_events=5)
        >>> for _ in range(3):
        ...     plan.write()  # on a GPU: captured once, with the rest of the step, and then replayed
        ...     print(rate.item())
        1.0
        0.75
        0.5
        >>> plan.event_index
        3

    On a GPU, with a ``model``, a ``loss`` of the ``batch`` tensor and an optimizer as above::

        plan = DevicePlan(CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.001, 1000), num_events=100_000)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):  # after a few steps on a side stream, as torch says
            optimizer.zero_grad(set_to_none=False)
            loss(model(batch)).backward()
            plan.write()
            optimizer.step()
        for data in loader:
            batch.copy_(data)
            graph.replay()
    """

    def __init__(self, scheduler: ParamScheduler, num_events: int) -> None:
        if not isinstance(scheduler, ParamScheduler):
            raise TypeError(f"scheduler must be a ParamScheduler, given {scheduler!r}")
        num_events = arguments.whole_number("num_events", num_events, at_least=1)
        if not scheduler.schedule.is_pure:
            raise ValueError(
                f"scheduler must be one whose values can be computed ahead, given {scheduler!r}: what depends on a "
                "metric, or is a Python function, is known only when its event comes"
            )
        target = target_of(scheduler)
        assert isinstance(target, ParamGroups)
        self._target = target
        tensors = self._target.tensors(own_values=scheduler.schedule.groups is not None)
        devices = sorted({str(tensor.device) for tensor in tensors})
        if len(devices) > 1:
            raise ValueError(f"{scheduler.param_name!r} must be on one device in all param groups, given {devices}")
        kinds = {tensor.dtype for tensor in tensors}
        # Rounded once, to what the groups hold, as the scheduler's own writing rounds it.
        self._kind = kinds.pop() if len(kinds) == 1 else torch.float64
        self._device = tensors[0].device
        self.scheduler, self.num_events = scheduler, num_events
        self.values = self._computed()
        self._count = torch.tensor([scheduler.event_index], device=self._device)
        set_called_by_another(scheduler)

    def _computed(self) -> torch.Tensor:
        table = torch.from_numpy(self.scheduler.simulate(self.num_events))
        columns = table[:, : self.scheduler.schedule.groups or 1]  # without those of groups that were added
        return columns.to(self._kind).to(self._device)  # in this order, since not all devices have float64

    @torch.no_grad()
    def write(self) -> None:
        """Write the values of the next event, and count it; on a GPU nothing but kernels, which wait for nothing.

        The param groups are looked up now: after ``optimizer.load_state_dict``, which replaces their tensors, what was
        captured must be captured anew, as for the optimizer itself.

        Raises:
            ValueError: by now a param group holds a number, a tensor of another kind or device, or one that is another
                group's as well; or there are more of them than values. Nothing is written then.
        """
        # A tensor as an index may be read by the host, which has to wait for it; index_select never is.
        at = self._count.clamp(max=self.num_events - 1)
        row: list[Any] = list(self.values.index_select(0, at)[0].unbind())
        target = self._target
        tensors = target.tensors(own_values=self.scheduler.schedule.groups is not None)
        for tensor in tensors:
            if tensor.device != self._device or self._kind not in (tensor.dtype, torch.float64):
                raise ValueError(
                    f"{self.scheduler.param_name!r} must be {self._kind} on {self._device} in all param groups, as "
                    f"when the plan was made, given {tensor.dtype} on {tensor.device}"
                )
        if self.scheduler.schedule.groups is None:
            for tensor in {id(tensor): tensor for tensor in tensors}.values():
                tensor.copy_(row[0])
        else:
            own: list[Any] = target.fitted(row, target.groups())
            for tensor, value in zip(tensors, own, strict=True):
                tensor.copy_(value)
        self._count.add_(1)

    @property
    def event_index(self) -> int:
        """How many events have been counted, which is the index of the next one; reading it waits for the device."""
        return int(self._count.item())

    def seek(self, event_index: int) -> None:
        """Go to an event: the next one that is written is this.

        Raises:
            TypeError: ``event_index`` is not a number.
            ValueError: it is negative or not whole.
        """
        self._count.fill_(arguments.whole_number("event_index", event_index, at_least=0))

    def state_dict(self) -> dict[str, Any]:
        """The state of the scheduler, as far as it has come on the device: either may load it."""
        self.scheduler.seek(self.event_index)
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: str | None = None) -> None:
        """Go on where the plan, or the scheduler, that gave the state had stopped; see :class:`BaseParamScheduler`.

        The values are computed again, into the tensor that captured graphs know.

        Raises:
            TypeError, ValueError: as the scheduler says, or its values; nothing is loaded.
        """
        before = self.state_dict()
        self.scheduler.load_state_dict(state_dict, resume_policy)
        try:
            values = self._computed()
            if values.shape != self.values.shape:
                raise ValueError(
                    f"state_dict must leave the plan with {self.values.shape[1]} values at each event, given one that "
                    f"makes it {values.shape[1]}: make the plan after the state is loaded into its scheduler"
                )
        except Exception:
            self.scheduler.load_state_dict(before)
            raise
        self.values.copy_(values)
        self.seek(self.scheduler.event_index)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.values.shape))
        schedule = self.scheduler.schedule
        return f"<DevicePlan of {self.scheduler.param_name!r}, {shape} values on {self._device}: {schedule!r}>"

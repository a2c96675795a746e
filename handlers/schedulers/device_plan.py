"""``DevicePlan``: the values of a schedule in a tensor on the device, for CUDA graphs and ``torch.compile``."""

from collections.abc import Mapping
from typing import Any

import torch

from lehr.handlers.core.duration_unit_checks import refuse_in_plain_loop
from lehr.handlers.core.for_plans_and_cli import set_called_by_another, target_of
from lehr.handlers.core.illegal_values import warn_in_table
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.resuming.policy import ResumePolicy
from lehr.handlers.core.schedule_reading import read_values
from lehr.handlers.schedules import arguments
from lehr.handlers.targets.param_groups import ParamGroups


class DevicePlan:
    """Holds all values of a scheduler in one tensor on the device, and counts events in another tensor.

    A scheduler writes to tensors from the host, with a Python call and a kernel at each step. :meth:`write` runs only
    kernels, so you can capture it in a CUDA graph or compile it. Each replay of the graph writes the values of the next
    event and counts the event, without any work on the host.

    At event i, counting from 0, the plan writes the same value as the scheduler, bit for bit. From event ``num_events``
    on, the plan writes the last value again. Do not call or attach the scheduler while you use the plan.

    Args:
        scheduler: a scheduler whose parameter is a tensor in each param group, all on one device, as in
            ``torch.optim.AdamW(params, lr=torch.tensor(0.1, device="cuda"), capturable=True)``. The plan starts at the
            ``event_index`` of the scheduler.
        num_events: the number of events in the plan, at least 1. Each value takes 8 bytes for float64 or 4 bytes for
            float32. An event has one value, or one per param group if the schedule has different values for the groups.

    Raises:
        TypeError: ``scheduler`` is not a :class:`ParamScheduler`, or ``num_events`` is not a number.
        ValueError: a param group has a number instead of a tensor; the tensors are on several devices; the values
            depend on a metric or a Python function, so they are not known in advance; ``num_events`` is not a whole
            number of at least 1.

    Example:
        >>> from lehr.handlers import LinearScheduler
        >>> rate = torch.tensor(1.0)
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
        >>> plan = DevicePlan(LinearScheduler(optimizer, "lr", 4, start_value=1.0, end_value=0.0), num_events=5)
        >>> for _ in range(3):
        ...     plan.write()  # on a GPU: capture it once with the rest of the step, then replay
        ...     print(rate.item())
        1.0
        0.75
        0.5
        >>> plan.event_index
        3

    On a GPU, with a ``model``, a ``loss`` of the ``batch`` tensor and an optimizer as above::

        plan = DevicePlan(CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.001, 1000), num_events=100_000)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):  # after a few warm-up steps on a side stream; see torch's documentation
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
            raise TypeError(f"scheduler must be a ParamScheduler, given {arguments.shown(scheduler)}")
        num_events = arguments.whole_number("num_events", num_events, at_least=1)
        refuse_in_plain_loop(scheduler, counts_amounts=False)
        if not scheduler.schedule.is_pure:
            raise ValueError(
                "scheduler must have values that are known in advance, "
                f"given {arguments.shown(scheduler)}: values that depend on a "
                "metric or a Python function become known only at their event"
            )
        target = target_of(scheduler)
        assert isinstance(target, ParamGroups)
        self._target = target
        # Compiled code reads this attribute, so that it need not read the schedule.
        self._has_own_values = scheduler.schedule.groups is not None
        tensors = self._target.tensors(own_values=self._has_own_values)
        devices = sorted({str(tensor.device) for tensor in tensors})
        if len(devices) > 1:
            raise ValueError(f"{scheduler.param_name!r} must be on one device in all param groups, given {devices}")
        dtypes = {tensor.dtype for tensor in tensors}
        # Values are rounded once, to the dtype of the tensors in the groups, as when the scheduler writes.
        self._dtype = dtypes.pop() if len(dtypes) == 1 else torch.float64
        self._device = tensors[0].device
        self.scheduler, self.num_events = scheduler, num_events
        self.values = self._compute_values()
        self._count = torch.tensor([scheduler.event_index], device=self._device)
        set_called_by_another(scheduler)

    def _compute_values(self) -> torch.Tensor:
        values = read_values(self.scheduler.schedule, 0, self.num_events, None)
        warn_in_table(self.scheduler, values)
        columns = torch.from_numpy(values)
        return columns.to(self._dtype).to(self._device)  # the dtype first, because some devices lack float64

    @torch.no_grad()
    def write(self) -> None:
        """Write the values of the next event, and count the event. On a GPU, this method only launches kernels.

        A captured graph writes to the tensors that the optimizer had at the capture. ``optimizer.load_state_dict``
        replaces these tensors, so capture the graph again after you call ``optimizer.load_state_dict``.

        Raises:
            ValueError: a param group now has a number, a tensor of another dtype or device, or a tensor that another
                group shares; or there are more groups than values. If this error is raised, nothing is written.
        """
        # Indexing with a tensor may make the host wait for the device. index_select never waits.
        at = self._count.clamp(max=self.num_events - 1)
        row: list[Any] = list(self.values.index_select(0, at)[0].unbind())
        target = self._target
        tensors = target.tensors(own_values=self._has_own_values)
        for tensor in tensors:
            if tensor.device != self._device or self._dtype not in (tensor.dtype, torch.float64):
                raise ValueError(
                    f"{self.scheduler.param_name!r} must be {self._dtype} on {self._device} in all param groups, as "
                    f"when the plan was constructed, given {tensor.dtype} on {tensor.device}"
                )
        if not self._has_own_values:
            for tensor in {id(tensor): tensor for tensor in tensors}.values():
                tensor.copy_(row[0])
        else:
            own: list[Any] = target.fitted(row, target.groups())
            for tensor, value in zip(tensors, own, strict=True):
                tensor.copy_(value)
        self._count.add_(1)

    @property
    def event_index(self) -> int:
        """The index of the next event, equal to the number of events so far. A read waits for the device."""
        return int(self._count.item())

    def seek(self, event_index: int) -> None:
        """Go to an event, so that the next :meth:`write` writes its values.

        Args:
            event_index: the index of the next event, at least 0.

        Raises:
            TypeError: ``event_index`` is not a number.
            ValueError: ``event_index`` is negative or not whole.
        """
        self._count.fill_(arguments.whole_number("event_index", event_index, at_least=0))

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state at the plan's event index, for the plan or the scheduler to load."""
        self.scheduler.seek(self.event_index)
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: ResumePolicy | None = None) -> None:
        """Load the state of a plan or a scheduler; see :meth:`BaseParamScheduler.load_state_dict`.

        The plan computes its values again and writes them to the same tensor, so captured graphs stay valid.

        Args:
            state_dict: the state that :meth:`state_dict` of a plan or a scheduler returned.
            resume_policy: as in :meth:`BaseParamScheduler.load_state_dict`.

        Raises:
            TypeError, ValueError: the scheduler cannot load the state. If this error is raised, nothing is loaded.
        """
        before = self.state_dict()
        self.scheduler.load_state_dict(state_dict, resume_policy)
        try:
            values = self._compute_values()
            if values.shape != self.values.shape:
                raise ValueError(
                    f"state_dict must keep {self.values.shape[1]} values per event, given {values.shape[1]}: "
                    "load the state into the scheduler first, and then construct the plan"
                )
        except Exception:
            self.scheduler.load_state_dict(before)
            raise
        self.values.copy_(values)
        self._has_own_values = self.scheduler.schedule.groups is not None
        self.seek(self.scheduler.event_index)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.values.shape))
        schedule = self.scheduler.schedule
        return f"<DevicePlan of {self.scheduler.param_name!r}, {shape} values on {self._device}: {schedule!r}>"

"""``Clock``, the base class of all clocks, and ``EventClock``, the default clock, which counts events."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import ignite.distributed as idist
import torch
from ignite.engine import Engine

from lehr.handlers.schedules import arguments


class Clock(ABC):
    """Defines what the event index of a scheduler counts. Pass a clock to the scheduler's ``attach``.

    A subclass defines :meth:`reading`, which returns the amount in the batch of this iteration, such as the number of
    images. lehr calls :meth:`reading` once for each iteration, sums the readings of all ranks, and adds the sum to
    ``event_index``. At each event, the event index is the sum over all earlier batches.

    Args:
        lag: the number of iterations that lehr waits before it counts a reading, at least 0. If the readings are
            tensors on a GPU, a lag gives the GPU time to compute them, so that the training does not wait.

    Raises:
        ValueError: ``lag`` is not a whole number of at least 0.

    Example:
        >>> class ImageClock(Clock):
        ...     unit = "images"
        ...
        ...     def reading(self, engine):
        ...         return len(engine.state.batch["images"])
        >>> import torch
        >>> from lehr.handlers import LinearScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: optimizer.step())
        >>> scheduler = LinearScheduler(optimizer, "lr", 100)
        >>> handle = scheduler.attach(trainer, clock=ImageClock())
        >>> _ = trainer.run([{"images": torch.zeros(8, 3)}] * 5)
        >>> scheduler.event_index
        40
    """

    unit: ClassVar[str] = "units"  # the unit of the event index, for messages
    is_summed: ClassVar[bool] = True  # whether the readings of all ranks are added

    def __init__(self, lag: int = 0) -> None:
        self.lag = arguments.whole_number("lag", lag, at_least=0)

    @abstractmethod
    def reading(self, engine: Engine) -> "int | torch.Tensor":
        """Return the amount in ``engine.state.batch`` on this rank.

        The amount is a whole number of at least 0, or a tensor that contains one such number.
        """

    def __repr__(self) -> str:
        lag = f"lag={self.lag}" if getattr(self, "lag", 0) else ""
        return f"{type(self).__name__}({lag})"


class EventClock(Clock):
    """Counts each event as 1. This clock is the default of ``attach``.

    Example:
        >>> import torch
        >>> from lehr.handlers import StepScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: optimizer.step())
        >>> scheduler = StepScheduler(optimizer, "lr", 2, gamma=0.5)
        >>> handle = scheduler.attach(trainer, clock=EventClock())
        >>> _ = trainer.run([0] * 5)
        >>> scheduler.event_index
        5
    """

    unit = "events"

    def __init__(self) -> None:
        super().__init__()

    def reading(self, engine: Engine) -> int:
        """Return 1 for each event."""
        return 1


class OnItsWay:
    """A copy of a GPU tensor on the CPU. The training does not wait until the GPU has computed the tensor.

    Args:
        tensor: the tensor on the GPU.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._copied = tensor.to("cpu", non_blocking=True)  # to pinned memory
        self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._arrived.record(torch.cuda.current_stream(tensor.device))

    def tensor(self) -> torch.Tensor:
        """Return the tensor on the CPU. Wait for this copy, but not for GPU work that was queued after it."""
        self._arrived.synchronize()
        return self._copied

    def __deepcopy__(self, memo: Any) -> torch.Tensor:
        return self.tensor().clone()


Reading = int | torch.Tensor | OnItsWay


def summed_reading(clock: Clock, engine: Engine) -> Reading:
    """Return the amount in this iteration's batches, summed over all ranks.

    If the clock has a lag, this function may return a tensor, which :func:`amount_of` reads later.

    Raises:
        TypeError, ValueError: the reading is not a whole number of at least 0.
        RuntimeError: the reading on another rank is not a whole number of at least 0.
        Exception: the clock raised an error. All ranks then raise an error.
    """
    if clock.is_summed and idist.get_world_size() > 1:
        return _summed_over_ranks(clock, engine)
    reading = clock.reading(engine)
    if type(reading) is int and reading >= 0:
        return reading
    if clock.lag and isinstance(reading, torch.Tensor) and reading.numel() == 1:
        return _sent(reading.detach())
    return checked_amount(clock, reading)


def _sent(reading: torch.Tensor) -> Reading:
    return OnItsWay(reading) if reading.is_cuda else reading.clone()  # the loop may fill the tensor again


def checked_amount(clock: Clock, reading: object) -> int:
    """Return a reading as an int.

    Raises:
        TypeError, ValueError: the reading is not a whole number of at least 0.
    """
    if isinstance(reading, torch.Tensor) and reading.numel() == 1:
        reading = reading.item()  # waits for a GPU
    name = arguments.shown_text(f"the reading of {type(clock).__name__}", 100)
    return arguments.whole_number(name, reading, at_least=0)


def amount_of(clock: Clock, reading: Reading) -> int:
    """Return the amount of a reading that :func:`summed_reading` returned.

    Raises:
        TypeError, ValueError: the reading is not a whole number of at least 0.
        RuntimeError: the reading on another rank is not a whole number of at least 0.
    """
    if isinstance(reading, int):
        return reading
    if isinstance(reading, OnItsWay):
        reading = reading.tensor()
    if reading.ndim == 0 or reading.numel() == 1:
        return checked_amount(clock, reading)
    amount, failed = reading.tolist()
    if failed:
        raise RuntimeError(
            f"the reading of {arguments.shown_text(type(clock).__name__, 100)} must be a whole number of at least 0 on "
            f"all ranks, but it is not on {failed:.0f} of {idist.get_world_size()} ranks"
        )
    return int(amount)


def _summed_over_ranks(clock: Clock, engine: Engine) -> Reading:
    """Sum the readings of all ranks. A rank with a bad reading takes part, because the other ranks wait for it."""
    error: Exception | None = None
    packed = torch.tensor([0, 1], dtype=torch.int64)
    try:
        reading: Any = clock.reading(engine)
        if isinstance(reading, torch.Tensor) and reading.numel() == 1 and clock.lag:
            packed = _packed(reading.detach().reshape(()))
        else:
            packed = torch.tensor([checked_amount(clock, reading), 0], dtype=torch.int64)
    except Exception as raised:
        error = raised
    total: Any = idist.all_reduce(packed)
    if error is not None:
        raise error
    return _sent(total) if clock.lag else amount_of(clock, total)


def _packed(reading: torch.Tensor) -> torch.Tensor:
    """Return a tensor with a reading and a flag for a bad reading, on the same device, without waiting for the GPU."""
    whole = reading.to(torch.int64)
    is_bad = (whole != reading) | (whole < 0)
    return torch.stack([torch.where(is_bad, torch.zeros_like(whole), whole), is_bad.to(torch.int64)])

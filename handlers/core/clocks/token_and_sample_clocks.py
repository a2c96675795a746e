"""Clocks that count the tokens or the samples in each batch."""

from collections.abc import Callable, Mapping
from typing import Any

from ignite.engine import Engine

from lehr.handlers.schedules import arguments

from .clock import Clock


class TokenClock(Clock):
    """Counts tokens: the event index of a scheduler is the number of tokens in all batches before the event.

    A schedule over tokens has the same value at the same number of tokens. The batch size, the length of sequences,
    gradient accumulation and the number of ranks have no influence.

    Args:
        tokens_of: a function that takes the engine and returns the number of tokens in ``engine.state.batch`` on this
            rank, as a whole number or as a tensor with one element. lehr sums the numbers of all ranks.
        lag: the number of iterations that lehr waits before it counts a batch; see :class:`Clock`.

    Raises:
        TypeError: ``tokens_of`` cannot be called.
        ValueError: ``lag`` is not a whole number of at least 0.

    Example:
        >>> import torch
        >>> from lehr.handlers import LinearScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: print(f"{optimizer.param_groups[0]['lr']:.2f}"))
        >>> scheduler = LinearScheduler(optimizer, "lr", 1000, start_value=1.0, end_value=0.0)
        >>> clock = TokenClock(lambda engine: engine.state.batch["attention_mask"].sum())
        >>> handle = scheduler.attach(trainer, clock=clock)
        >>> _ = trainer.run([{"attention_mask": torch.ones(2, length)} for length in (100, 250, 50)])
        1.00
        0.80
        0.30
        >>> scheduler.event_index
        800
    """

    unit = "tokens"

    def __init__(self, tokens_of: Callable[[Engine], Any], lag: int = 0) -> None:
        super().__init__(lag)
        self.tokens_of = arguments.function("tokens_of", tokens_of, "a function of the engine")

    def reading(self, engine: Engine) -> Any:
        """Return the number of tokens in the batch of this iteration."""
        return self.tokens_of(engine)


class SampleClock(Clock):
    """Counts samples: the event index of a scheduler is the number of samples in all batches before the event.

    Args:
        samples_of: a function that takes the engine and returns the number of samples in ``engine.state.batch`` on this
            rank. If None, the clock uses the length of the first tensor in the batch, also inside a list or a mapping.
        lag: the number of iterations that lehr waits before it counts a batch; see :class:`Clock`.

    Raises:
        TypeError: ``samples_of`` cannot be called.
        ValueError: ``lag`` is not a whole number of at least 0; a batch has no tensor, and ``samples_of`` is None.

    Example:
        >>> import torch
        >>> from lehr.handlers import StepScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: print(f"{optimizer.param_groups[0]['lr']:.3f}"))
        >>> scheduler = StepScheduler(optimizer, "lr", 64, gamma=0.5)
        >>> handle = scheduler.attach(trainer, clock=SampleClock())
        >>> _ = trainer.run([(torch.zeros(size, 3), torch.zeros(size)) for size in (32, 32, 64, 7)])
        0.100
        0.100
        0.050
        0.025
        >>> scheduler.event_index
        135
    """

    unit = "samples"

    def __init__(self, samples_of: Callable[[Engine], Any] | None = None, lag: int = 0) -> None:
        super().__init__(lag)
        if samples_of is not None:
            arguments.function("samples_of", samples_of, "a function of the engine, or None")
        self.samples_of = samples_of

    def reading(self, engine: Engine) -> Any:
        """Return the number of samples in the batch of this iteration.

        Raises:
            ValueError: the batch has no tensor, and ``samples_of`` was not given.
        """
        if self.samples_of is not None:
            return self.samples_of(engine)
        length = first_length(engine.state.batch)
        if length is None:
            raise ValueError(
                "samples_of must be a function for a batch without a tensor, "
                f"given {arguments.shown(engine.state.batch, 200)}"
            )
        return length


def first_length(batch: Any) -> int | None:
    """Return the length of the first tensor or array in a batch; None if the batch has no tensor or array."""
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((length for part in parts if (length := first_length(part)) is not None), None)

"""Saving where a scheduler is, and going on from there: in a new process, under another schedule, twice at an event."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from ignite.engine import Engine

from lehr.engine.history_recorder import remove_last_events
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.stateful import stateful_parts

from .resume_policy import POLICIES, Adjustment, adjusted, tell_of_change
from .state_checks import checked_state, load_progress


class Resumable:
    """The part of every scheduler that saves and loads: the event index, and what stateful schedules remember."""

    param_name: str
    save_history: bool
    _planned: Schedule | None  # what the code gives
    _schedule: Schedule | None  # the same as a change of plans in mid-run has made it
    _event_index: int

    _adjustment = Adjustment()
    _resume_policy = "keep_step"
    _sought = False  # whether a user has said where it is
    _wants_metric = False  # at its events, which ignite does not save
    _repeats = 0  # events to come that have been counted before
    _loaded_at = -1  # the event at which a state was loaded, and what was written before it
    _loaded_value: Any = None

    @property
    def resume_policy(self) -> str:
        """How to go on where the schedule is no longer the one that was saved; see :meth:`load_state_dict`."""
        return self._resume_policy

    @resume_policy.setter
    def resume_policy(self, policy: str) -> None:
        self._resume_policy = arguments.one_of("resume_policy", policy, POLICIES)

    def state_dict(self) -> dict[str, Any]:
        """The progress as plain data: the event index, and beside it whose it is, to be compared on loading.

        ``schedule``, ``length`` and ``value`` are the schedule in words, its length and the last value, for the case
        that a run goes on with another one; ``shift`` and ``handover`` say how it goes on with this one. Where
        stateful schedules take part, what they remember is in the further entry ``progress``, a list.
        """
        length = None if self._planned is None else self._planned.length
        state = {
            **self._identity(),
            "schedule": self._description(),
            "length": None if length is None else float(length),
            "event_index": self._event_index,
            "value": self._present() if self._event_index else None,
            **self._adjustment.state_dict(),
        }
        parts = stateful_parts(self._planned)
        return {**state, "progress": [part.state_dict() for part in parts]} if parts else state

    def load_state_dict(self, state_dict: Mapping[str, Any], resume_policy: str | None = None) -> None:
        """Go on where the scheduler that gave the state had stopped.

        The schedule itself comes from the code, never from the state. Where the two differ, there is a
        :class:`ResumeWarning` that shows both, and the policy says how this scheduler goes on:

        - ``"keep_step"``, the default: at the same event of the new schedule.
        - ``"keep_fraction"``: as far through the new schedule as it was through the saved one.
        - ``"keep_value"``: at the same event, but from the present value, which comes to the new schedule's own value
          over the rest of its length, as a :class:`~lehr.handlers.schedules.Handover` does.

        ``event_index`` goes on counting events in any case. The schedule in force, which :attr:`schedule` shows and
        :meth:`simulate` reads, is then a :class:`~lehr.handlers.schedules.Shift` or a ``Handover`` of the new one;
        it is saved, so that the next resume goes on with it.

        Args:
            state_dict: what :meth:`state_dict` gave, also in an older version.
            resume_policy: the policy; :attr:`resume_policy` where None, since ignite's ``Checkpoint`` gives none.

        Raises:
            TypeError: not a mapping, or an entry of the wrong type; nothing is loaded.
            ValueError: entries missing or unknown, the state of another kind of scheduler or parameter, or a policy
                that cannot be followed, such as to keep the fraction of what has no end; nothing is loaded.
        """
        policy = self.resume_policy if resume_policy is None else resume_policy
        state = checked_state(state_dict, self.state_dict(), self._identity())
        self._check_state(state)
        planned = self._planned if self.schedule is self._schedule else None  # an own get_param is not to be adjusted
        adjustment = adjusted(state, planned, self._description(), policy)
        parts = stateful_parts(self._planned)
        before = [part.state_dict() for part in parts]
        load_progress(parts, state.get("progress", []))
        try:
            tell_of_change(state, self._description(), policy, adjustment)
            self._adjust(adjustment)
        except BaseException:
            load_progress(parts, before)
            raise
        self._go_to(state["event_index"])
        self._loaded(state)

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Raise if a state does not fit that is otherwise one of such a scheduler."""

    def _loaded(self, state: Mapping[str, Any]) -> None:
        """Take over what else a state has."""
        self._sought = False
        self._loaded_at, self._loaded_value = state["event_index"], state["value"]

    def _adjust(self, adjustment: Adjustment) -> None:
        """Go on with the schedule of the code as the adjustment makes it."""
        if self._planned is not None and self._planned.ahead:
            schedule = adjustment.applied_to(self._planned)
            if schedule.groups not in (None, self._planned.groups, self._num_groups()):
                raise ValueError(
                    f"resume_policy must be 'keep_step' where the number of param groups has changed, from "
                    f"{schedule.groups} to {self._num_groups()}"
                )
            self._schedule = schedule
        self._adjustment = adjustment

    def _present(self) -> Any:
        """The last value that was written, as plain data; None where it is not known."""
        if self._event_index == self._loaded_at:
            return self._loaded_value
        if self._event_index == 0 or not self.schedule.ahead:
            return None
        value = self.schedule(self._event_index - 1)
        return value.tolist() if isinstance(value, np.ndarray) else value

    def _held(self) -> Any:
        """What stands now where it writes, as plain data."""
        return self._present()

    def _take_back(self, engine: Engine, events: int, name: str | None) -> None:
        """Be as before the last events, since the engine fires them again; metrics that they brought stay counted."""
        self._go_to(self._event_index - events)
        self._repeats = events
        for history_name in self._history_names(name) if self.save_history else []:
            remove_last_events(self._recording_engine(engine), history_name, events)

    def _take_repeat(self) -> bool:
        """Whether the event that comes now was counted before; takes it off those that are still to be repeated."""
        repeated = self._repeats > 0
        self._repeats -= repeated
        return repeated

    def _write_again(self, engine: Engine) -> None:
        """Write the last value once more where a checkpoint does not keep it."""

    def _identity(self) -> dict[str, Any]:
        return {"scheduler": type(self).__name__, "param_name": self.param_name}

    @abstractmethod
    def _description(self) -> str:
        """The schedule of the code in words that are the same in every process."""

    @property
    @abstractmethod
    def schedule(self) -> Schedule:
        """The schedule in force."""

    @abstractmethod
    def _num_groups(self) -> int | None:
        """How many parameter groups the scheduler writes."""

    @abstractmethod
    def _go_to(self, event_index: int) -> None:
        """Be at an event."""

    @abstractmethod
    def _history_names(self, name: str | None) -> list[str]:
        """The names that it records under if it is attached with this one."""

    @abstractmethod
    def _recording_engine(self, engine: Engine) -> Engine:
        """The engine in whose history an event of this one is recorded."""

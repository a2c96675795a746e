"""Places that no checkpoint keeps, such as an engine's state or a data loader."""

from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine

from .scheduler import BaseParamScheduler


class UnsavedPlaceScheduler(BaseParamScheduler):
    """A scheduler that saves what it has written last, and writes it once more when a run is resumed.

    An optimizer's param groups are saved with the optimizer. What a subclass of this one writes to is not: it keeps
    in ``_last`` what it writes.
    """

    _last: Any = None

    def _present(self) -> Any:
        return self._last

    def _loaded(self, state: Mapping[str, Any]) -> None:
        super()._loaded(state)
        self._last = state["value"]

    def _write_again(self, engine: Engine) -> None:
        if self._last is not None:
            self._write(engine, self._last)

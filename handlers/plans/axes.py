"""The panels of a picture of a plan: one for each name, those that are given or those of a new figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def panels_for(axes: "Axes | Sequence[Axes] | None", names: Sequence[str]) -> "list[Axes]":
    """Axes for each name, below one another where they are new.

    Raises:
        ValueError: not as many axes as names.
    """
    if axes is None:
        from matplotlib import pyplot as plt

        count = max(len(names), 1)
        _, made = plt.subplots(
            count, 1, sharex=True, squeeze=False, figsize=(8, 1.2 + 2.2 * count), layout="constrained"
        )
        return list(made[: len(names), 0])
    panels = list(axes) if hasattr(axes, "__iter__") else [axes]
    if len(panels) != len(names):
        raise ValueError(f"axes must be one for each of {', '.join(map(repr, names))}, given {len(panels)}")
    return panels


def add_epochs(panel: "Axes", epoch_length: int) -> None:
    """Put an axis of epochs along the top."""

    def to_epochs(iteration: Any) -> Any:
        return (np.asarray(iteration) - 0.5) / epoch_length

    def to_iterations(epoch: Any) -> Any:
        return np.asarray(epoch) * epoch_length + 0.5

    panel.secondary_xaxis("top", functions=(to_epochs, to_iterations)).set_xlabel("epochs", fontsize="small")

"""How a picture of the gallery is made: a few lines in one frame, under the call that gives them.

``scheduler`` and ``schedule`` say what is on a picture, ``draw`` draws it, ``save`` writes it to a file. Each has a
``Figure`` of its own, and there is neither ``pyplot`` nor a style: what else the process draws looks as it did before.
"""

import hashlib
import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image, PngImagePlugin

from lehr.handlers import BaseParamScheduler, ParamScheduler
from lehr.handlers.schedules import Curve, Schedule

# The colours of Okabe and Ito, which the colour-blind can tell apart; on paper without colours, the dashes tell.
STYLES: list[dict[str, Any]] = [
    {"color": "#0072b2", "linestyle": "-"},
    {"color": "#d55e00", "linestyle": (0, (5, 2))},
    {"color": "#009e73", "linestyle": (0, (5, 1.5, 1, 1.5))},
    {"color": "#cc79a7", "linestyle": (0, (1, 1))},
    {"color": "#000000", "linestyle": (0, (8, 1.5, 1, 1.5, 1, 1.5))},
]
DIGEST = "Digest"  # the name under which a file says what was drawn

# The loss of a training, for what a metric drives: it falls in three steps, and stalls after each; one value an event.
LOSSES = [round(level + 0.4 * 0.65**event, 4) for level in (1.2, 0.8, 0.4) for event in range(40)]

Drawing = Callable[[Axes], list[Line2D]]
Variant = dict[str, Any] | tuple[str, dict[str, Any]]  # the arguments of one line, and its label if not by these


@dataclass(frozen=True)
class Picture:
    """What is on a picture.

    Args:
        name: the class that it is of, its title and its file's name.
        call: how it is made, in the second line of the title; what differs from line to line left out.
        lines: what draws each of them, by its label; one alone needs none.
        losses: the metric that drives it, in grey on an axis of its own.
        event: what an event is.
        made: the class of each line and the arguments that it is made with, from which the tests take their examples.
    """

    name: str
    call: str
    lines: dict[str, Drawing]
    losses: Sequence[float] = ()
    event: str = "event"
    made: Sequence[tuple[type[Any], dict[str, Any]]] = ()


def scheduler(
    cls: type[BaseParamScheduler],
    num_events: int,
    *variants: Variant,
    call: str | None = None,
    look: dict[str, Any] | None = None,
    **shared: Any,
) -> Picture:
    """A picture of a scheduler: what ``plot_values`` draws, one line for each variant of the arguments.

    Args:
        cls: its class.
        num_events: how many events.
        variants: the arguments in which the lines differ.
        call: how the call is shown, where its arguments do not say it.
        look: the last fields of :class:`Picture`.
        shared: the arguments that all lines have.
    """
    lines: dict[str, Drawing] = {
        label: partial(_plotted, cls, num_events, {**shared, **own}) for label, own in labelled(variants)
    }
    place = ["optimizer"] if issubclass(cls, ParamScheduler) else []
    named = {name: value for name, value in shared.items() if name != "optimizer"}
    call = call or written(cls.__name__, place, named, more=bool(variants))
    made = [(cls, {**shared, **own}) for _, own in labelled(variants)]
    return Picture(cls.__name__, call, lines, made=made, **(look or {}))


def schedule(
    cls: type[Schedule],
    num_events: int,
    *variants: Variant,
    call: str | None = None,
    itself: bool = False,
    **shared: Any,
) -> Picture:
    """A picture of a schedule: what a scheduler of it draws, one line for each variant of the arguments.

    Args:
        cls: its class.
        num_events: how many events.
        variants: the arguments in which the lines differ.
        call: how the call is shown, where its arguments do not say it.
        itself: whether to draw the ``schedule`` that it is made of, too.
        shared: the arguments that all lines have.
    """
    schedules = {"the schedule itself": shared["schedule"]} if itself else {}
    schedules |= {label: cls(**shared, **own) for label, own in labelled(variants)}
    lines: dict[str, Drawing] = {
        label: partial(_plotted, ParamScheduler, num_events, {"param_name": "lr", "schedule": one})
        for label, one in schedules.items()
    }
    call = call or written(cls.__name__, [], shared, more=bool(variants))
    return Picture(cls.__name__, call, lines, made=[(cls, {**shared, **own}) for _, own in labelled(variants)])


def _plotted(cls: type[BaseParamScheduler], num_events: int, kwargs: dict[str, Any], axes: Axes) -> list[Line2D]:
    return cls.plot_values(num_events, ax=axes, **kwargs)


def values_line(values: Sequence[float], param_name: str = "lr") -> Drawing:
    """What draws values that one has already, event after event."""

    def drawn(axes: Axes) -> list[Line2D]:
        axes.set(xlabel="event", ylabel=param_name)
        return axes.plot(values)

    return drawn


def labelled(variants: Sequence[Variant]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each variant with its label: by default, its arguments."""
    for variant in variants or ({},):
        if isinstance(variant, tuple):
            yield variant
        else:
            yield ", ".join(f"{name}={shown(value)}" for name, value in variant.items()), variant


def written(name: str, given: Sequence[str], named: dict[str, Any], more: bool = False) -> str:
    """A call as one would write it, with or without dots for more arguments."""
    arguments = [*given, *(f"{key}={shown(value)}" for key, value in named.items()), *["..."] * more]
    return f"{name}({', '.join(arguments)})".replace('param_name="lr"', '"lr"')


def shown(value: object) -> str:
    """A value as one would write it: numbers short, schedules without the arguments that they have by default."""
    if isinstance(value, Schedule | Curve):
        own = {field: getattr(value, field.name) for field in fields(value) if field.init}
        short = [field for field in own if field.default is MISSING or isinstance(value, Curve)]
        named = {field.name: of for field, of in own.items() if field not in short and of != field.default}
        return written(type(value).__name__, [shown(own[field]) for field in short], named)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else repr(value)


def arguments_of(value: Any) -> dict[str, Any]:
    """The arguments that a schedule or a curve was made with."""
    return {field.name: getattr(value, field.name) for field in fields(value) if field.init}


def make_optimizer(*names: str) -> torch.optim.Optimizer:
    """An optimizer with a learning rate of 0.1, and param groups of these names."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "name": name} for name in names or ("all",)]
    return torch.optim.SGD(groups, lr=0.1)


def draw(picture: Picture) -> Figure:
    """The picture, of 480 by 300 pixels."""
    figure = Figure(figsize=(4.8, 3.0), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    styles = cycle(STYLES)
    for label, drawing in picture.lines.items():
        lines = drawing(axes)
        for line in lines:
            line.set(linewidth=1.8, **next(styles))
            if len(lines) == 1:  # those of several groups are called by their names
                line.set_label(label)
            moves = np.diff(np.asarray(line.get_ydata())) != 0
            if not np.any(moves[1:] & moves[:-1]):
                line.set_drawstyle("steps-post")  # between values that stay there is no slope
    axes.set_xlabel(picture.event, fontsize=9)
    axes.yaxis.label.set_fontsize(9)
    axes.tick_params(labelsize=8)
    axes.grid(True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)
    if picture.losses:
        beside = axes.twinx()
        beside.plot(picture.losses, ".", color="0.7", markersize=3, label="the loss")
        beside.set_ylabel("loss", fontsize=9, color="0.45")
        beside.tick_params(labelsize=8, colors="0.45")
        beside.spines[["top", "left"]].set_visible(False)
        axes.set_zorder(beside.get_zorder() + 1)
        axes.patch.set_visible(False)
    if (legend := axes.get_legend()) is not None:
        legend.remove()
    longest = max(len(str(line.get_label())) for line in axes.lines)
    if longest:
        # Below the frame, where it hides nothing, in as many columns as there is room for.
        columns = min(len(axes.lines), 3, max(1, 78 // (longest + 9)))
        style = {"fontsize": 8, "handlelength": 2.8, "frameon": False, "borderpad": 0, "columnspacing": 1.5}
        figure.legend(handles=axes.lines, loc="outside lower center", ncols=columns, **style)
    figure.suptitle(picture.name, fontsize=11, fontweight="bold")
    rows = -(-len(picture.call) // 82)  # of about the same length, in place of a few letters in the last one
    call = "\n".join(textwrap.wrap(picture.call, len(picture.call) // rows + 8))
    axes.set_title(call, fontsize=6.5, family="monospace", color="0.3", linespacing=1.3)
    return figure


def digest(figure: Figure) -> str:
    """What is drawn, in short: it changes with each number, label or title, to six digits."""
    said = hashlib.sha256()
    for axes in figure.axes:
        said.update(f"{axes.get_title()}|{axes.get_xlabel()}|{axes.get_ylabel()}".encode())
        for line in axes.lines:
            values = np.asarray(line.get_ydata(), dtype=np.float64)
            values = np.where(np.abs(values) < 1e-12, 0.0, values)  # a cosine comes only about to its zero
            said.update(f"|{line.get_label()}|{' '.join(f'{value:.6g}' for value in values)}".encode())
    return said.hexdigest()


def save(picture: Picture, folder: Path) -> Path:
    """Draw a picture into a file of a folder, which says what is drawn in it."""
    figure, pixels, said = draw(picture), io.BytesIO(), PngImagePlugin.PngInfo()
    figure.savefig(pixels, format="png")
    said.add_text(DIGEST, digest(figure))
    path = folder / f"{picture.name}.png"
    # A hundred colours are a third of the bytes.
    Image.open(pixels).convert("RGB").quantize(100).save(path, optimize=True, pnginfo=said)
    return path

"""The HTML that shows a scheduler in a notebook."""

from typing import Any

import numpy as np

from lehr.engine.notebook import as_html, figure_with
from lehr.engine.plots import draw_values, thinned
from lehr.handlers.schedules.arguments import shown_text
from lehr.handlers.schedules.schedule_length import end_of

from .written_locations import labels_of, locations_of

EVENTS_WITHOUT_END, MOST_EVENTS, MOST_POINTS = 100, 1_000_000, 2_000


def html_of(scheduler: Any) -> str:
    """Return a scheduler as HTML: its repr, and a picture of its values with a line at the next event.

    The picture shows all events until the end of the schedule, but at most 1,000,000 events. If the schedule has no
    end, the picture shows the next 100 events. If the values cannot be simulated, the error replaces the picture.
    """
    try:
        end = end_of(scheduler.schedule)
        start = scheduler.event_index if end is None else 0
        num_events = EVENTS_WITHOUT_END if end is None else min(int(end) + 1, MOST_EVENTS)
        table = scheduler.simulate(num_events, start)
    except Exception as error:  # a user's function may raise any error, but the cell must still show the scheduler
        return as_html(f"{scheduler!r}\nno picture: {shown_text(f'{type(error).__name__}: {error}', 300)}")
    figure = figure_with(1)
    (axes,) = figure.axes
    kept = np.unique(np.concatenate([thinned(values, MOST_POINTS) for values in table.T]))
    locations = [location for rows in locations_of(scheduler, None).values() for location in rows]
    labels = scheduler._labels() or labels_of(locations)
    draw_values(start + kept, table[kept], scheduler.param_name, axes, labels if all(labels) else None)
    if start < scheduler.event_index < num_events:
        axes.axvline(scheduler.event_index, color="0.4", linewidth=0.8, linestyle=":")
    return as_html(repr(scheduler), figure)

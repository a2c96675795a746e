"""Events that Hypothesis draws, with filters, and the error that stops a run."""

from hypothesis import strategies as st
from ignite.engine import Events

FILTERS = st.one_of(
    st.just({}),
    st.integers(1, 7).map(lambda every: {"every": every}),
    st.sets(st.integers(1, 40), min_size=1).map(lambda once: {"once": sorted(once)}),
    st.tuples(st.integers(0, 20), st.integers(0, 40)).map(lambda pair: {"after": pair[0], "before": pair[1]}),
    st.tuples(st.integers(1, 5), st.integers(0, 20)).map(lambda pair: {"every": pair[0], "after": pair[1]}),
    st.tuples(st.integers(1, 5), st.integers(0, 40)).map(lambda pair: {"every": pair[0], "before": pair[1]}),
)
KINDS = st.sampled_from(
    [
        Events.ITERATION_STARTED,
        Events.ITERATION_COMPLETED,
        Events.EPOCH_STARTED,
        Events.EPOCH_COMPLETED,
    ]
)
FILTERED = st.tuples(KINDS, FILTERS).map(lambda pair: pair[0](**pair[1]) if pair[1] else pair[0])
EVENTS = FILTERED | st.just(Events.GET_BATCH_STARTED)


class StoppedError(Exception):
    """What ends a run that is to be resumed."""

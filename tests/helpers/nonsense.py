"""Values that no argument expects, and a scheduler to be given them."""

from typing import Any

import torch
from huge import HUGE, huge_value
from hypothesis import strategies as st
from optimizers import make_optimizer, make_trainer

from lehr import handlers

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.floats() | st.text(max_size=2) | st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.tuples(st.integers(), st.floats()),
    st.lists(st.tuples(st.integers(-5, 5), st.floats(0, 1)), max_size=3),
    st.sampled_from([*HUGE]).map(huge_value),
    st.sampled_from([len, abs, float, make_optimizer(), torch.nn.Linear(1, 1), torch.zeros(1), make_trainer()]),
)


def cosine(optimizer: Any) -> handlers.ParamScheduler:
    return handlers.CosineAnnealingScheduler(optimizer, "lr", 0.5, 0.1, 10)

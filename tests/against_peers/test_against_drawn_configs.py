"""Drawn configs of mmengine, timm and transformers against these libraries, each where it is installed."""

import importlib.util
import random

import numpy as np
import pytest
from drawn_configs import here
from drawn_mmengine import in_mmengine, mmengine_case
from drawn_timm import by_its_formula, in_timm, timm_case
from drawn_transformers import in_transformers, transformers_case

LIBRARIES = {
    "mmengine": (mmengine_case, in_mmengine),
    "timm": (timm_case, in_timm),
    "transformers": (transformers_case, in_transformers),
}


def agree(library, seed):
    draw, there = LIBRARIES[library]
    case = draw(random.Random(seed))
    try:
        expected = there(case)
    except ValueError as error:  # the library refuses it, and so does lehr
        assert "lr_end" in str(error)
        with pytest.raises(ValueError, match="lr_end must be less than"):
            here(library, case)
        return
    except ZeroDivisionError:  # pct_start * total_steps is 1, where lehr has a peak at once
        assert np.isfinite(here(library, case)).all()
        return
    values = here(library, case)[: len(expected)]
    if library == "timm":
        values[: by_its_formula(case)] = expected[: by_its_formula(case)]
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12, err_msg=f"seed {seed}: {case}")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("seeds", [range(60), pytest.param(range(60, 5000), marks=pytest.mark.proof)], ids=str)
def test_drawn_configs_are_those_of_the_library(library, seeds):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    for seed in seeds:
        agree(library, seed)

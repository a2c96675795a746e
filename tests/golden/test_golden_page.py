"""Values by the formulas of Cerebras' page, for arguments that the recorded version of the library does not have."""

import json

import numpy as np
from cases import for_each
from golden_cases import FOLDER, expected_of, run

CASES = json.loads((FOLDER / "cerebras_page.json").read_text())


@for_each("case", CASES, [case["id"] for case in CASES])
def test_values_are_those_of_the_page(case):
    expected = expected_of(case)
    np.testing.assert_allclose(run(case, len(expected)), expected, rtol=1e-12, atol=1e-15)

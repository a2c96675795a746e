"""Every kind of event beside its nearest peer, and what is done once: the rows of ``quick_ratios.py``."""

import warnings
from dataclasses import replace

import pytest
from interleaving import Contender
from quick_ratios import LARGEST_BLOCK, rows

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_a_row(side_by_side, row):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contenders = {name: Contender(*timed[:2], fresh=timed.fresh) for name, timed in row.contenders().items()}
        if contenders["lehr"].fresh is None and contenders["lehr"].arguments:
            contenders["lehr"] = whole_blocks(contenders["lehr"])
        peer = list(contenders)[-1]
        side_by_side(row.what, contenders, row.aim and {peer: row.aim * (1e-6 if peer == "lehr" else 1)})


def whole_blocks(contender, longest=4e-6):
    """Rounds of whole blocks, where computing a block is a visible share of an event."""
    contender.ready(3)()
    return replace(contender, multiple=LARGEST_BLOCK if contender.ready(20)() < 20 * longest else 1)

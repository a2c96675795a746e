"""Durations that were converted to one unit, and an event index that counts another one."""

import pytest
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer

from lehr.handlers import LinearScheduler, RunLength, SampleClock, TimeClock, TokenClock

NUMBERS = {"total_tokens": "10k", "tokens_per_step": 100, "samples_per_step": 2}
CLOCKS = {
    "tokens": lambda: TokenClock(lambda engine: 100),
    "samples": SampleClock,
    "milliseconds": TimeClock,
    "steps": lambda: None,
}


@pytest.mark.parametrize("counts", CLOCKS)
@pytest.mark.parametrize("clock", CLOCKS)
def test_texts_need_the_unit_of_the_clock(counts, clock):
    more = {"total_time": "1 h"} if counts == "milliseconds" else {}
    run = RunLength(**NUMBERS, **more, counts=counts)
    scheduler = LinearScheduler(make_optimizer(), "lr", "50%", run=run)
    trainer = make_trainer()
    if counts == clock:
        scheduler.attach(trainer, clock=CLOCKS[clock]())
        return
    with pytest.raises(ValueError, match=f"run must have counts='{clock}' where .* given counts='{counts}'"):
        scheduler.attach(trainer, clock=CLOCKS[clock]())
    assert not trainer.has_event_handler(scheduler)
    LinearScheduler(make_optimizer(), "lr", 50, run=run).attach(trainer, clock=CLOCKS[clock]())  # a number is no text


def test_epochs_are_counted_without_a_clock():
    run = RunLength(max_epochs=10, counts="epochs")
    LinearScheduler(make_optimizer(), "lr", "50%", run=run).attach(make_trainer(), Events.EPOCH_STARTED)

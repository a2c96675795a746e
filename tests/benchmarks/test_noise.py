"""The cost of seeded noise, beside a generator of torch for each event, as timm has it."""

import pytest
import torch
from contenders import optimizer_of
from interleaving import Contender, interleaved, of_size
from quick_ratios import LARGEST_BLOCK

import lehr.handlers as lehr
from lehr.handlers.schedules import Constant, Noise

NOISE = Noise(Constant(0.1), seed=42)


def new_scheduler():
    return lehr.ParamScheduler(optimizer_of(1), "lr", schedule=NOISE)


def written_by_generators(optimizer, events):
    for event in events:
        generator = torch.Generator()
        generator.manual_seed(NOISE.seed + event)
        noise = torch.randn(1, generator=generator).item() * NOISE.std
        while abs(noise) >= NOISE.limit:
            noise = torch.randn(1, generator=generator).item() * NOISE.std
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 + noise)


def test_an_event_with_noise(side_by_side):
    scheduler = new_scheduler()
    for _ in range(LARGEST_BLOCK):
        scheduler(None)
    contenders = {
        "lehr": Contender(scheduler, (None,), multiple=LARGEST_BLOCK),
        "torch's generators": Contender(written_by_generators, (optimizer_of(1), range(500)), per=500),
    }
    side_by_side("event with noise", contenders, {"torch's generators": 0.3})


@pytest.mark.parametrize("event", [0, 123_457, 10**9])
def test_the_first_event_with_noise(side_by_side, event):
    def fresh():
        scheduler = new_scheduler()
        scheduler.seek(event)
        return scheduler, None

    first = Contender(lambda scheduler, engine: scheduler(engine), fresh=fresh)
    side_by_side(f"first event with noise after seek({event:,})", {"lehr": first}, {"lehr": 0.01})


def test_growth_of_noise(benchmark, add_row, add_growth):
    sizes = (64, 8192, 2**17)
    measured = interleaved(
        benchmark, {("lehr", size): Contender(new_scheduler().simulate, (size,), per=size) for size in sizes}
    )
    for size in sizes:
        add_row(f"simulate noise, {size:,} events", of_size(measured, size))
    add_growth(
        "simulate noise, for each event: 131,072 over 8,192", *(of_size(measured, size) for size in sizes[:0:-1])
    )

"""BatchRamp on real data: a run with a ramp is as accurate as one with small batches, and takes fewer steps."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader, RandomSampler

from lehr.handlers import BatchRamp, CosineDecayScheduler, RunLength, SampleClock

EXAMPLES = str(Path(__file__).resolve().parents[2] / "examples")
PASS, PASSES, SEEDS = 1344, 9, 5  # PASS is a number of samples, and a multiple of all batch sizes
SMALL = "0 samples: 16"
RAMP = f"0 samples: 16, {3 * PASS}: 32, {6 * PASS}: 64"


def trained(digits, seed, sizes, kind):
    """Train on a fixed number of samples; return the test accuracy and the number of steps."""
    torch.manual_seed(seed)
    network = digits.make_network()
    if kind == "SGD":
        optimizer = torch.optim.SGD(network.parameters(), lr=0.025, momentum=0.9, weight_decay=1e-4)
        rule = {"lr_rule": "linear"}
    else:
        optimizer = torch.optim.Adam(network.parameters(), lr=0.002, betas=(0.95, 0.99))
        rule = {"lr_rule": "sqrt", "scale_betas": True}
    sampler = RandomSampler(digits.train_set, num_samples=PASS)
    loader = DataLoader(digits.train_set, batch_size=16, sampler=sampler)
    lr = CosineDecayScheduler(optimizer, "lr", duration=PASS * PASSES)
    ramp = BatchRamp(optimizer, loader, sizes, lr=lr, run=RunLength(counts="samples"), **rule)
    trainer: Engine = digits.make_trainer(network, optimizer)
    ramp.attach(trainer, clock=SampleClock())

    @trainer.on(Events.ITERATION_COMPLETED)
    def stop(engine):
        if ramp.event_index >= PASS * PASSES:
            engine.terminate()

    trainer.run(loader, max_epochs=1, epoch_length=PASS * PASSES)
    assert ramp.event_index == PASS * PASSES
    return digits.accuracy_of(network), trainer.state.iteration


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_a_ramp_is_as_accurate_as_small_batches_in_fewer_steps(kind, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delitem(sys.modules, "digits", raising=False)
    import digits

    threads = torch.get_num_threads()
    found = {
        name: np.array([trained(digits, seed, sizes, kind) for seed in range(SEEDS)])
        for name, sizes in (("small", SMALL), ("ramp", RAMP))
    }
    torch.set_num_threads(threads)
    for name, rows in found.items():
        print(kind, name, rows[:, 0].mean().round(4), "±", rows[:, 0].std(ddof=1).round(4), rows[0, 1], "steps")
    small, ramp = found["small"], found["ramp"]
    assert (small[:, 1] == 756).all()
    assert (ramp[:, 1] == 252 + 126 + 63).all()
    noise = np.hypot(small[:, 0].std(ddof=1), ramp[:, 0].std(ddof=1))
    assert small[:, 0].mean() > 0.97
    assert ramp[:, 0].mean() > small[:, 0].mean() - max(noise, 0.003)

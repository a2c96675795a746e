"""Lesson 11: durations with units. ``python examples/lesson11_units.py`` takes about ten seconds.

One plan, for any batch size: the learning rate rises over the first 2,000 images, stays until 70% of the run, and falls
to 0 at its end. ``RunLength`` says how long a run is, and the scheduler takes the plan as texts. Three runs over the
same 12,800 images, in batches of 32, 64 and 128, have 400, 200 and 100 steps. Their learning rates differ from step to
step, and are one curve over the images: a milestone is rounded to a whole step, and the last one is the end of the run.

A larger batch suits a larger rate. Here the rate follows the square root of the batch size.

As measured, the test accuracies were 0.9867, 0.9844 and 0.9844.

The picture, ``runs/units/one_plan.png``, shows the learning rates over the steps and over the images.
"""

from pathlib import Path

import numpy as np
import torch
from digits import accuracy_of, make_network, make_optimizer, make_trainer, save, train_set
from matplotlib import pyplot as plt
from torch.utils.data import DataLoader

from lehr.handlers import PiecewiseLinear, RunLength, check_plan

EPOCHS, IMAGES = 10, 1280  # images of an epoch: as many of the 1,347 as make whole batches of each size
RATE = 0.05  # for batches of 32


def main() -> None:
    """Plan and train the run with each batch size, and draw the learning rates."""
    figure, (over_steps, over_images) = plt.subplots(2, 1, figsize=(8, 6), layout="constrained")
    for number, batch_size in enumerate((32, 64, 128)):
        torch.manual_seed(0)
        network = make_network()
        optimizer = make_optimizer(network)
        trainer = make_trainer(network, optimizer)
        rate = RATE * (batch_size / 32) ** 0.5

        run = RunLength(max_epochs=EPOCHS, epoch_length=IMAGES // batch_size, samples_per_step=batch_size)
        plan = [("0%", 0.001), ("2k samples", rate), ("70%", rate), ("100%", 0.0)]
        scheduler = PiecewiseLinear(optimizer, "lr", plan, save_history=True, run=run)
        scheduler.attach(trainer)
        print(f"batches of {batch_size}: {run.num_events} steps, {scheduler.schedule}")
        print(check_plan(trainer, EPOCHS, IMAGES // batch_size))

        loader = DataLoader(train_set, batch_size, shuffle=True, drop_last=True)
        trainer.run(loader, max_epochs=EPOCHS, epoch_length=IMAGES // batch_size)
        rates = trainer.state.param_history.to_numpy("lr")[:, 0]
        assert len(rates) == run.num_events
        assert scheduler.schedule.length == run.num_events
        print(f"test accuracy: {accuracy_of(network):.4f}")

        steps = np.arange(len(rates))
        style = {"color": f"C{number}", "linestyle": ("-", "--", ":")[number], "linewidth": 3 - number / 2}
        over_steps.plot(steps, rates, label=f"batches of {batch_size}", **style)
        over_images.plot(steps * batch_size, rates / rate, **style)

    over_steps.set(xlabel="step", ylabel="lr", title="One plan in images and percent, for three batch sizes")
    over_steps.legend()
    over_images.set(xlabel="images", ylabel="lr / highest lr", title="The same rates, over the images")
    for panel in (over_steps, over_images):
        panel.grid(True, alpha=0.3)
    save(figure, Path("runs/units/one_plan.png"))
    plt.close(figure)


if __name__ == "__main__":
    main()

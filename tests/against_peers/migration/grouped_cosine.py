"""Fine-tune a small regressor: cosine annealing with another peak for the body and the head, and a momentum cycle."""

import numpy as np
import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver, global_step_from_engine
from ignite.handlers.param_scheduler import CosineAnnealingScheduler, LinearCyclicalScheduler, ParamGroupScheduler
from ignite.metrics import Loss, MeanAbsoluteError
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HISTORY = ["lr (body)", "lr (head)", "momentum of all"]


def make_loader(size, seed):
    inputs = torch.randn(size, 4, generator=torch.Generator().manual_seed(seed))
    return DataLoader(TensorDataset(inputs, inputs.prod(1, keepdim=True)), batch_size=10)


def main(epochs=5, resume_from=None):
    train_loader, test_loader = make_loader(100, seed=0), make_loader(40, seed=1)
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].parameters(), "lr": 0.1}], momentum=0.9
    )
    trainer = create_supervised_trainer(model, optimizer, nn.MSELoss())
    evaluator = create_supervised_evaluator(model, {"mse": Loss(nn.MSELoss()), "mae": MeanAbsoluteError()})

    cycle = {"end_value": 1e-4, "cycle_size": 2 * len(train_loader), "start_value_mult": 0.7}
    body = CosineAnnealingScheduler(optimizer, "lr", start_value=0.01, **cycle, param_group_index=0)
    head = CosineAnnealingScheduler(optimizer, "lr", start_value=0.1, **cycle, param_group_index=1)
    momentum = LinearCyclicalScheduler(optimizer, "momentum", 0.95, 0.85, len(train_loader), save_history=True)

    events = epochs * len(train_loader)
    plan = np.array(CosineAnnealingScheduler.simulate_values(events, param_name="lr", start_value=0.1, **cycle))
    both = ParamGroupScheduler.simulate_values(events, schedulers=[body, head], names=HISTORY[:2])
    figure = plt.figure(figsize=(6, 4))
    CosineAnnealingScheduler.plot_values(num_events=events, param_name="lr", start_value=0.1, **cycle)
    lines = plt.plot(plan[:, 0], plan[:, 1], "o")
    figure.savefig("plan.png")
    plt.close(figure)
    print(f"the learning rate of the head will be {plan[:, 1].mean():.4f} on average, drawn as {len(lines)} line")

    scheduler = ParamGroupScheduler([body, head], names=HISTORY[:2], save_history=True)
    trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    trainer.add_event_handler(Events.ITERATION_STARTED, momentum, name=HISTORY[2])

    @trainer.on(Events.EPOCH_COMPLETED)
    def evaluate(engine):
        evaluator.run(test_loader)
        rates = " ".join(f"{name}={engine.state.param_history[name][-1][0]:.5f}" for name in HISTORY)
        print(f"epoch {engine.state.epoch}: {rates} mse={evaluator.state.metrics['mse']:.4f}")

    to_save = {"model": model, "optimizer": optimizer, "trainer": trainer, "lr": scheduler, "momentum": momentum}
    best = Checkpoint(
        to_save,
        DiskSaver("best", create_dir=True, require_empty=False),
        score_function=Checkpoint.get_default_score_fn("mse", -1.0),
        score_name="mse",
        n_saved=None,
        global_step_transform=global_step_from_engine(trainer, Events.EPOCH_COMPLETED),
        filename_pattern="epoch_{global_step}.pt",
    )
    evaluator.add_event_handler(Events.COMPLETED, best)
    if resume_from:
        Checkpoint.load_objects(to_load=to_save, checkpoint=torch.load(resume_from, weights_only=True))
    trainer.run(train_loader, max_epochs=epochs)
    return {"trainer": trainer, "model": model, "optimizer": optimizer, "plan": plan, "both": both}


if __name__ == "__main__":
    main()

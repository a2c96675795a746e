"""Train a small regressor, and halve the learning rate when the loss on other data stops improving."""

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver, EarlyStopping
from ignite.handlers.param_scheduler import ReduceLROnPlateauScheduler
from ignite.metrics import Loss, RootMeanSquaredError
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_loader(size, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(size, 6, generator=generator)
    targets = inputs.sum(1, keepdim=True) + 0.5 * torch.randn(size, 1, generator=generator)
    return DataLoader(TensorDataset(inputs, targets), batch_size=8)


def make_model():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))


def main(epochs=20, min_lr=None, in_checkpoint=False, resume_from=None):
    train_loader, test_loader = make_loader(40, seed=0), make_loader(40, seed=1)
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    criterion = nn.MSELoss()
    trainer = create_supervised_trainer(model, optimizer, criterion)
    evaluator = create_supervised_evaluator(model, {"loss": Loss(criterion), "rmse": RootMeanSquaredError()})

    rule = {"mode": "min", "factor": 0.5, "patience": 1, **({} if min_lr is None else {"min_lr": min_lr})}
    rehearsed = ReduceLROnPlateauScheduler.simulate_values(
        num_events=6, metric_values=[3.0, 2.0, 2.0, 2.0, 1.0, 1.5], init_lr=0.05, **rule
    )
    print(f"four losses in a row that are no better make it {rehearsed[-1][1]}")
    scheduler = ReduceLROnPlateauScheduler(optimizer, metric_name="loss", trainer=trainer, save_history=True, **rule)
    evaluator.add_event_handler(Events.COMPLETED, scheduler)
    stopper = EarlyStopping(patience=15, score_function=lambda engine: -engine.state.metrics["loss"], trainer=trainer)
    evaluator.add_event_handler(Events.COMPLETED, stopper)

    losses, used = [], []

    @trainer.on(Events.ITERATION_COMPLETED)
    def remember_lr(engine):
        used.append(optimizer.param_groups[0]["lr"])

    @trainer.on(Events.EPOCH_COMPLETED)
    def evaluate(engine):
        evaluator.run(test_loader)
        losses.append(evaluator.state.metrics["loss"])
        print(f"epoch {engine.state.epoch}: loss {losses[-1]:.4f}, then lr {engine.state.param_history['lr'][-1][0]}")

    to_save = {"model": model, "optimizer": optimizer, "trainer": trainer, "stopper": stopper}
    if in_checkpoint:
        to_save["lr_scheduler"] = scheduler
    saver = Checkpoint(to_save, DiskSaver("checkpoints", create_dir=True, require_empty=False), n_saved=None)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, saver)
    if resume_from:
        Checkpoint.load_objects(to_load=to_save, checkpoint=torch.load(resume_from, weights_only=True))
    trainer.run(train_loader, max_epochs=epochs)
    return {"trainer": trainer, "model": model, "optimizer": optimizer, "losses": losses, "used": used}


if __name__ == "__main__":
    main()

"""Train a small classifier: a linear warm-up of the learning rate, then an exponential decay."""

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver
from ignite.handlers.param_scheduler import LRScheduler, create_lr_scheduler_with_warmup
from ignite.metrics import Accuracy, Loss, RunningAverage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_loader(size, seed):
    inputs = torch.randn(size, 8, generator=torch.Generator().manual_seed(seed))
    return DataLoader(TensorDataset(inputs, (inputs.sum(1) > 0).long()), batch_size=8)


def make_model():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))


def main(epochs=4, warmup=12, peak=None, head_lr=None, resume_from=None):
    train_loader, test_loader = make_loader(80, seed=0), make_loader(32, seed=1)
    model = make_model()
    body, head = {"params": model[0].parameters()}, {"params": model[2].parameters()}
    groups = [body, {**head, "lr": head_lr}] if head_lr else model.parameters()
    optimizer = torch.optim.SGD(groups, lr=0.2, momentum=0.9)

    criterion = nn.CrossEntropyLoss()
    trainer = create_supervised_trainer(model, optimizer, criterion)
    evaluator = create_supervised_evaluator(model, {"accuracy": Accuracy(), "loss": Loss(criterion)})
    RunningAverage(output_transform=lambda loss: loss).attach(trainer, "loss")

    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.97)
    planned = [None] * (epochs * len(train_loader))
    if warmup:
        scheduler = create_lr_scheduler_with_warmup(
            decay,
            warmup_start_value=0.0,
            warmup_duration=warmup,
            warmup_end_value=peak,
            save_history=True,
            output_simulated_values=planned,
        )
    else:
        planned = LRScheduler.simulate_values(num_events=len(planned), lr_scheduler=decay)
        scheduler = LRScheduler(decay, save_history=True)
    trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    print(f"the learning rate will end at {planned[-1][1]:.4f}")

    used = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def remember_lr(engine):
        used.append([group["lr"] for group in optimizer.param_groups])

    @trainer.on(Events.EPOCH_COMPLETED)
    def evaluate(engine):
        evaluator.run(test_loader)
        lr, metrics = engine.state.param_history["lr"][-1], evaluator.state.metrics
        print(f"epoch {engine.state.epoch}: lr {lr[0]:.4f}, loss {metrics['loss']:.3f}, accuracy {metrics['accuracy']}")

    to_save = {"model": model, "optimizer": optimizer, "trainer": trainer, "lr_scheduler": scheduler}
    saver = Checkpoint(to_save, DiskSaver("checkpoints", create_dir=True, require_empty=False), n_saved=None)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, saver)
    if resume_from:
        Checkpoint.load_objects(to_load=to_save, checkpoint=torch.load(resume_from, weights_only=True))
    trainer.run(train_loader, max_epochs=epochs)
    return {"trainer": trainer, "model": model, "optimizer": optimizer, "planned": planned, "used": used}


if __name__ == "__main__":
    main()

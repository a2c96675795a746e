"""Trial runs of a real trainer. After a trial run, the model, the optimizer and the data loader are as before."""

"""Trial runs of a real trainer, after which model, optimizer and files are as before."""

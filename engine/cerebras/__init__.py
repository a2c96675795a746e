"""The optimizers that Cerebras documents, which ``configure_optimizer("cerebras.AdamW", ...)`` constructs."""

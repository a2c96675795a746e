"""The optimizers of Cerebras' page, as ``configure_optimizer("cerebras.AdamW", ...)`` makes them."""

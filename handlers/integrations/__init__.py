"""Schedulers for Lightning, Hugging Face, skorch and plain torch loops. Each module is imported only on first use."""

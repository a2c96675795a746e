"""Schedulers for Lightning, Hugging Face, skorch and plain torch loops; each module is imported only on first use."""

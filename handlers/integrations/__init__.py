"""Schedulers for Lightning, Hugging Face, skorch and plain torch loops; no module is imported before you ask for it."""

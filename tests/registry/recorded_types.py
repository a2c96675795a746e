"""Records what ``lehr list`` prints: ``python tests/registry/recorded_types.py``, as ``make gallery`` does."""

from pathlib import Path

from lehr.handlers.config.catalogue import known_types
from lehr.handlers.config.recorded_catalogue import FILE, as_text

IN_REPOSITORY = Path(__file__).resolve().parents[2] / "handlers" / "config" / FILE.name

if __name__ == "__main__":
    IN_REPOSITORY.write_text(as_text(known_types()), encoding="utf-8")

"""The import paths that users rely on: names may be added to the record, and are never removed or moved.

``make gallery`` records new names: ``python tests/registry/public_names.py``.
"""

import importlib
from pathlib import Path

MODULES = (
    "lehr",
    "lehr.engine",
    "lehr.handlers",
    "lehr.handlers.config",
    "lehr.handlers.forecast",
    "lehr.handlers.plans",
    "lehr.handlers.schedules",
)
FILE = Path(__file__).resolve().parent.parent / "golden" / "public_names.txt"
RECORDED = FILE.read_text().split() if FILE.exists() else []


def public_names() -> list[str]:
    """Every name in ``__all__`` of the public modules, after the name of its module."""
    return sorted(
        f"{path}.{name}"
        for path in MODULES
        for module in [importlib.import_module(path)]
        for name in getattr(module, "__all__", ())
        if hasattr(module, name)
    )


if __name__ == "__main__":
    FILE.write_text("\n".join(sorted({*RECORDED, *public_names()})) + "\n")

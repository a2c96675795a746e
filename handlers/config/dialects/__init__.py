"""The types that a config may name: a table for each library, and one of lehr's own schedulers in ``lehr``.

A new type is a new row, an ``EntryType``: its description, the checks and defaults of its arguments, and how its
schedule is made of them. Errors and the catalogue use the same row. The tables are formatted by hand, since a row is
read as a whole.
"""

from collections.abc import Mapping

from lehr.handlers.config.entries import EntryType

from . import cerebras_nested, mmagic, mmengine, timm, torch_nested, transformers

TYPES: dict[str, Mapping[str, EntryType]] = {
    "cerebras": cerebras_nested.TYPES,
    "mmagic": mmagic.TYPES,
    "mmengine": mmengine.TYPES,
    "timm": timm.TYPES,
    "torch": torch_nested.TYPES,
    "transformers": transformers.TYPES,
}

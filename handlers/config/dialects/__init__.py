"""The types that a config may name: one file with a table for each library, and lehr's own schedulers."""

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

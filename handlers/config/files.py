"""Configs in YAML and JSON files, read without importing or evaluating anything."""

import json
import re
from pathlib import Path
from typing import Any


def read(path: Path) -> Any:
    """Read a file: mappings, lists, strings, numbers, True, False and None.

    Raises:
        FileNotFoundError: the file does not exist.
        ImportError: the file is a YAML file, and PyYAML is not installed.
        ValueError: the file is not a well-formed YAML or JSON file, or a mapping has the same key twice.
    """
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise ValueError(f"config must be a .yaml, .yml or .json file, given {str(path)!r}")
    try:
        content = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return json.loads(content, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        return read_yaml(content)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: too deeply nested") from error


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r} must be given once, given twice")
        result[key] = value
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(f"numbers must be finite, given {name}")


def read_yaml(content: str) -> Any:
    """Read a text in YAML.

    Raises:
        ImportError: PyYAML is not installed.
        ValueError: the text is not well-formed, or a mapping has the same key twice.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError("a YAML config needs PyYAML: pip install 'lehr[yaml]'") from error

    class Loader(yaml.SafeLoader):
        """The safe loader, which refuses a key that is given twice, and reads 1e-3 as a number, as YAML 1.2 does."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            # A mapping may override a key that it merges in from another mapping.
            merge = "tag:yaml.org,2002:merge"
            _unique([(self.construct_object(key, deep=True), None) for key, _ in node.value if key.tag != merge])
            return super().construct_mapping(node, deep=True)

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
    try:
        return yaml.load(content, Loader=Loader)
    except (yaml.YAMLError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # A tag on a value that it does not fit raises the other errors.
        raise ValueError(f"not well-formed: {error}") from error

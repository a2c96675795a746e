"""Configs in YAML and JSON files, read without importing or evaluating anything."""

import json
import re
from pathlib import Path
from typing import Any


def read(path: Path) -> Any:
    """What a file says: mappings, lists, strings, numbers, True, False and None.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: a YAML file, and PyYAML is not installed.
        ValueError: neither a YAML nor a JSON file, or one that is not well-formed, or a key that stands there twice.
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
            raise ValueError(f"the key {key!r} must stand there once, given twice")
        result[key] = value
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(f"numbers must be finite, given {name}")


def read_yaml(content: str) -> Any:
    """What a text in YAML says.

    Raises:
        ImportError: PyYAML is not installed.
        ValueError: it is not well-formed, or a key stands there twice.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError("a YAML config needs PyYAML: pip install 'lehr[yaml]'") from error

    class Loader(yaml.SafeLoader):
        """The safe loader, for which a key stands in a mapping once, and 1e-3 is a number as it is in YAML 1.2."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            # A key that is merged in from elsewhere may be overridden.
            merge = "tag:yaml.org,2002:merge"
            _unique([(self.construct_object(key, deep=True), None) for key, _ in node.value if key.tag != merge])
            return super().construct_mapping(node, deep=True)

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
    try:
        return yaml.load(content, Loader=Loader)
    except (yaml.YAMLError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # All but the first come from tags on what they do not fit.
        raise ValueError(f"not well-formed: {error}") from error

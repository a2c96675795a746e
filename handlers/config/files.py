"""Reads configs in YAML, JSON, TOML and Python files. Nothing in the files is imported or evaluated."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from lehr.handlers.schedules.arguments import shortened, shown
from lehr.special_files import special_file

from .plain_containers import Failed
from .python_files import read_with_bases
from .yaml_bases import with_bases

MAX_BYTES = 10_000_000
MAX_NODES = 100_000  # a YAML file may have at most this many values and keys, because YAML is slow to read
MAX_MERGED = 100_000  # the merge keys `<<` of a file may copy this many keys in total
MAX_DIGITS, MAX_NAME, MAX_TOML = 1000, 200, 500_000
DOTTED = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*"|'[^'\n]*')\s*+\.\s*+){100}""")
MERGE = "tag:yaml.org,2002:merge"


def name_of(path: str | os.PathLike[str]) -> str:
    """Return the path of a file for an error text. If the path is long, return only its end."""
    name = os.fspath(path)
    return name if len(name) <= MAX_NAME else f"...{name[-MAX_NAME:]}"


def read(path: Path, root: Path | None = None) -> Any:
    """Return the content of a file: mappings, lists, strings, numbers, True, False and None.

    A Python file is read as a mapping of its variables. If ``root`` is given, the files that a Python file names under
    ``_base_``, or a YAML file under ``_BASE_``, are read as well. These files must be below ``root``.

    Raises:
        FileNotFoundError: the file does not exist.
        ImportError: the file is a YAML file, and PyYAML is not installed.
        ValueError: the file is a named pipe or a device; it is not well-formed; a mapping has the same key twice; the
            file has more than 10 MB or is nested too deeply; a YAML file has more than 100,000 values and keys, or its
            merge keys copy more than 100,000 keys.
    """
    name = name_of(path)
    if path.suffix.lower() not in (".json", ".yaml", ".yml", ".toml", ".py"):
        raise ValueError(f"config must be a .yaml, .yml, .json, .toml or .py file, given {shown(name)}")
    try:
        if path.suffix.lower() == ".py":
            return read_with_bases(path, root, _text_of)
        if path.suffix.lower() in (".yaml", ".yml") and root is not None:
            return with_bases(path, root, lambda one: read_yaml(_text_of(one)))
        text = _text_of(path)
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        return _read_toml(text) if path.suffix.lower() == ".toml" else read_yaml(text)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: must be UTF-8, given another byte at {error.start}: {error.reason}") from None
    except ValueError as error:
        raise ValueError(shortened(f"{name}: {error}")) from None  # not `from error`, as the content may be secret
    except RecursionError as error:
        raise ValueError(f"{name}: too deeply nested") from error


def _text_of(path: Path) -> str:
    if (kind := special_file(path)) is not None:
        raise ValueError(f"the file must be a regular file, given {kind}")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"the file must have at most {MAX_BYTES} bytes, given more")
    return content.decode("utf-8-sig")


def _read_toml(content: str) -> dict[str, Any]:
    # The time to read a.a.a.... = 1 grows with the square of its length.
    if len(content) > MAX_TOML or DOTTED.search(content):
        raise ValueError(f"a text in TOML must have at most {MAX_TOML} characters and 100 joined keys, given more")
    return tomllib.loads(content)


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {shown(key)} must occur once, given twice")
        result[key] = value
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(f"numbers must be finite, given {name}")


def read_yaml(content: str) -> Any:
    """Read a text in YAML.

    Raises:
        ImportError: PyYAML is not installed.
        ValueError: the text is not well-formed; a mapping has the same key twice; the text is nested too deeply; it has
            more than 100,000 values and keys, or its merge keys copy more than 100,000 keys.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError("a YAML config needs PyYAML: pip install 'lehr[yaml]'") from error

    class Loader(yaml.SafeLoader):
        """A safe loader that refuses duplicate keys, and reads 1e-3 as a number, as YAML 1.2 does."""

        nodes, merged = 0, 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.nodes += 1
            if self.nodes > MAX_NODES:
                raise ValueError(f"a text in YAML must have at most {MAX_NODES} values and keys, given more")
            return super().compose_node(parent, index)

        def flatten_mapping(self, node: Any) -> None:
            # A merge key also copies keys that other merge keys copied, so a few lines can produce millions of keys.
            for value in [value for key, value in node.value if key.tag == MERGE]:
                for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(one, yaml.MappingNode):
                        self.flatten_mapping(one)
                        self.merged += len(one.value)
                        if self.merged > MAX_MERGED:
                            raise ValueError(f"merge keys must copy at most {MAX_MERGED} keys, given more")
            super().flatten_mapping(node)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            # A mapping may override a key that it merges in from another mapping.
            _unique([(self.construct_object(key, deep=True), None) for key, _ in node.value if key.tag != MERGE])
            return super().construct_mapping(node, deep=True)

        def construct_yaml_int(self, node: Any) -> int:
            # YAML 1.1 reads 1:1:1:... as a number in base 60. The time to read it grows with the square of its length.
            if len(self.construct_scalar(node)) > MAX_DIGITS:
                raise ValueError(f"numbers must have at most {MAX_DIGITS} digits, given more")
            return super().construct_yaml_int(node)

    def tagged(loader: Any, name: str, node: Any) -> dict[str, Any]:
        """Return a mapping ``{name: value}`` for ``!Name value``, a value with a custom tag. No class is looked up."""
        if isinstance(node, yaml.MappingNode):
            return {name: loader.construct_mapping(node)}
        if isinstance(node, yaml.SequenceNode):
            return {name: loader.construct_sequence(node, deep=True)}
        return {name: loader.construct_scalar(node) or None}

    Loader.add_multi_constructor("!", tagged)
    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
    Loader.add_multi_constructor(
        "tag:yaml.org,2002:python/",
        lambda loader, tag, node: Failed(ValueError(f"a value of the tag !!python/{tag} is not made")),
    )
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
    try:
        return yaml.load(content, Loader=Loader)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
    except yaml.MarkedYAMLError as error:
        where = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        raise ValueError(shortened(f"the text is not well-formed{where}: {error.problem}")) from None
    except (yaml.YAMLError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # PyYAML raises errors of these other types if a tag does not fit its value.
        raise ValueError(shortened(f"the text is not well-formed: {error}")) from None

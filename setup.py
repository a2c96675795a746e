"""The part of the packaging that pyproject.toml cannot say: the packages, and the README as an index can show it."""

import re
from pathlib import Path

from setuptools import find_packages, setup

# The public address of the files of the repository, such as "https://HOST/OWNER/lehr/raw/main"; there is none so far.
FILES: str | None = None
PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?:)[^)]*\)")
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:)[^)]*\)")
TARGET = re.compile(r"\]\((?!https?:|#)")


def for_index(text: str, files: str | None) -> str:
    """A Markdown text without relative addresses, which lead nowhere on a package index.

    Args:
        text: the text.
        files: the address to put before relative addresses. None: a picture becomes its description, a link its text.
    """
    if files is not None:
        return TARGET.sub(f"]({files}/", text)
    return LINK.sub(r"\1", PICTURE.sub(r"*\1*", text))


def packages(root: Path) -> list[str]:
    """All packages, by the names under which they are installed."""
    inside = [f"{name}.{one}" for name in ("engine", "handlers") for one in find_packages(str(root / name))]
    return ["lehr", *(f"lehr.{name}" for name in ("engine", "handlers", *inside))]


if __name__ == "__main__":
    root = Path(__file__).parent
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    setup(
        packages=packages(root),
        long_description=for_index(readme, FILES),
        long_description_content_type="text/markdown",
    )

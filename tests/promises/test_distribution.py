"""What is built for a package index: the wheel, and the source distribution, which can run its own tests."""

import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

# What only a checkout needs.
OF_A_CHECKOUT = {".ci/run", ".gitignore", ".pre-commit-config.yaml"}
MADE = re.compile(r"PKG-INFO|setup\.cfg|lehr\.egg-info/.*")
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_{}(sys.argv[1]))"


@pytest.fixture(scope="module")
def tracked(pytestconfig):
    """The files that git knows; none where there is no git, as in the source distribution itself."""
    if not (pytestconfig.rootpath / ".git").exists():
        pytest.skip("needs a checkout")
    done = subprocess.run(["git", "ls-files"], cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def built(tracked, pytestconfig, tmp_path_factory):
    """The folder with the wheel and the source distribution, built from a copy."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pytestconfig.rootpath / name, copy / name)
    for kind in ("sdist", "wheel"):
        subprocess.run([sys.executable, "-c", BUILD.format(kind), folder], cwd=copy, capture_output=True, check=True)
    return folder


@pytest.mark.proof
def test_the_source_distribution_has_all_that_its_tests_need(built, tracked):
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {one.name.split("/", 1)[1] for one in archive.getmembers() if one.isfile()}
    in_a_checkout = {name for name in tracked if name in OF_A_CHECKOUT or name.startswith(".github/")}
    assert {name for name in names if not MADE.fullmatch(name)} == set(tracked) - in_a_checkout


@pytest.mark.proof
def test_the_wheel_has_the_code_alone(built, tracked):
    [path] = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        [metadata] = [archive.read(name).decode() for name in names if name.endswith("/METADATA")]
    code = {name for name in tracked if name.split("/")[0] in ("lehr", "handlers", "engine")}
    installed = {name if name.startswith("lehr/") else f"lehr/{name}" for name in code}
    assert {name for name in names if ".dist-info/" not in name} == installed
    assert {"lehr/py.typed", f"{path.name.split('-py3')[0]}.dist-info/licenses/LICENSE"} <= set(names)
    assert "\n# lehr\n" in metadata


def test_a_package_index_gets_no_relative_addresses(repository):
    for_index = runpy.run_path(str(repository / "setup.py"))["for_index"]
    text = "![a picture](a/b.png) of [a page](c.md), [a part](#part) and [a site](https://d.org) ![its](https://d.org/e.png)"
    assert for_index(text, None) == (
        "*a picture* of a page, a part and [a site](https://d.org) ![its](https://d.org/e.png)"
    )
    assert for_index(text, "https://f.org/raw") == (
        "![a picture](https://f.org/raw/a/b.png) of [a page](https://f.org/raw/c.md), [a part](#part) and "
        "[a site](https://d.org) ![its](https://d.org/e.png)"
    )
    readme = (repository / "README.md").read_text()
    assert "](examples/" in readme
    addresses = re.findall(r"\]\(([^)]*)\)", for_index(readme, None))
    assert addresses
    assert all(one.startswith("https://") for one in addresses)

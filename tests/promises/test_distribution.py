"""What is built for a package index: the source distribution, which can run its own tests, and the wheel.

The wheel is installed in an environment of its own, which has only what lehr requires. There it runs the quick start of
the README.
"""

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

# What only a checkout needs.
OF_A_CHECKOUT = {".ci/run", ".gitignore", ".pre-commit-config.yaml"}
MADE = re.compile(r"PKG-INFO|setup\.cfg|lehr\.egg-info/.*")
# Runs the code of the quick start, then its lines with prompts.
QUICK_START = """
import doctest, sys
code, lines = (open(path).read() for path in sys.argv[1:])
names = {}
exec(code, names)
runner = doctest.DocTestRunner()
runner.run(doctest.DocTestParser().get_doctest(lines, names, "README.md", None, 0))
assert runner.tries and not runner.failures, (runner.tries, runner.failures)
import lehr
print(lehr.__file__)
"""
# Neither another lehr nor the settings of pip on this machine.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
ENVIRONMENT["PIP_CONFIG_FILE"] = os.devnull


def run(*command, cwd):
    """Run a command; what it printed."""
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tracked(pytestconfig):
    """The files that git knows; none where there is no git, as in the source distribution itself."""
    if not (pytestconfig.rootpath / ".git").exists():
        pytest.skip("needs a checkout")
    done = subprocess.run(["git", "ls-files"], cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def built(tracked, pytestconfig, tmp_path_factory):
    """The folder with the source distribution, built from a copy, and the wheel, built from that."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pytestconfig.rootpath / name, copy / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, cwd=copy)
    return folder


def required(distribution, extra=""):
    """The names of the distributions that one requires, and those that these require, and so on."""
    found, waiting = set(), [(distribution, {extra})]
    while waiting:
        distribution, extras = waiting.pop()
        for line in distribution.requires or ():
            one = Requirement(line)
            applies = one.marker is None or any(one.marker.evaluate({"extra": name}) for name in extras | {""})
            if applies and one.name not in found:
                found.add(one.name)
                waiting.append((importlib.metadata.distribution(one.name), one.extras))
    return found


@pytest.fixture(scope="module")
def install(built, tmp_path_factory):
    """Install the wheel in a new environment, which has links to what it requires; the folder of its commands."""
    [wheel] = built.glob("*.whl")
    unpacked = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    [information] = unpacked.glob("*.dist-info")
    names = {extra: required(Distribution.at(information), extra) for extra in ("", "cli")}

    def install_with(extra):
        folder = tmp_path_factory.mktemp("bare")
        venv.create(folder / "venv")
        python = folder / "venv" / "bin" / "python"
        (folder / "required").mkdir()
        for name in names[extra]:
            distribution = importlib.metadata.distribution(name)
            for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
                if not top.endswith(".pth") and not (folder / "required" / top).exists():
                    (folder / "required" / top).symlink_to(distribution.locate_file(top))
        [site_packages] = (folder / "venv").glob("lib/python*/site-packages")
        (site_packages / "required.pth").write_text(f"{folder / 'required'}\n")
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        # Without an index: pip fails if something is missing that the wheel requires.
        run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", wanted, cwd=folder)
        return python.parent

    return install_with


@pytest.mark.proof
def test_a_package_index_would_take_both(built):
    printed = run(sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir()), cwd=built)
    assert printed.count("PASSED") == 2


@pytest.mark.proof
def test_the_quick_start_runs_with_the_wheel_and_what_it_requires_alone(install, repository, tmp_path):
    commands = install("")
    readme = (repository / "README.md").read_text()
    [section] = re.findall(r"^## Quick start\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    code, lines = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    for name, text in (("script.py", QUICK_START), ("code", code), ("lines", lines)):
        (tmp_path / name).write_text(text)
    used = Path(run(commands / "python", "script.py", "code", "lines", cwd=tmp_path).splitlines()[-1])
    assert used.is_relative_to(commands.parent)
    for missing in ("click", "yaml", "pandas", "pytest"):
        looked = run(
            commands / "python", "-c", f"import importlib.util as u; print(u.find_spec({missing!r}))", cwd=tmp_path
        )
        assert looked == "None\n"
    done = subprocess.run([commands / "lehr", "--help"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "lehr: the command needs click, which is not installed: pip install 'lehr[cli]'\n"


@pytest.mark.proof
def test_the_command_runs_with_the_wheel_and_its_extra_alone(install, repository, tmp_path):
    commands = install("cli")
    assert run(commands / "lehr", "--help", cwd=tmp_path).startswith("Usage: lehr [OPTIONS] [COMMAND]")
    readme = (repository / "README.md").read_text()
    [(line, expected)] = re.findall(r"^\$ lehr (simulate .*)\n((?:.+\n)*?)```", readme, re.MULTILINE)
    assert run(commands / "lehr", *line.split(), cwd=tmp_path) == expected


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
    assert {Path(name).suffix for name in installed} == {".py", ".typed", ".json"}
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

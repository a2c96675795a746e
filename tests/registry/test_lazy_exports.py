"""Public names that are imported when they are first used: as if they had been imported at once."""

import ast
import importlib
import inspect
import json
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

import lehr
from lehr.handlers.cli.convert_command import TARGETS
from lehr.handlers.config import recorded_catalogue
from lehr.handlers.config.catalogue import known_types
from lehr.handlers.config.conversion import convert

PACKAGES = ("lehr.engine", "lehr.handlers", "lehr.handlers.config", "lehr.handlers.schedules")
HEAVY = "print(sorted({'torch', 'ignite', 'numpy', 'matplotlib', 'yaml', 'plotly'} & set(sys.modules)))"
COMMANDS = ("list", "show", "plot", "simulate", "check", "diff", "convert", "audit")


def printed(code, *arguments, given=None):
    """What a new process prints, in which a warning is an error."""
    # ignite imports a part of torch that warns when it is imported
    warnings = ("-W", "error", "-W", "ignore:`torch.jit:DeprecationWarning")
    done = subprocess.run(
        [sys.executable, *warnings, "-c", code, *arguments], input=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


IMPORTS = ("engine import ParamHistory", "handlers import StepScheduler", "handlers.config import configure_scheduler")
LOADS = "from lehr.{}; import sys, torch; print(torch.load(sys.argv[1], weights_only=True))"

# Each is run in a process of its own, in which torch and ignite have been imported, and nothing of lehr.
CODES = {
    **{names: LOADS.format(names) for names in IMPORTS},
    "a star": (
        "from lehr.handlers import *; import lehr.handlers; print(set(lehr.handlers.__all__) <= set(globals()))"
    ),
    "submodules": "import lehr.handlers as h; print(h.schedules.Constant(1)(0), callable(h.plans.dry_run), h.dry_run)",
    "packages": "import lehr; print(lehr.engine.ParamHistory, lehr.handlers.Groups)",
    "functions": """
import lehr.handlers.plans.dry_run, lehr.handlers.forecast.find_lr, lehr.handlers.plans.check_plan
from lehr.handlers import dry_run, find_lr
from lehr.handlers.plans import check_plan
import lehr.handlers
print(*(callable(one) for one in (dry_run, find_lr, check_plan, lehr.handlers.dry_run, lehr.handlers.plans.dry_run)))
""",
    "threads": """
import threading, lehr.handlers
names, found, start = lehr.handlers.__all__, [], threading.Barrier(8)
def read(first):
    start.wait()
    found.append({name: getattr(lehr.handlers, name) for name in names[first:] + names[:first]})
threads = [threading.Thread(target=read, args=(7 * number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), all(one == found[0] for one in found), len(found[0]) == len(names))
""",
    "drawing": """
import sys, lehr.handlers, lehr.engine
print([m for m in sys.modules if m.split(".")[0] in ("matplotlib", "click", "uniplot") or "handlers.cli" in m])
""",
    # A folder ``lehr`` in the current folder, as a clone of the repository makes it.
    "a clone": """
import os, tempfile
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for package in ("lehr", "engine", "handlers"):
        os.makedirs(f"lehr/{package}")
        with open(f"lehr/{package}/__init__.py", "w") as file:
            file.write("raise AssertionError('the clone was imported')")
    import lehr, lehr.engine, lehr.handlers
    print(bool(lehr.__version__), lehr.handlers.__file__.startswith(folder))
""",
}
FORKS = """
import json, os, sys, traceback, warnings, torch, ignite.engine
warnings.filterwarnings("ignore", "This process .* is multi-threaded")  # NumPy has threads, which do nothing here
assert not [name for name in sys.modules if name.split(".")[0] == "lehr"]
printed = {}
for name, code in json.load(sys.stdin).items():
    reading, writing = os.pipe()
    if not os.fork():
        os.dup2(writing, 1)
        try:
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as output:
        printed[name] = output.read()
    os.wait()
print(json.dumps(printed))
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """The file of a history."""
    path = tmp_path_factory.mktemp("saved") / "history.pt"
    torch.save(lehr.engine.ParamHistory({"lr": [[0.5]]}), path)
    return str(path)


@pytest.fixture(scope="module")
def printed_by_codes(history):
    return json.loads(printed(FORKS, history, given=json.dumps(CODES)))


def imports_of(package):
    """The names that type checkers see, by their modules, and those that are imported at run time."""
    tree = ast.parse(inspect.getsource(importlib.import_module(package)))
    [branch] = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(branch.test) == "TYPE_CHECKING"
    seen = {node.module: {alias.name for alias in node.names} for node in branch.body}
    [table] = [node for node in ast.walk(ast.Module(branch.orelse, [])) if isinstance(node, ast.Dict)]
    return seen, {module: set(names) for module, names in ast.literal_eval(table).items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_checkers_and_python_see_the_same_names(package):
    seen, imported = imports_of(package)
    assert seen == imported
    assert {name for names in seen.values() for name in names} == set(importlib.import_module(package).__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_submodule_bears_a_public_name(package):
    module = importlib.import_module(package)
    submodules = {path.stem for path in Path(module.__file__).parent.iterdir()}
    assert submodules.isdisjoint(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_the_object_that_its_module_has(package):
    module = importlib.import_module(package)
    for submodule, names in imports_of(package)[1].items():
        for name in names:
            value = getattr(module, name)
            assert value is getattr(module, name)
            assert value is getattr(importlib.import_module(f"{package}.{submodule}"), name)
            assert pickle.loads(pickle.dumps(value)) is value
            assert name in vars(module)


def test_dir_has_all_names_before_they_are_imported():
    code = f"import sys, lehr.handlers as h; assert set(h.__all__) | {{'plans', 'schedules'}} <= set(dir(h)); {HEAVY}"
    assert printed(code) == "[]\n"


@pytest.mark.parametrize("names", IMPORTS)
def test_torch_loads_a_history_once_a_public_name_is_imported(names, printed_by_codes):
    assert printed_by_codes[names] == "<ParamHistory of 'lr': 1 events>\n"


@pytest.mark.parametrize(
    "names", [IMPORTS[0], *(pytest.param(names, marks=pytest.mark.proof) for names in IMPORTS[1:])]
)
def test_torch_that_is_imported_after_a_public_name_loads_a_history(names, history):
    assert printed(LOADS.format(names), history) == "<ParamHistory of 'lr': 1 events>\n"


def test_star_import(printed_by_codes):
    assert printed_by_codes["a star"] == "True\n"


def test_submodules_are_attributes_without_an_import_of_their_own(printed_by_codes):
    assert printed_by_codes["submodules"].startswith("1.0 True <function dry_run")
    assert printed_by_codes["packages"].count("class") == 2


def test_what_draws_and_what_the_command_needs_is_imported_only_there(printed_by_codes):
    assert printed_by_codes["drawing"] == "[]\n"


def test_a_clone_named_lehr_does_not_shadow_the_installed_package(printed_by_codes):
    assert printed_by_codes["a clone"] == "True False\n"


@pytest.mark.parametrize("module", [lehr, lehr.handlers, lehr.handlers.config])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match=f"^module '{module.__name__}' has no attribute 'OneCycleSchedular'$"):
        module.OneCycleSchedular  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'OneCycleSchedular'"):
        exec(f"from {module.__name__} import OneCycleSchedular")


def test_functions_stay_functions_after_their_modules_are_imported(printed_by_codes):
    assert printed_by_codes["functions"] == "True True True True True\n"


def test_threads_that_import_at_once(printed_by_codes):
    assert printed_by_codes["threads"] == "8 True True\n"


def test_schedules_import_numpy_alone():
    assert printed(f"import sys, lehr.handlers.schedules as s; s.Constant(1)(0); {HEAVY}") == "['numpy']\n"


@pytest.mark.parametrize("args", [["--help"], ["plot", "--nonsense"], ["frob"], ["list"], ["list", "torch."]])
def test_help_errors_and_lists_import_neither_numpy_nor_torch(args):
    code = f"""
import sys
sys.argv, sys.stderr = ["lehr", *{args}], sys.stdout
from lehr.handlers.cli import main
try:
    main()
except SystemExit:
    {HEAVY}
"""
    assert printed(code).splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_imports_no_numpy(command):
    code = f"""
import sys
from lehr.handlers.cli.commands import lehr
lehr.main(["{command}", "--help"], standalone_mode=False)
{HEAVY}
"""
    assert printed(code).splitlines()[-1] == "[]"


def test_the_list_is_that_of_the_classes():
    text = recorded_catalogue.FILE.read_text(encoding="utf-8")
    assert text == recorded_catalogue.as_text(known_types()), "make gallery records the types of lehr list"
    as_data = json.loads(json.dumps(list(map(str, recorded_catalogue.recorded_types()))))
    assert as_data == list(known_types())


def test_the_record_is_in_the_package(repository):
    packaging = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert packaging["package-data"]["lehr.handlers.config"] == [recorded_catalogue.FILE.name]


def test_convert_offers_all_targets():
    assert set(TARGETS) == set(convert.TARGETS)

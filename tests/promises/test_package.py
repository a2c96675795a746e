"""What is installed, and what imports what."""

import ast
import importlib.metadata
import inspect
import re
import sys
from pathlib import Path

import lehr.engine
import lehr.handlers
from lehr.handlers import BaseParamScheduler


def test_tests_run_against_the_installed_package(repository):
    for package in (lehr.handlers, lehr.engine):
        folder = Path(package.__file__).parent
        assert not folder.is_relative_to(repository / "handlers")
        assert not folder.is_relative_to(repository / "engine")
        assert (folder / "py.typed").is_file()
        assert folder.parent.name == "lehr"


def test_nothing_is_installed_outside_of_lehr():
    files = [path for path in importlib.metadata.files("lehr") or () if path.parts[-2:] != ("bin", "lehr")]
    assert files
    assert {path.parts[0].split("-")[0] for path in files} == {"lehr"}
    assert {path.parts[1] for path in files if path.parts[0] == "lehr"} == {
        "__init__.py",
        "__pycache__",
        "py.typed",
        "shortened_text.py",
        "special_files.py",
        "lazy_exports.py",
        "handlers",
        "engine",
    }


OF_ALL_LAYERS = {"lehr.shortened_text", "lehr.lazy_exports", "lehr.special_files"}


def test_schedules_import_only_numpy_and_the_standard_library(repository):
    files = [*(repository / "handlers" / "schedules").glob("*.py"), *(repository / "lehr").glob("*.py")]
    assert len(files) >= 10
    allowed = {"numpy", *sys.stdlib_module_names}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                assert {name.name.split(".")[0] for name in node.names} <= allowed, file
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module.split(".")[0] in allowed or node.module in OF_ALL_LAYERS, file


# What a named scheduler may have beside its signature, its docstring and its schedule: the other place that it
# writes to, the engine of the metric that it is driven by, or ignite's names of the arguments to simulate with.
METRIC = {"_give_metric", "_schedule_state", "_restore_schedule"}
OF_ITS_OWN = {
    "BatchRamp": {"attach", "dataloader", "simulate_values"},
    "BatchSizeScheduler": {"attach", "dataloader", "_number_type", "_num_groups", "_adjust", "_check_state"},
    "ConcatScheduler": {"simulate_values"},
    "MetricScheduler": {*METRIC, "_follow", "_reads_metric_at", "observe"},
    "LRScheduler": {
        *METRIC, "_reads_metric_at", "observe", "simulate_values", "load_state_dict",
        "_check_state", "_distinct_values", "_read",
    },
    "LambdaStateScheduler": {"get_param"},
    "ReduceLROnPlateauScheduler": {"simulate_values", "plot_values", "_simulated"},
    "PhaseScheduler": {"metric_name", "reduction", "phase", "next_phase", "observe", "_simulated"},
    "ReduceOnPlateauScheduler": {
        *METRIC, "__call__", "_recording_engine", "observe", "state_dict", "load_state_dict",
        "simulate", "simulate_values", "plot_values", "_simulated", "_admit_groups",
    },
}  # fmt: skip
MECHANISMS = (
    "core.",
    "schedulers.ignite_cycles.CyclicalScheduler",
    "schedulers.decay_scheduler",
)


def test_named_schedulers_add_nothing_but_signature_docstring_and_schedule():
    for name in lehr.handlers.__all__:
        cls = getattr(lehr.handlers, name)
        place = f"{cls.__module__}.{name}".removeprefix("lehr.handlers.")
        if not place.startswith(MECHANISMS) and inspect.isclass(cls) and issubclass(cls, BaseParamScheduler):
            own = {key for key in vars(cls) if not key.startswith("__") or key == "__call__"}
            assert own <= {"schedule_type", "_without_optimizer", "_abc_impl", *OF_ITS_OWN.get(name, ())}, name


def test_files_are_short(repository):
    """About 200 lines of code, docstrings and comments aside."""
    for folder in ("handlers", "engine", "examples"):
        for file in (repository / folder).rglob("*.py"):
            assert lines_of_code(file) <= 230, file


def lines_of_code(file: Path) -> int:
    text = file.read_text()
    docstrings = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings |= set(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and at not in docstrings for at, line in lines)


def test_the_table_of_faults_names_tests_that_exist(repository):
    folder = repository / "tests" / "faults"
    named = re.findall(r"`(\S+\.py)(?:::(\w+))?` \|$", (folder / "README.md").read_text(), flags=re.MULTILINE)
    assert len(named) > 40
    for file, test in named:
        assert f"def {test}(" in (folder / file).read_text() if test else (folder / file).exists(), (file, test)

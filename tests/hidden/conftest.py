"""Runs hidden checks on the reference, in this process: `pytest tests/hidden/aNN_topic`.

The judge never reads this file: it collects below an assignment, with fixtures of its own.
"""

from types import ModuleType

import pytest

from autograder.checks import Seeds, inputs_for, stages_for
from autograder.judge.student import LocalTransport, Student


@pytest.fixture
def student(request):
    """The reference modules that the check file imports, as a submission."""
    named = vars(request.module).values()
    modules = [value for value in named if isinstance(value, ModuleType)]
    reference = [m for m in modules if m.__name__.startswith("reference.")]
    functions = {name: value for module in reference for name, value in vars(module).items()}
    plugins = request.config.pluginmanager.get_plugins()
    arrays_as = next((plugin.ARRAYS for plugin in plugins if hasattr(plugin, "ARRAYS")), "numpy")
    folder = request.path.parent.name
    seeds = Seeds(b"not secret", "reference", folder, request.node.name)
    return Student(LocalTransport(functions), seeds, arrays_as)


@pytest.fixture
def inputs(student):
    """A generator for random inputs."""
    return inputs_for(student.seeds)


@pytest.fixture
def stages(student):
    """The source of stage seeds."""
    return stages_for(student.seeds)

"""`@probe`: a function of a check file that runs in the student process."""

import ast
import builtins
import inspect
import symtable
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from autograder.checks._rng import Rng
from autograder.checks._seeds import Seeds

__all__ = ["Asked", "Call", "Probe", "probe"]

# What a probe's source may name: the process that runs it provides these, and nothing else.
LIBRARIES = ("np", "numpy", "tf", "tensorflow")


class Asked(Protocol):
    """Whom a check asks: the submission, wherever its process runs.

    Attributes:
        seeds: The seeds of the check.
        arrays_as: What arrays arrive as: "numpy" or "tensorflow".
    """

    seeds: Seeds
    arrays_as: str

    def run_probe(self, probe: "Probe", *arguments: Any, call: str | None = None) -> Any:  # noqa: ANN401
        """Runs a probe in the student process and returns its result."""

    def call_text(self, name: str, arguments: tuple[Any, ...]) -> str:
        """Says a call in one line."""

    def argument_names(self, name: str) -> Sequence[str]:
        """Returns the names of a function's arguments, in order, as far as they are known."""


class Call(Protocol):
    """`student.f`: the function f of the submission.

    Attributes:
        student: Whose function.
        name: Its name.
    """

    student: Asked
    name: str

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401
        """Calls it in the student process."""


class Probe:
    """A function that is sent to the student process as source.

    Attributes:
        name: The function's name.
        source: Its source without decorators, docstring and annotations.
        function: The function itself, to run where the right functions are.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Takes the source of a function.

        Raises:
            TypeError: If it has no parameter `student`, or names what it cannot bring along.
        """
        self.function = function
        self.name = function.__name__
        self.source = _bare_source(function)
        if next(iter(inspect.signature(function).parameters), None) != "student":
            raise TypeError(f"The first parameter of the probe {self.name} must be `student`.")
        foreign = sorted(set(_foreign_names(self.source, self.name)))
        if foreign:
            raise TypeError(
                f"The probe {self.name} uses {', '.join(foreign)}, which the student process does "
                "not have. It may use its arguments, NumPy and TensorFlow."
            )

    def __call__(self, student: Asked, *arguments: Any) -> Any:  # noqa: ANN401
        """Runs it in the student process.

        Args:
            student: The submission.
            *arguments: Arrays, numbers, names, markers for generators, and tuples, lists and
                dicts of them.

        Returns:
            What it returned: an array, or a tuple, list or dict of arrays, nested or not.

        Raises:
            CheckFailed: If student code raised, or the result is not made of arrays.
        """
        return student.run_probe(self, *arguments)


def probe(function: Callable[..., Any]) -> Probe:
    """Makes a function a probe: first parameter `student`, then arrays.

    In the student process `student.f` is the submission's function f. The probe returns an array,
    or a tuple, list or dict of arrays. It may use NumPy and TensorFlow (as `np` and `tf`), and
    never holds an expected value: students can read it.

    Raises:
        TypeError: If it uses globals or closures, which do not travel.
    """
    return Probe(function)


def _bare_source(function: Callable[..., Any]) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"A probe is a function made with `def`. Received: {function!r}")
    definition.decorator_list = []
    definition.returns = None
    arguments = definition.args
    several = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    for argument in (*several, arguments.vararg, arguments.kwarg):
        if argument is not None:
            argument.annotation = None
    # A docstring may tell what a check looks for.
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:] or [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(tree))


def _foreign_names(source: str, own_name: str) -> Iterator[str]:
    tables = [symtable.symtable(source, "<probe>", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            outside = symbol.is_global() or table.get_type() == "module"
            known = (own_name, *LIBRARIES)
            name = symbol.get_name()
            if outside and name not in known and not hasattr(builtins, name):
                yield name


def drawing(call: Callable[..., Any], arguments: tuple[Any, ...] = ()) -> Rng:
    """Returns the marker a call takes for its generator.

    Args:
        call: `student.f`, or a function whose parameter `rng` has a marker as default.
        arguments: What it will be called with; a marker among them decides.

    Raises:
        TypeError: If neither says which generator it takes.
    """
    for argument in arguments:
        if isinstance(argument, Rng):
            return argument
    if hasattr(call, "student"):
        return Rng("tensorflow" if call.student.arrays_as == "tensorflow" else "numpy")
    parameter = inspect.signature(call).parameters.get("rng")
    if parameter is None or not isinstance(parameter.default, Rng):
        raise TypeError(
            "A function that draws takes its generator as `rng`, with a marker as default: "
            f"`rng=tensorflow_rng`. Received: {call!r}"
        )
    return parameter.default


def drawn(call: Callable[..., Any], arguments: tuple[Any, ...], marker: Rng) -> Any:  # noqa: ANN401
    """Calls with `marker` in the place of the generator: where a marker stands, else last."""
    if any(isinstance(argument, Rng) for argument in arguments):
        return call(*(marker if isinstance(item, Rng) else item for item in arguments))
    if hasattr(call, "student"):
        return call(*arguments, marker)
    return call(*arguments, rng=marker)


def reports_of(marker: Rng) -> list[dict[str, Any]]:
    """Returns what came back for each call that a counted marker went through.

    Raises:
        TypeError: If it went through none: the check did not pass it on.
    """
    if marker.ledger is None or not marker.ledger.reports:
        raise TypeError("The marker for the generator was not passed on to student code.")
    return marker.ledger.reports

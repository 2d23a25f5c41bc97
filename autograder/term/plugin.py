"""What `nbgrader generate_assignment` calls: the same bytes every time, and nothing leaks."""

from pathlib import Path
from typing import Any

import nbformat
from nbgrader.preprocessors import ClearMarkScheme, NbGraderPreprocessor
from nbgrader.utils import is_solution

from autograder.course import find_course
from autograder.errors import DoesNotHold
from autograder.term.leaks import find_leaks
from autograder.term.release import leak_report, leaks_in, other_files

__all__ = ["ClearAnswerSchemes", "LeakCheck", "StableNotebook"]

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# What Jupyter writes into a cell while it runs.
_TRACES = ("execution", "ExecuteTime", "collapsed", "scrolled")


class StableNotebook(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is untyped
    """Strips what depends on the machine and the day on which the source was saved."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the notebook, on assignments with hidden checks without its traces."""
        if _is_checked(resources):
            nb.metadata.clear()
            nb.metadata.update(kernelspec=dict(_KERNEL), language_info={"name": "python"})
            for cell in nb.cells:
                for key in _TRACES:
                    cell.metadata.pop(key, None)
        return nb, resources


class ClearAnswerSchemes(ClearMarkScheme):  # type: ignore[misc]  # nbgrader is untyped
    """Takes the mark scheme out of answers in words, before their checksum is stored.

    Stock allows mark schemes in task cells only, and takes them out after the checksum that tells
    an untouched answer.
    """

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the cell, without its mark scheme if it is a solution cell."""
        if is_solution(cell):
            self._remove_mark_scheme_region(cell)
        return cell, resources


class LeakCheck(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is untyped
    """Fails the release if it holds what students must not see."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the notebook as it is.

        Raises:
            DoesNotHold: If something leaks; on assignments without hidden checks it only warns.
        """
        name, file = resources["nbgrader"]["assignment"], resources["nbgrader"]["notebook"]
        released = self._folder("release") / name
        files = other_files(released)
        if _is_checked(resources):
            leaks = leaks_in(find_course(Path.cwd()), name, nb, files)
            if file != name:
                leaks.append(f"The notebook {file}.ipynb would be released, too.")
            if leaks:
                raise DoesNotHold(leak_report(name, leaks))
        else:
            source = nbformat.read(self._folder("source") / name / f"{file}.ipynb", as_version=4)
            for leak in find_leaks(source, nb, files):
                self.log.warning("%s: %s", name, leak)
        return nb, resources

    def _folder(self, step: str) -> Path:
        """Where nbgrader reads or writes, which `lgm release` moves: a release is built aside."""
        section = self.config.get("CourseDirectory", {})
        return Path.cwd() / str(section.get(f"{step}_directory", step))


def _is_checked(resources: Any) -> bool:  # noqa: ANN401
    # nbgrader's converters work in the course's root. A course that knows nothing of us has no
    # such folder, and need not have a configuration of ours.
    name = str(resources["nbgrader"]["assignment"])
    return (Path.cwd() / "tests" / "hidden" / name).is_dir()

"""What students get: built from the source, without a trace of what they must not see."""

import ast
import json
import os
import subprocess
import sys

from autograder.course.reference_source import solution_code
from autograder.term import build, release_leaks

# What a student's machine has: the standard library and these.
INSTALLED = {"tensorflow", "keras", "numpy", "matplotlib", "sklearn", "IPython"}


def cells(course, assignment):
    path = course.release_folder(assignment.name) / f"{assignment.name}.ipynb"
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_committed_release_is_a_fresh_build(course, assignment, tmp_path):
    fresh = build(course, assignment.name, tmp_path)
    assert files(fresh) == files(course.release_folder(assignment.name))


def test_the_release_leaks_nothing(course, assignment):
    assert release_leaks(course, assignment.name) == []


def test_neither_release_nor_source_holds_outputs(course, assignment):
    source = json.loads(assignment.notebook.read_text(encoding="utf-8"))["cells"]
    for cell in (*source, *cells(course, assignment)):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_students_need_only_what_they_have(course, assignment):
    for cell in cells(course, assignment):
        if cell["cell_type"] != "code":
            continue
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                package = name.partition(".")[0]
                assert package in INSTALLED | sys.stdlib_module_names, name


def test_every_exercise_says_that_it_is_not_written_yet(course, assignment):
    solutions = {e.name: e.functions for e in assignment.exercises}
    for cell in cells(course, assignment):
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id not in solutions:
            continue
        tree = ast.parse("".join(cell["source"]))
        kinds = (ast.FunctionDef, ast.ClassDef)
        definitions = [node for node in tree.body if isinstance(node, kinds)]
        assert tuple(node.name for node in definitions) == solutions[grade_id]
        for definition in definitions:
            assert ast.get_docstring(definition)
            functions = [definition]
            if isinstance(definition, ast.ClassDef):
                functions = [n for n in definition.body if isinstance(n, ast.FunctionDef)]
                assert functions
            for function in functions:
                assert ast.get_docstring(function)
                last = function.body[-1]
                assert isinstance(last, ast.Raise)
                assert last.exc.func.id == "NotImplementedError"
                assert len(last.exc.args[0].value.split()) > 4


def run_as_a_student(notebook, folder):
    """Runs a notebook cell by cell, whatever goes wrong; returns the executed cells."""
    path = folder / "notebook.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    quiet = {"FAST": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    convert = ["nbconvert", "--to", "notebook", "--execute", "--inplace", "--allow-errors"]
    subprocess.run(
        [sys.executable, "-m", "jupyter", *convert, "--log-level=ERROR", str(path)],
        check=True,
        cwd=folder,
        env={**os.environ, **quiet},
        timeout=600,
    )
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def errors_of(executed):
    """The name of the error by the cell's grade_id, or by its id."""
    found = {}
    for cell in executed:
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                name = cell["metadata"].get("nbgrader", {}).get("grade_id") or cell["id"]
                found[name] = f"{output['ename']}: {output['evalue']}"
    return found


def test_an_untouched_release_only_says_what_is_not_written_yet(course, assignment, tmp_path):
    notebook = {
        **json.loads(assignment.notebook.read_text(encoding="utf-8")),
        "cells": cells(course, assignment),
    }
    for name, content in files(course.release_folder(assignment.name)).items():
        (tmp_path / name).write_bytes(content)
    errors = errors_of(run_as_a_student(notebook, tmp_path))
    tests = {exercise.test_cell for exercise in assignment.exercises}
    # A figure that is marked by hand begins as a stub, too.
    assert tests <= set(errors) <= tests | {cell.grade_id for cell in assignment.manual}
    assert {error.partition(":")[0] for error in errors.values()} == {"NotImplementedError"}


def test_a_solved_notebook_runs_from_top_to_bottom(course, assignment, tmp_path):
    notebook = json.loads(assignment.notebook.read_text(encoding="utf-8"))
    solutions = {e.name: solution_code(course, e) for e in assignment.exercises}
    for cell in notebook["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = solutions.get(grade_id, cell["source"])
    for name, content in files(course.release_folder(assignment.name)).items():
        (tmp_path / name).write_bytes(content)
    executed = run_as_a_student(notebook, tmp_path)
    assert errors_of(executed) == {}
    figures = [
        output
        for cell in executed
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(figures) >= 5

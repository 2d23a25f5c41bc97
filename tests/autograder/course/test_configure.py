"""What is set up for nbgrader's own commands."""

import importlib

from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from traitlets.config import Config

from autograder.course import configure


def configured() -> Config:
    config = Config()
    configure(config)
    return config


def test_running_it_again_changes_nothing():
    config = configured()
    once = repr(config)
    configure(config)
    configure(config)
    assert repr(config) == once


def test_the_steps_of_stock_are_there_or_replaced_by_ours():
    config = configured()
    replaced = {
        "ClearOutput": "ClearOutputs",
        "DeduplicateIds": "UniqueIds",
        "OverwriteCells": "RestoreCells",
        "Execute": "SandboxExecute",
        "SaveAutoGrades": "JudgeScores",
    }
    for name, stock in (
        ("sanitize_preprocessors", Autograde.sanitize_preprocessors),
        ("autograde_preprocessors", Autograde.autograde_preprocessors),
    ):
        ours = [path.rpartition(".")[2] for path in getattr(config.Autograde, name)]
        due = [replaced.get(step.__name__, step.__name__) for step in stock.default()]
        assert [step for step in ours if step != "CleanCells"] == due


def test_the_steps_of_a_release_keep_their_order():
    ours = [p.rpartition(".")[2] for p in configured().GenerateAssignment.preprocessors]
    stock = [step.__name__ for step in GenerateAssignment.preprocessors.default()]
    extra = ("StableNotebook", "ClearAnswerSchemes", "LeakCheck")
    assert [step for step in ours if step not in extra] == stock
    assert ours[-1] == "LeakCheck"
    assert ours.index("ClearAnswerSchemes") < ours.index("ComputeChecksums")


def test_feedback_has_the_steps_of_stock():
    ours = [p.rpartition(".")[2] for p in configured().GenerateFeedback.preprocessors]
    stock = [step.__name__ for step in GenerateFeedback.preprocessors.default()]
    assert [s for s in ours if s not in ("ClearHiddenTests", "RedactFeedback")] == stock


def test_every_plug_in_exists():
    config = configured()
    paths = [
        config.Autograde.pre_convert_hook,
        *config.Autograde.sanitize_preprocessors,
        *config.Autograde.autograde_preprocessors,
        *config.GenerateAssignment.preprocessors,
        *config.GenerateFeedback.preprocessors,
    ]
    for path in paths:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path


def test_results_of_ours_do_not_reach_feedback():
    assert "results.json" in configured().CourseDirectory.ignore
    assert configured().HTMLExporter.sanitize_html is True

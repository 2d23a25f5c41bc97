"""The proof's page says what holds and what does not, runs nothing and fetches nothing."""

import re

import pytest

from autograder.report import write_proof


def repeated(name, runs, failed, lower, upper):
    return {"name": name, "runs": runs, "failed": failed, "lower": lower, "upper": upper}


NEAR = {
    "name": "near",
    "effect": "2 % off",
    "natural": repeated("near", 200, 200, 0.985, 1.0),
    "staged": repeated("near", 200, 50, 0.2, 0.3),
}


def row(id, kind, **changed):
    entry = {
        "id": id, "kind": kind, "bound": 0.0, "property": None, "n": 0, "strikes": 0, "runs": 0,
        "upper": None, "mistakes_caught": 1, "mistakes_named": 1, "repeated": None,
        "weakest": None, "near_misses": [], "seconds": 0.012,
    }  # fmt: skip
    return {**entry, **changed}


@pytest.fixture
def document():
    left = {"trials": 1, "misnamed": 0, "rate": 0.0, "upper": 0.95}
    diagnosis = {"trials": 1, "named": 1, "misnamed": 0, "unnamed": 0, "left_one_out": left}
    staged = row(
        "test_entropy_matches_the_definition", "staged", bound=2.5e-10, property="the mean",
        n=400, strikes=75, runs=10_000, upper=0.0098, near_misses=[NEAR],
    )  # fmt: skip
    exercise = {
        "name": "entropy", "reference": "passed", "stub": "passed",
        "alternatives": [{"name": "through_the_mean", "outcome": "passed"}],
        "mistakes": [
            {"name": "in_bits", "expected": "failed", "reason": "", "outcome": "failed",
             "caught_by": ["test_entropy_matches_the_definition"], "named": ["in_bits"],
             "named_if_left_out": []},
            {"name": "redraws", "expected": "undetectable", "reason": "It is a <valid> kernel.",
             "outcome": "passed", "caught_by": [], "named": [], "named_if_left_out": []},
        ],
        "follow_through": [{"broken": "sigmoid", "outcome": "passed"}],
        "diagnosis": diagnosis, "checks": [row("test_entropy_of_a_fair_coin", "exact"), staged],
        "false_fail_bound": 2.5e-10, "seconds": 0.1, "problems": [],
    }  # fmt: skip
    entry = {"name": "a90_toy", "sandbox": "full", "exercises": [exercise],
             "diagnosis": diagnosis, "problems": []}  # fmt: skip
    chance = {"assignments": 1, "checks": 2, "students": 300, "bound": 7.5e-8}
    return {"schema": 1, "assignments": [entry], "false_fail": chance}


@pytest.fixture
def page(toy_course, document):
    def write():
        return write_proof(toy_course, document).read_text(encoding="utf-8")

    return write


def test_what_was_proved_is_on_the_page(page):
    text = page()
    assert "Everything holds." in text
    assert "7.5 · 10⁻⁸" in text
    assert "2.5 · 10⁻¹⁰" in text
    assert "75 of 10000" in text
    assert "2 % off: 100% (98% to 100%) as it stands, 25% (20% to 30%) by draws alone" in text
    assert "A fair coin has log 2 nats." in text
    assert "no valid check can see it: It is a &lt;valid&gt; kernel." in text
    assert "<svg" in text


def test_what_does_not_hold_comes_first(page, document):
    document["assignments"][0]["problems"] = ["entropy: the mistake <b>x</b> passes every check"]
    text = page()
    assert "Everything holds." not in text
    assert "the mistake &lt;b&gt;x&lt;/b&gt; passes every check" in text


def test_without_checks_by_chance_there_is_no_figure(page, document):
    document["assignments"][0]["exercises"][0]["checks"].pop()
    assert "<svg" not in page()


def test_the_page_runs_nothing_and_fetches_nothing(page):
    text = page()
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!#)', text)

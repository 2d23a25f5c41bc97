"""The proof runs every solution as a submission and says what does not hold."""

import pytest

from autograder.verify import Diagnosis, Trial, verify


@pytest.fixture
def prove(toy_course, light_sandbox):
    """Proves the toy course."""

    def run(jobs=2, seen=None):
        progress = (lambda *event: None) if seen is None else (lambda *event: seen.append(event))
        return verify(toy_course, toy_course.assignment("a90_toy"), jobs, progress)

    return run


def trials(proof):
    return {
        (trial.kind, trial.name): trial
        for exercise in proof.exercises
        for trial in exercise.trials
    }


def test_what_is_right_earns_everything_and_what_is_wrong_is_caught(prove):
    seen = []
    proof = prove(seen=seen)
    assert proof.problems == []
    assert proof.sandbox == "full"
    assert [exercise.name for exercise in proof.exercises] == ["sigmoid", "entropy"]
    found = trials(proof)
    assert found["mistake", "in_bits"].caught_by[-1] == "test_entropy_matches_the_definition"
    assert found["alternative", "by_tanh"].caught_by == ()
    assert found["stub", "release"].caught_by
    assert found["mistake", "in_bits"].names == ("in_bits",)
    assert found["broken", "sigmoid"].caught_by == ()
    assert proof.diagnosis.named == proof.diagnosis.trials == 4
    assert proof.diagnosis.left_out == 0
    done, total, _ = seen[-1]
    assert done == total == 12


MORE = '''

@mistake("sigmoid", kind="lazy", hint="h")
def right_after_all(logit):
    return toy.sigmoid(logit)


@mistake("sigmoid", kind="lazy", hint="h", undetectable="It is right.")
def right_and_said_so(logit):
    return toy.sigmoid(logit)


@alternative("sigmoid")
def wrong_after_all(logit):
    return 0.9 * toy.sigmoid(logit)


@mistake("sigmoid", kind="lazy", hint="h")
def wrong_from_the_second_call_on(logit):
    wrong_from_the_second_call_on.calls = getattr(wrong_from_the_second_call_on, "calls", 0) + 1
    return toy.sigmoid(logit) * (1.0 if wrong_from_the_second_call_on.calls == 1 else 0.5)


@exercise("sigmoid", points=0, mistakes=("sign",))
def test_sees_nothing(student):
    """This check sees nothing at all."""


@exercise("sigmoid", points=0)
def test_is_broken(student):
    """This check is broken for every other submission."""
    if student.sigmoid(np.zeros(1))[0] == 0.9 * 0.5:
        raise ZeroDivisionError
'''


def test_everything_that_does_not_hold_is_said(prove, toy_course):
    path = toy_course.hidden_folder("a90_toy") / "test_sigmoid.py"
    path.write_text(path.read_text(encoding="utf-8") + MORE, encoding="utf-8")
    proof = prove()
    found = trials(proof)
    problems = "\n".join(proof.problems)
    assert "the mistake right_after_all passes every check" in problems
    assert "the mistake sign passes test_sees_nothing, which names it" in problems
    assert (
        "wrong_from_the_second_call_on passes the test cell and fails what repeats it" in problems
    )
    assert "alternative wrong_after_all: test_is_broken could not be decided" in problems
    assert "right_and_said_so" not in problems
    assert found["mistake", "right_and_said_so"].expected == "undetectable"
    assert len(proof.problems) == 4


LEFT_BEHIND = "".join(
    f"""

@mistake("sigmoid", kind="lazy", hint="h")
def leaves_a_name_{number}(logit):
    globals()["left_behind"] = 1.0
    return {number}.5 * toy.sigmoid(logit)
"""
    for number in (1, 2, 3)
)
LEANING = """

@alternative("sigmoid")
def leans_on_what_others_left(logit):
    return left_behind * toy.sigmoid(logit)  # noqa: F821
"""


def test_no_entry_sees_the_names_of_another(prove, toy_course):
    # One of the three runs in the same process, before.
    path = toy_course.hidden_folder("a90_toy") / "test_sigmoid.py"
    path.write_text(path.read_text(encoding="utf-8") + LEFT_BEHIND + LEANING, encoding="utf-8")
    (problem,) = prove().problems
    assert "the alternative leans_on_what_others_left fails" in problem


def test_points_that_the_empty_release_earns_are_said(prove, toy_course):
    path = toy_course.hidden_folder("a90_toy") / "test_entropy.py"
    text = path.read_text(encoding="utf-8")
    gift = text.replace("expect(student.entropy(np.zeros(2)))", "expect(np.full(2, np.log(2.0)))")
    assert gift != text
    path.write_text(gift, encoding="utf-8")
    problems = prove().problems
    said = "entropy: the empty release earns points in test_entropy_of_a_fair_coin"
    assert said in problems


def test_a_dependency_that_is_not_declared_is_said(prove, toy_course):
    path = toy_course.hidden_folder("a90_toy") / "test_entropy.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('depends_on=("sigmoid",), visible', "visible"), encoding="utf-8")
    (problem,) = prove().problems
    assert problem.startswith("entropy: with sigmoid broken, test_entropy_of_a_fair_coin fails")
    assert "depends_on" in problem


TWIN = """

@mistake("entropy", kind="scale", hint="Another hint.")
def in_bits_too(logit):
    return toy.entropy(logit) / 0.6931471805599453
"""


def test_mistakes_that_would_be_taken_for_others_are_counted(prove, toy_course):
    path = toy_course.hidden_folder("a90_toy") / "test_entropy.py"
    path.write_text(path.read_text(encoding="utf-8") + TWIN, encoding="utf-8")
    proof = prove()
    found = trials(proof)
    # Two hints agree, so neither is given; but each alone would pass for the other.
    assert found["mistake", "in_bits"].names == ()
    assert found["mistake", "in_bits"].left_out == ("in_bits_too",)
    assert found["mistake", "in_bits_too"].left_out == ("in_bits",)
    document = proof.to_json()["diagnosis"]
    assert document["left_one_out"]["misnamed"] == 2
    assert document["left_one_out"]["rate"] == pytest.approx(2 / 5)
    assert document["unnamed"] == 2
    assert "2 of 5 mistakes" in proof.problems[-1]


def test_the_rate_of_wrong_names_has_an_upper_bound():
    trial = Trial("mistake", "m", "failed", ("test",), None)
    none = Diagnosis.of([trial] * 100)
    assert (none.left_out, none.too_many) == (0, False)
    # Of 100 without one: 1 - 0.05 ** (1 / 100).
    assert none.left_out_upper == pytest.approx(1 - 0.05**0.01)
    wrong = Trial("mistake", "m", "failed", ("test",), None, ("other",), ("other",))
    some = Diagnosis.of([trial] * 93 + [wrong] * 7)
    assert (some.misnamed, some.left_out, some.too_many) == (7, 7, True)
    assert Diagnosis.of([]).left_out_upper == 1.0

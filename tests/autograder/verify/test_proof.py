"""The proof runs every solution as a submission and says what does not hold."""

import pytest

from autograder.verify import verify


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
    done, total, _ = seen[-1]
    assert done == total == 10


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


def test_points_that_the_empty_release_earns_are_said(prove, toy_course):
    path = toy_course.hidden_folder("a90_toy") / "test_entropy.py"
    text = path.read_text(encoding="utf-8")
    gift = text.replace("expect(student.entropy(np.zeros(2)))", "expect(np.full(2, np.log(2.0)))")
    assert gift != text
    path.write_text(gift, encoding="utf-8")
    problems = prove().problems
    said = "entropy: the empty release earns points in test_entropy_of_a_fair_coin"
    assert said in problems

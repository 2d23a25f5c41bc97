"""An early mistake is paid for once, in the course's own first assignment."""

import pytest

from autograder.course.reference_source import replacement, solution_code, standalone
from autograder.judge.catalogue import entries
from autograder.judge.grader import Grader

ASSIGNMENT = "a04_rbm"


@pytest.fixture(scope="module")
def grade(course):
    """Grades the reference's cells with some catalogued mistakes in them."""
    assignment = course.assignment(ASSIGNMENT)
    catalogue = {(e.exercise, e.name): e for e in entries(course, assignment)}
    right = {e.name: solution_code(course, e) for e in assignment.exercises}
    first = next(n for n, cell in enumerate(assignment.cells) if cell.kind == "solution")
    given = [cell for cell in assignment.cells[:first] if cell.runs]

    with Grader(course, assignment, own_code=True) as grader, grader.slot() as slot:

        def run(only, answers=None, **mistakes):
            code = {**right, **(answers or {})}
            for exercise, name in mistakes.items():
                wrong = standalone(course, catalogue[exercise, name].source)
                code[exercise] += f"\n\n\n{wrong}"
            cells = [{"id": cell.id, "source": cell.source} for cell in given]
            cells += [{"id": name, "source": source} for name, source in code.items()]
            return slot.grade(cells, "ada", only)

        yield run


def lost(verdict):
    return {e.name: e.max_points - e.points for e in verdict.exercises if e.points < e.max_points}


def through(verdict):
    return {e.name for e in verdict.exercises if any(c.follow_through for c in e.checks)}


# Right, if the free energy is.
CD_BY_FREE_ENERGIES = """
def cd_gradient(v_positive, v_negative, W, b, c):
    W, b, c = (tf.convert_to_tensor(array) for array in (W, b, c))
    with tf.GradientTape() as tape:
        tape.watch((W, b, c))
        rise = tf.reduce_mean(rbm_free_energy(v_negative, W, b, c))
        rise -= tf.reduce_mean(rbm_free_energy(v_positive, W, b, c))
    return tape.gradient(rise, (W, b, c))
"""
FREE_ENERGY_AND_CD = ["rbm_free_energy", "cd_gradient"]
CONDITIONAL_AND_GIBBS = ["p_h_given_v", "gibbs_k"]


def test_right_cd_with_a_wrong_free_energy_loses_the_free_energy_only(grade):
    answers = {"cd_gradient": CD_BY_FREE_ENERGIES}
    assert lost(grade(FREE_ENERGY_AND_CD, answers)) == {}
    verdict = grade(FREE_ENERGY_AND_CD, answers, rbm_free_energy="fe_sign")
    assert set(lost(verdict)) == {"rbm_free_energy"}
    assert through(verdict) == {"cd_gradient"}


def test_wrong_cd_with_a_wrong_free_energy_loses_both(grade):
    wrong = {"cd_gradient": CD_BY_FREE_ENERGIES.replace("rise -=", "rise = -")}
    alone = grade(FREE_ENERGY_AND_CD, wrong)
    verdict = grade(FREE_ENERGY_AND_CD, wrong, rbm_free_energy="fe_sign")
    assert lost(verdict)["cd_gradient"] == lost(alone)["cd_gradient"] > 0


def test_right_gibbs_sampling_with_a_wrong_conditional_loses_the_conditional_only(grade):
    verdict = grade(CONDITIONAL_AND_GIBBS, p_h_given_v="hidden_without_bias")
    assert set(lost(verdict)) == {"p_h_given_v"}
    assert through(verdict) == {"gibbs_k"}


def test_wrong_gibbs_sampling_with_a_wrong_conditional_loses_both(grade):
    alone = grade(CONDITIONAL_AND_GIBBS, gibbs_k="hidden_mean_field")
    verdict = grade(
        CONDITIONAL_AND_GIBBS, p_h_given_v="hidden_without_bias", gibbs_k="hidden_mean_field"
    )
    assert lost(verdict)["gibbs_k"] == lost(alone)["gibbs_k"] > 0


def test_the_same_answers_get_the_same_words_whatever_was_graded_before(grade):
    only = ["gibbs_k"]
    first = grade(only, gibbs_k="hidden_mean_field")
    grade(only, gibbs_k="half_step")
    assert grade(only, gibbs_k="hidden_mean_field").exercises == first.exercises


def test_what_puts_an_exercise_right_holds_no_later_answer(course, assignment):
    for exercise in assignment.exercises:
        code = replacement(course, exercise)
        names = [e.name for e in assignment.exercises]
        later = assignment.exercises[names.index(exercise.name) + 1 :]
        for function in (name for e in later for name in e.functions):
            assert f"def {function}(" not in code

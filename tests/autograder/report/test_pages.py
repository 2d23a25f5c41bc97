"""Pages say what results and marks say, all of it and nothing else, and nothing on them acts."""

import re
import time
from html.parser import HTMLParser

import pytest
from bs4 import BeautifulSoup

from autograder.errors import UsageError
from autograder.report import write_feedback, write_report
from autograder.results import CheckResult, ExerciseResult, Mark, SubmissionResult

NAME = "a90_toy"


def sigmoid(*checks: CheckResult) -> ExerciseResult:
    return ExerciseResult("sigmoid", 6, checks)


def passed(identity: str, points: float, **more: object) -> CheckResult:
    return CheckResult(identity, "passed", points, points, **more)


def failed(identity: str, points: float, message: str, **more: object) -> CheckResult:
    return CheckResult(identity, "failed", 0, points, message, **more)


ENTROPY = ExerciseResult(
    "entropy",
    4,
    (
        passed("test_entropy_of_a_fair_coin", 1),
        passed("test_entropy_matches_the_definition", 3, follow_through=True),
    ),
)
MESSAGE = (
    "call   sigmoid(logit (2, 3))\nseen   shape (3,)\ndue    the shape of `logit`: (2, 3)\n"
    "hint   The sign of the exponent is minus."
)


def result(student: str = "ada", **changes: object) -> SubmissionResult:
    exercises = (
        sigmoid(
            passed("test_sigmoid_of_zero", 2),
            failed("test_sigmoid_is_the_logistic_function", 3, MESSAGE, mistake="sign"),
            passed("test_log_sigmoid_stays_finite", 1),
        ),
        ENTROPY,
    )
    values = {
        "student": student,
        "assignment": NAME,
        "status": "graded",
        "max_score": 10,
        "sandbox": "full",
        "seconds": 1.25,
        "exercises": exercises,
    }
    return SubmissionResult(**(values | changes))  # type: ignore[arg-type]


def refused(student: str, reason: str) -> SubmissionResult:
    return result(
        student, status="refused", reason=reason, exercises=(), sandbox="none", seconds=0.0
    )


def undecided(student: str, reason: str | None = None) -> SubmissionResult:
    check = CheckResult("test_sigmoid_of_zero", "undecided", 0, 2, "seen   a tutor will look")
    return result(student, status="undecided", reason=reason, exercises=(sigmoid(check), ENTROPY))


def page(course, one: SubmissionResult, marks: dict[str, Mark] | None = None) -> str:
    (path,) = write_feedback(course, NAME, [one], {one.student: marks or {}})
    return path.read_text(encoding="utf-8")


def text(source: str) -> str:
    soup = BeautifulSoup(source, "html.parser")
    soup.style.decompose()
    return " ".join(soup.get_text(" ").split())


def section(source: str, heading: str) -> str:
    """The words of the card below a heading."""
    soup = BeautifulSoup(source, "html.parser")
    (title,) = [h for h in soup.find_all("h3") if heading in h.get_text()]
    return " ".join(title.find_parent("section").get_text(" ").split())


def test_feedback_lies_where_the_layout_says(toy_course):
    paths = write_feedback(toy_course, NAME, [result("ada"), result("bob")], {})
    assert paths == [toy_course.root / "feedback" / s / f"{NAME}.html" for s in ("ada", "bob")]


def test_every_check_stands_on_the_page_with_its_points(toy_course):
    words = section(page(toy_course, result()), "sigmoid")
    assert "3 of 6" in words
    assert "passed: sigmoid(0) is one half." in words
    assert "2 of 2" in words
    assert "failed: sigmoid is the logistic function, element by element." in words
    assert "0 of 3" in words
    assert "1 of 1" in words


def test_no_points_stand_on_the_page_that_are_not_in_the_result(toy_course):
    pairs = re.findall(r"([\d.]+) of ([\d.]+)", text(page(toy_course, result())))
    whole = [("7", "15"), ("3", "6"), ("2", "2"), ("0", "3"), ("1", "1")]
    assert pairs == [*whole, ("4", "4"), ("1", "1"), ("3", "3")]


def test_a_failed_check_says_what_was_seen_and_due_and_the_hint(toy_course):
    words = section(page(toy_course, result()), "sigmoid")
    assert "Call sigmoid(logit (2, 3))" in words
    assert "Seen shape (3,)" in words
    assert "Expected the shape of logit : (2, 3)" in words
    assert "Hint The sign of the exponent is minus." in words


def test_follow_through_is_explained(toy_course):
    assert "follow-through" in section(page(toy_course, result()), "entropy")
    assert "follow-through" not in section(page(toy_course, result()), "sigmoid")


def test_an_unmarked_answer_is_open_and_not_lost(toy_course):
    words = text(page(toy_course, result()))
    assert "7 of 15 points so far" in words
    assert "5 still open" in words
    assert "3 not earned" in words
    assert "not marked yet, up to 5" in words


def test_marks_and_comments_of_tutors_stand_on_the_page_and_count(toy_course):
    manual = {
        "manual_reflection": Mark(None, 3.5, 0.5, 5, "Nearly.\nLook at the slope."),
        "test_sigmoid": Mark(3, 5, 0, 6, "A slip of the pen."),
    }
    source = page(toy_course, result(), manual)
    assert "4 of 5" in section(source, "Reflection")
    assert "0.5 points of extra credit" in section(source, "Reflection")
    assert "Nearly. Look at the slope." in section(source, "Reflection")
    assert "5 of 6" in section(source, "sigmoid")
    assert "A tutor gave 5 points here; the checks had given 3." in section(source, "sigmoid")
    assert "A slip of the pen." in section(source, "sigmoid")
    assert "13 of 15 points" in text(source)
    assert "so far" not in text(source)


def test_an_answer_left_empty_is_decided(toy_course):
    marks = {"manual_reflection": Mark(0, None, 0, 5)}
    source = page(toy_course, result(), marks)
    assert "0 of 5" in section(source, "Reflection")
    assert "Nothing was written here." in section(source, "Reflection")
    assert "still open" not in text(source)


def test_a_refused_submission_is_told_why_and_what_to_do(toy_course):
    reason = f"{toy_course.root}/submitted/ada/{NAME}/{NAME}.ipynb is empty."
    words = text(page(toy_course, refused("ada", reason)))
    assert f"submitted/ada/{NAME}/{NAME}.ipynb is empty." in words
    assert str(toy_course.root) not in words
    assert "What to do" in words
    assert not re.search(r"\d of \d", words)


def test_what_is_undecided_costs_nothing_and_says_nothing_of_the_grader(toy_course):
    source = page(toy_course, undecided("ada", "/srv/judge/process.py died with signal 9"))
    words = text(source)
    assert "4 of 15 points so far" in words
    assert "7 still open" in words
    assert "a tutor will look" in words
    assert "judge" not in words
    assert "signal" not in words


def test_repairs_are_told(toy_course):
    words = text(page(toy_course, result(repairs=("The cell `test_sigmoid` was put back.",))))
    assert "The cell test_sigmoid was put back." in words


def test_a_check_that_is_gone_is_still_shown(toy_course):
    one = result(exercises=(sigmoid(passed("test_of_last_week", 6)), ENTROPY))
    assert "test_of_last_week" in section(page(toy_course, one), "sigmoid")


def test_recognised_mistakes_are_not_named_to_students(toy_course):
    one = result(
        exercises=(sigmoid(failed("test_sigmoid_of_zero", 6, MESSAGE, mistake="a90_x")), ENTROPY)
    )
    assert "a90_x" not in page(toy_course, one)


def test_an_unknown_assignment_is_a_sentence(toy_course):
    with pytest.raises(UsageError, match="a99_nothing"):
        write_report(toy_course, "a99_nothing", [], {})


# The class.


def report(course, results, marks=None) -> str:
    return write_report(course, NAME, results, marks or {}).read_text(encoding="utf-8")


CLASS = (
    result("ada"),
    result("bob", exercises=(sigmoid(failed("test_sigmoid_of_zero", 6, "seen   0")), ENTROPY)),
    undecided("cleo", "The judge died twice."),
    refused("dan", "Not JSON: line 3."),
    result("eve", repairs=("A cell was put back.",)),
)


def test_the_report_counts_every_submission_once(toy_course):
    words = text(report(toy_course, CLASS))
    assert "3 graded 1 refused 1 undecided" in words
    assert "median 7, mean 6" in words
    assert "Not JSON: line 3." in words
    assert "The judge died twice." in words
    assert "A cell was put back." in words


def test_the_report_counts_the_outcomes_of_every_check(toy_course):
    soup = BeautifulSoup(report(toy_course, CLASS), "html.parser")
    table = soup.find(attrs={"aria-label": "Exercises and checks"})
    rows = {}
    for identity in table.find_all("code", class_="small"):
        cells = identity.find_parent("tr")("td")
        rows[identity.get_text()] = [cell.get_text(" ", strip=True) for cell in cells[1:]]
    assert rows["test_sigmoid_of_zero"] == ["2", "67 %", "2", "1", "1"]
    assert rows["test_sigmoid_is_the_logistic_function"] == ["3", "0 %", "0", "2", "0"]
    assert rows["test_entropy_of_a_fair_coin"] == ["1", "100 %", "4", "0", "0"]
    assert rows["test_entropy_matches_the_definition"][2] == "4 (4 by follow-through)"


def test_the_report_has_a_row_and_a_link_per_student(toy_course):
    soup = BeautifulSoup(report(toy_course, CLASS), "html.parser")
    rows = soup.find(attrs={"aria-label": "Students"}).find("tbody").find_all("tr")
    first = [[cell.get_text(" ", strip=True) for cell in row("td")] for row in rows]
    assert [cells[:4] for cells in first] == [
        ["ada", "graded", "7 +5 open", "7"],
        ["bob", "graded", "4 +5 open", "4"],
        ["cleo", "undecided", "4 +7 open", "4"],
        ["dan", "refused", "–", "–"],
        ["eve", "graded", "7 +5 open", "7"],
    ]
    links = [row.find("a")["href"] for row in rows]
    assert links == [f"../feedback/{s}/{NAME}.html" for s in ("ada", "bob", "cleo", "dan", "eve")]
    write_feedback(toy_course, NAME, CLASS, {})
    for link in links:
        assert (toy_course.root / "report" / link).resolve().is_file()


def test_the_report_counts_recognised_mistakes(toy_course):
    soup = BeautifulSoup(report(toy_course, CLASS), "html.parser")
    rows = soup.find(attrs={"aria-label": "Recognised mistakes"}).find("tbody").find_all("tr")
    assert [[cell.get_text() for cell in row("td")] for row in rows] == [["sigmoid", "sign", "2"]]


def test_a_mark_by_hand_that_hides_new_points_is_listed(toy_course):
    marks = {"ada": {"test_sigmoid": Mark(3, 1, 0, 6, needs_manual=True)}}
    words = text(report(toy_course, CLASS, marks))
    assert "sigmoid : 1 by hand, 3 by the checks" in words
    assert "by hand, " not in text(report(toy_course, CLASS))


def test_what_only_an_attack_does_is_told_to_tutors_alone(toy_course):
    noticed = result(noticed=("this cell: it answered out of turn",))
    assert "it answered out of turn" in text(report(toy_course, [noticed]))
    assert "out of turn" not in text(page(toy_course, noticed))


@pytest.mark.parametrize("results", [(), (CLASS[3],), (CLASS[2],)])
def test_a_class_of_nobody_graded_has_a_report(toy_course, results):
    assert "0 graded" in text(report(toy_course, results))


def test_the_figure_says_in_words_what_it_shows(toy_course):
    soup = BeautifulSoup(report(toy_course, CLASS), "html.parser")
    assert "3 graded submissions" in soup.find("svg")["aria-label"]
    assert "3 graded submissions" in soup.find("figcaption").get_text()


# Safety.


class Shape(HTMLParser):
    """The elements and attribute names of a page, in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.parts: list[object] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.parts.append((tag, [name for name, _ in attributes]))

    def handle_endtag(self, tag):
        self.parts.append(tag)

    def handle_comment(self, data):
        self.parts.append(f"<!--{data}")


def written(course, words: str) -> list[str]:
    """Both pages of a class in which everything that can be text is `words`."""
    check = failed("test_sigmoid_of_zero", 6, f"seen   {words}\nhint   {words}", mistake=words)
    results = [
        result("ada", exercises=(sigmoid(check), ENTROPY), repairs=(words,)),
        refused("bob", words),
        undecided("cleo", words),
    ]
    marks = {
        "ada": {
            "manual_reflection": Mark(None, 1, 0, 5, words),
            "test_sigmoid": Mark(1, 2, 0, 6, words),
        }
    }
    paths = [*write_feedback(course, NAME, results, marks)]
    paths += [write_report(course, NAME, results, marks)]
    return [path.read_text(encoding="utf-8") for path in paths]


HOSTILE = (
    "<script>alert(1)</script>",
    "</dd></section></main><h1>100 of 100</h1>",
    '" onmouseover="alert(1)',
    "<style>.failed{display:none}</style>",
    "<!-- <svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31m<img src=x onerror=alert(1)>\u202e\x00",
    "\ud800<iframe>",
)


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_add_no_element_and_no_attribute(toy_course, words):
    for hostile, harmless in zip(
        written(toy_course, words), written(toy_course, "harmless"), strict=True
    ):
        assert Shape(hostile).parts == Shape(harmless).parts
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", hostile)


def test_a_long_message_is_cut(toy_course):
    assert max(map(len, written(toy_course, "x" * 10**6))) < 400_000


def test_a_name_that_is_no_folder_gets_no_page_and_is_reported(toy_course):
    names = ["../../evil", "<script>alert(1)</script>", "a/b", "."]
    results = [result(name) for name in names]
    assert write_feedback(toy_course, NAME, results, {}) == []
    source = report(toy_course, results)
    assert text(source).count("no feedback page") == len(names)
    assert "<script" not in source
    assert not (toy_course.root.parent / "evil").exists()


def test_pages_fetch_nothing_and_run_nothing(toy_course):
    for source in written(toy_course, "harmless"):
        assert "http:" not in source.replace("http-equiv", "")
        assert "https:" not in source
        assert not re.search(
            r"<(script|link|iframe|object|embed)|url\((?!#)|@import| src=| on\w+=", source
        )
        assert "default-src 'none'" in source
        assert source.index("Content-Security-Policy") < source.index("<style")


def test_pages_are_the_same_each_time(toy_course):
    assert written(toy_course, "harmless") == written(toy_course, "harmless")


def test_a_thousand_students_take_little_time(toy_course):
    results = [result(f"student{number:04d}") for number in range(1000)]
    start = time.monotonic()
    assert len(write_feedback(toy_course, NAME, results, {})) == 1000
    source = report(toy_course, results)
    assert time.monotonic() - start < 60
    assert source.count("../feedback/") == 1000
    assert len(source) < 3_000_000

"""What an autograded test cell says."""

from html.parser import HTMLParser

from nbconvert.filters import clean_html

from autograder.gradebook import verdict_html, verdict_text
from autograder.results import CheckResult, ExerciseResult

EXERCISE = ExerciseResult(
    "sigmoid",
    6,
    (
        CheckResult("test_half", "passed", 2, 2),
        CheckResult("test_sign", "failed", 0, 2.5, "Seen: 0.7\nDue: at most 0.5", mistake="sign"),
        CheckResult("test_log", "undecided", 0, 0.5, "a tutor will look at this"),
        CheckResult("test_through", "passed", 1, 1, follow_through=True),
    ),
)
SENTENCES = {"test_half": "`sigmoid(0)` is one half, <always>."}


class Words(HTMLParser):
    """The text of a fragment, and the elements in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.tags = "", set()
        self.feed(text)
        self.close()

    def handle_data(self, data):
        self.words += data

    def handle_starttag(self, tag, attrs):
        self.tags |= {tag, *(name for name, _ in attrs)}


def test_a_verdict_tells_outcome_points_and_message_of_each_check():
    for text in (
        Words(verdict_html(EXERCISE, SENTENCES)).words,
        verdict_text(EXERCISE, SENTENCES),
    ):
        assert "sigmoid: 3 of 6 points" in text
        assert "sigmoid(0)" in text
        assert "✓ passed (2 of 2 points" in text
        assert "✗ failed (0 of 2.5 points): test_sign" in text
        assert "Seen: 0.7\n" in text
        assert "? undecided (0 of 0.5 points)" in text
        assert text.lower().count("follow-through") == 1


def test_a_message_that_quotes_the_student_is_inert():
    hostile = "\x1b[31m<script>alert(1)</script>\u202e`<img src=x>`"
    check = CheckResult("test_half", "failed", 0, 2, hostile)
    exercise = ExerciseResult("sigmoid", 2, (check,))
    html = verdict_html(exercise, {"test_half": "<b>`<i>`"})
    assert Words(html).tags == {"div", "strong", "ul", "li", "code", "pre"}
    for text in (html, verdict_text(exercise)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "alert(1)" in text


def test_the_sanitizer_of_formgrader_and_feedback_leaves_a_verdict_as_it_is():
    html = verdict_html(EXERCISE, SENTENCES)
    assert clean_html(html) == html

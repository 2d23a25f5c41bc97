"""Every exception of the framework, as one tree.

    LgmError
    ├── UsageError              what was asked for does not exist or makes no sense (exit status 2)
    ├── DoesNotHold             a release leaks, a proof fails (exit status 1)
    ├── BadSubmission           a submission that cannot be graded: refused, with the reason
    ├── GraderError             the grader's or the machine's fault (exit status 3)
    │   ├── SandboxUnavailable  this machine cannot isolate a submission
    │   └── SandboxFailure      a process of ours died or did not answer
    ├── RunEnded                the student process is gone: it crashed, hung or broke a limit
    ├── ProtocolError           bytes on the wire that no honest peer sends
    └── CheckFailed             a property that a submission does not have

The text of each is one or more sentences for the person who reads it: what was received, what was
expected, what to do.
"""

__all__ = [
    "BadSubmission",
    "CheckFailed",
    "DoesNotHold",
    "GraderError",
    "LgmError",
    "ProtocolError",
    "RunEnded",
    "SandboxFailure",
    "SandboxUnavailable",
    "UsageError",
]


class LgmError(Exception):
    """Whatever this framework raises on purpose."""


class UsageError(LgmError):
    """What was asked for does not exist or makes no sense."""


class DoesNotHold(LgmError):
    """Something that must hold does not: a release leaks, a proof fails."""


class BadSubmission(LgmError):
    """A submission that cannot be graded; the text is the reason it is refused."""


class GraderError(LgmError):
    """The grader's or the machine's fault, never the student's loss."""


class SandboxUnavailable(GraderError):
    """This machine cannot isolate a submission."""


class SandboxFailure(GraderError):
    """A process of ours died, or did not answer in time."""


class RunEnded(LgmError):
    """The student process is gone.

    Attributes:
        result_class: One of "TIMEOUT", "MEMORY", "LIMIT", "CRASHED", "PROTOCOL".
    """

    def __init__(self, result_class: str, message: str) -> None:
        """Takes the class of the end and a sentence for the student."""
        super().__init__(message)
        self.result_class = result_class


class ProtocolError(LgmError):
    """Bytes on the wire that no honest peer sends."""


class CheckFailed(LgmError):
    """A property that a submission does not have.

    Attributes:
        property: What should be true, in a few words, or None where the check's sentence says it.
        seen: What was seen.
        due: What is true of a right answer: a form or a law, never a reference value.
        call: The call that showed it, or None.
        evidence: The draws that a law was judged by, an `autograder.checks.Evidence`, or None;
            for the judge's eyes only.
    """

    def __init__(
        self,
        property: str | None,
        seen: str,
        due: str,
        call: str | None = None,
        evidence: object = None,
    ) -> None:
        """Takes the four parts of the message, each one line, and what they rest on."""
        super().__init__(seen)
        self.property = property
        self.seen = seen
        self.due = due
        self.call = call
        self.evidence = evidence

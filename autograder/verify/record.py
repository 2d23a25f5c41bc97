"""The record of a calibration: what `calibration.json` beside the hidden checks holds.

`calibrate` writes it, `lgm verify` holds the checks to it: a record must be there, belong to the
files as they are, and bound the chance that right work fails.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from scipy import stats

import autograder.checks
from autograder.checks import Method
from autograder.course import Course
from autograder.errors import DoesNotHold
from autograder.results import write_atomically

__all__ = [
    "TOO_HIGH",
    "CheckRecord",
    "CheckRow",
    "PropertyRecord",
    "Proved",
    "Record",
    "Repeated",
    "Strikes",
    "false_fail",
    "files_of",
    "held_to",
    "load",
    "path_of",
    "save",
    "sources_of",
    "statistical_checks",
]

SCHEMA = 1

# A property whose measured chance to fail right work lies above this is refused: over a term of
# 420,000 checks that would be one wrong failure in a thousand terms.
TOO_HIGH = 2.4e-9

# Where no one has handed in yet.
STUDENTS = 300

_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Strikes:
    """How often one property struck on right draws.

    Attributes:
        rows: Rows of the stage.
        runs: Stages drawn, each with a seed of its own.
        strikes: Stages on which the property struck.
    """

    rows: int
    runs: int
    strikes: int

    @property
    def upper(self) -> float:
        """The 99 % upper confidence bound of the rate of strikes (Clopper and Pearson 1934)."""
        if self.strikes == self.runs:
            return 1.0
        return float(stats.beta.ppf(_CONFIDENCE, self.strikes + 1, self.runs - self.strikes))


@dataclass(frozen=True)
class PropertyRecord:
    """One property that is tested by chance.

    Attributes:
        declared: The probability that right work fails it, as the checking language declares it.
        first: Its strikes on stages of the first size, n rows; None for a bet, which has none.
        later: Those on stages of the later size, 4 n rows.
    """

    name: str
    method: Method
    declared: float
    first: Strikes | None = None
    later: Strikes | None = None

    @property
    def measured(self) -> float | None:
        """What five strikes in a row come to, by the upper bounds; None for a bet."""
        if self.first is None or self.later is None:
            return None
        return float(self.first.upper * self.later.upper**4)

    @property
    def bound(self) -> float:
        """The declared probability; where that rests on an approximation, what was measured."""
        if self.method == "asymptotic" and self.measured is not None:
            return self.measured
        return self.declared


@dataclass(frozen=True)
class Repeated:
    """One solution that a check was run on, each time with other seeds.

    Attributes:
        name: "reference", or the name in the catalogue.
        failed: In how many of the runs it failed the check.
    """

    name: str
    runs: int
    failed: int

    @property
    def rate(self) -> float:
        """The share of runs that failed."""
        return self.failed / self.runs

    @property
    def lower(self) -> float:
        """The 95 % lower confidence bound of the rate."""
        if self.failed == 0:
            return 0.0
        return float(stats.beta.ppf(0.05, self.failed, self.runs - self.failed + 1))

    @property
    def upper(self) -> float:
        """The 95 % upper confidence bound of the rate."""
        if self.failed == self.runs:
            return 1.0
        return float(stats.beta.ppf(0.95, self.failed + 1, self.runs - self.failed))


@dataclass(frozen=True)
class NearMiss:
    """How often a check fails a solution that is wrong by a little.

    Attributes:
        effect: How far off it is, in words.
        natural: As it stands; exactly, where its draws can be enumerated.
        staged: With draws that cannot be enumerated.
    """

    name: str
    effect: str
    natural: Repeated
    staged: Repeated


@dataclass(frozen=True)
class CheckRecord:
    """One check.

    Attributes:
        repeats: Whether other seeds can make another outcome: it uses random inputs, stages or a
            generator. Otherwise nothing was repeated, and the lists are empty.
        properties: What it tests by chance where draws cannot be enumerated.
        right: The reference and the alternatives.
        mistakes: Those that the check names.
        near_misses: Those of its exercise, if it tests by chance.
    """

    id: str
    exercise: str
    repeats: bool
    properties: tuple[PropertyRecord, ...] = ()
    right: tuple[Repeated, ...] = ()
    mistakes: tuple[Repeated, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()

    @property
    def kind(self) -> Literal["exact", "staged", "betting"]:
        """How it reaches its guarantee."""
        if any(item.first is not None for item in self.properties):
            return "staged"
        return "betting" if self.properties else "exact"

    @property
    def bound(self) -> float:
        """The probability, at most, that right work fails it."""
        return sum(item.bound for item in self.properties)

    @property
    def weakest_property(self) -> PropertyRecord | None:
        """The property that strikes most often, by its upper bound."""
        counted = [item for item in self.properties if item.first is not None]
        return max(counted, key=lambda item: item.measured or 0.0, default=None)

    def to_json(self) -> dict[str, Any]:
        """Returns its entry in the file, with what can be computed from the counts, too."""
        return {
            "id": self.id,
            "exercise": self.exercise,
            "kind": self.kind,
            "bound": self.bound,
            "repeats": self.repeats,
            "properties": [_property_to_json(item) for item in self.properties],
            "right": [asdict(item) | {"upper": _short(item.upper)} for item in self.right],
            "mistakes": [asdict(item) | {"lower": _short(item.lower)} for item in self.mistakes],
            "near_misses": [_near_miss_to_json(item) for item in self.near_misses],
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "CheckRecord":
        """Reads what `to_json` wrote. Raises KeyError or TypeError otherwise."""
        return cls(
            entry["id"],
            entry["exercise"],
            entry["repeats"],
            tuple(_property_from_json(item) for item in entry["properties"]),
            tuple(_repeated(item) for item in entry["right"]),
            tuple(_repeated(item) for item in entry["mistakes"]),
            tuple(
                NearMiss(m["name"], m["effect"], _repeated(m["natural"]), _repeated(m["staged"]))
                for m in entry["near_misses"]
            ),
        )


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _property_to_json(item: PropertyRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": item.name, "method": item.method, "declared": item.declared}
    for size, counted in (("first", item.first), ("later", item.later)):
        if counted is not None:
            entry[size] = asdict(counted) | {"upper": _short(counted.upper)}
    if item.measured is not None:
        entry["measured"] = _short(item.measured)
    return entry


def _property_from_json(entry: Mapping[str, Any]) -> PropertyRecord:
    sizes = [
        Strikes(entry[size]["rows"], entry[size]["runs"], entry[size]["strikes"])
        if size in entry
        else None
        for size in ("first", "later")
    ]
    return PropertyRecord(entry["name"], entry["method"], entry["declared"], *sizes)


def _repeated(entry: Mapping[str, Any]) -> Repeated:
    return Repeated(entry["name"], entry["runs"], entry["failed"])


def _near_miss_to_json(item: NearMiss) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": item.name, "effect": item.effect}
    for path in ("natural", "staged"):
        runs: Repeated = getattr(item, path)
        entry[path] = asdict(runs) | {"lower": _short(runs.lower), "upper": _short(runs.upper)}
    return entry


@dataclass(frozen=True)
class Record:
    """All of it, for one assignment.

    Attributes:
        date: The day it was made, ISO 8601.
        quick: Whether it was made with counts too small to hold anything to.
        master_seeds: By file of hidden checks, what every seed of its calibration was derived
            from; hexadecimal.
        versions: Of Python and the libraries, for whoever repeats it.
        sources: SHA-256 of each file it depends on, by path below the course; of the checking
            language, which is many files, under its package's name.
    """

    assignment: str
    date: str
    quick: bool
    master_seeds: Mapping[str, str]
    seconds: float
    versions: Mapping[str, str]
    sources: Mapping[str, str]
    checks: tuple[CheckRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the document of the file."""
        return {
            "schema": SCHEMA,
            "assignment": self.assignment,
            "date": self.date,
            "quick": self.quick,
            "master_seeds": dict(self.master_seeds),
            "seconds": round(self.seconds),
            "versions": dict(self.versions),
            "sources": dict(self.sources),
            "checks": [check.to_json() for check in self.checks],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Record":
        """Reads what `to_json` wrote. Raises ValueError, KeyError or TypeError otherwise."""
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']!r}, expected {SCHEMA}")
        return cls(
            document["assignment"],
            document["date"],
            document["quick"],
            document["master_seeds"],
            document["seconds"],
            document["versions"],
            document["sources"],
            tuple(CheckRecord.from_json(entry) for entry in document["checks"]),
        )

    def still_holding(
        self, sources: Mapping[str, str], versions: Mapping[str, str]
    ) -> frozenset[str]:
        """Returns the files of hidden checks whose part of it need not be measured anew.

        A file's checks and catalogue stand alone: if nothing but other such files has changed,
        what was measured of it holds.
        """
        if self.quick or dict(self.versions) != dict(versions):
            return frozenset()
        same = {name for name in sources if self.sources.get(name) == sources[name]}
        changed = {*self.sources, *sources} - same
        if not all(_holds_checks(name) for name in changed):
            return frozenset()
        return frozenset(name for name in same if name in self.master_seeds)

    def reasons_against(self, sources: Mapping[str, str]) -> list[str]:
        """Says why it cannot be relied on, given the hashes of the files as they are now."""
        reasons = ["was made with --quick, whose counts are too small"] if self.quick else []
        for name in sorted({*self.sources, *sources}):
            if name not in sources:
                reasons.append(f"is stale: {name} is gone")
            elif name not in self.sources:
                reasons.append(f"is stale: {name} is new")
            elif self.sources[name] != sources[name]:
                reasons.append(f"is stale: {name} has changed since {self.date}")
        return reasons


def _holds_checks(source: str) -> bool:
    return Path(source).name.startswith("test_")


def path_of(course: Course, name: str) -> Path:
    """Returns where the record of an assignment lies."""
    return course.hidden_folder(name) / "calibration.json"


def save(record: Record, course: Course) -> Path:
    """Writes a record beside its checks, whole or not at all, and returns the path."""
    path = path_of(course, record.assignment)
    text = json.dumps(record.to_json(), indent=1, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def load(course: Course, name: str) -> Record | None:
    """Reads the record of an assignment; None if there is none.

    Raises:
        DoesNotHold: If the file is not a record.
    """
    path = path_of(course, name)
    if not path.is_file():
        return None
    try:
        return Record.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as problem:
        raise DoesNotHold(
            f"{path} is not a calibration record of this version ({problem!r}). "
            f"Run: make calibrate"
        ) from problem


def sources_of(course: Course, name: str) -> dict[str, str]:
    """Returns the hash of each file that a calibration depends on.

    These are the hidden checks of the assignment, the modules of the reference that they import,
    directly or not, its variant, and the checking language.
    """
    folder = course.hidden_folder(name)
    hidden = sorted(folder.glob("*.py"))
    variant = course.source_folder(name) / "variant.toml"
    paths = [*hidden, *_reference_modules(course, hidden), *filter(Path.is_file, [variant])]
    sources = {path.relative_to(course.root).as_posix(): _hash([path]) for path in paths}
    language = sorted(Path(autograder.checks.__file__).parent.glob("*.py"))
    return sources | {"autograder.checks": _hash(language)}


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _reference_modules(course: Course, importing: Iterable[Path]) -> list[Path]:
    folder = course.root / "reference"
    found: set[Path] = set()
    waiting = list(importing)
    while waiting:
        path = waiting.pop()
        for name in _imported(path, inside=path.parent == folder):
            module = folder / f"{name}.py"
            if module.is_file() and module not in found:
                found.add(module)
                waiting.append(module)
    return sorted(found)


def _imported(path: Path, inside: bool) -> Iterator[str]:
    """The modules of the reference that a file imports; `inside`: itself one of them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix("reference.") for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            package, _, module = (node.module or "").partition(".")
            if inside and node.level:
                package, module = "reference", node.module or ""
            if package == "reference":
                yield from [module] if module else [alias.name for alias in node.names]


def statistical_checks(course: Course, name: str) -> set[str]:
    """Returns the ids of the checks that may test by chance: those that take `stages`."""
    return {
        node.name
        for _, node in _checks(course, name)
        if any(argument.arg == "stages" for argument in node.args.args)
    }


def files_of(course: Course, name: str) -> dict[str, str]:
    """Returns, for the id of each check, its file, as `sources_of` names it."""
    return {
        node.name: path.relative_to(course.root).as_posix() for path, node in _checks(course, name)
    }


def _checks(course: Course, name: str) -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in sorted(course.hidden_folder(name).glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path, node


@dataclass(frozen=True)
class Proved:
    """What a proof, without any record, saw of one check.

    Attributes:
        bound: The declared probability that right work fails, on the way the reference took.
        seconds: Wall-clock seconds on the reference.
        named: The mistakes that the check says it catches.
        caught: How many of these it caught.
    """

    id: str
    exercise: str
    bound: float
    seconds: float
    named: tuple[str, ...]
    caught: int


@dataclass(frozen=True)
class CheckRow:
    """One check: what was proved now, and what its record says.

    Attributes:
        kind: "exact", "staged" or "betting".
        bound: The probability, at most, that right work fails.
        property: Of a staged check, the property that struck most often; the next four are its.
        n: Rows of its first stage.
        runs: Stages drawn; 0 for a check that has none.
        upper: The 99 % upper confidence bound of the rate of strikes.
        repeated: How often each named mistake was run, and the fewest times one was caught.
        weakest: The mistake caught least often, if any was missed at all.
    """

    id: str
    kind: Literal["exact", "staged", "betting"]
    bound: float
    property: str | None
    n: int
    strikes: int
    runs: int
    upper: float | None
    mistakes_caught: int
    mistakes_named: int
    repeated: tuple[int, int] | None
    weakest: str | None
    near_misses: tuple[NearMiss, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Returns its entry in the document of `lgm verify --json`."""
        entry = asdict(self) | {"seconds": round(self.seconds, 4)}
        entry["near_misses"] = [_near_miss_to_json(item) for item in self.near_misses]
        return entry


def held_to(
    course: Course, name: str, proved: Sequence[Proved]
) -> tuple[dict[str, CheckRow], list[str]]:
    """Holds the checks of an assignment to their calibration record.

    Args:
        course: The course.
        name: The assignment's name.
        proved: What the proof saw, for each check.

    Returns:
        A row for each check, by its id, and what does not hold, one sentence each.

    Raises:
        DoesNotHold: If the record cannot be read.
    """
    record = load(course, name)
    known = {check.id: check for check in record.checks} if record else {}
    rows = {item.id: _row(item, known.get(item.id)) for item in proved}
    statistical = statistical_checks(course, name)
    if record is None:
        if not statistical:
            return rows, []
        count = len(statistical)
        return rows, [
            f"{count} check{'s' * (count > 1)} of {name} may fail right work by chance, and no "
            f"calibration record says how rarely. Run: make calibrate"
        ]
    problems = [
        f"the calibration record of {name} {reason}. Run: make calibrate"
        for reason in record.reasons_against(sources_of(course, name))
    ]
    for item in proved:
        if item.id in known:
            problems += _problems(known[item.id])
        elif item.id in statistical:
            problems.append(
                f"{item.exercise}: {item.id} is not in the calibration record. Run: make calibrate"
            )
    return rows, problems


def _row(item: Proved, check: CheckRecord | None) -> CheckRow:
    check = check or CheckRecord(item.id, item.exercise, repeats=False)
    worst = check.weakest_property
    first = worst.first if worst else None
    least = min(check.mistakes, key=lambda mistake: mistake.rate, default=None)
    return CheckRow(
        id=item.id,
        kind=check.kind,
        bound=max(check.bound, item.bound),
        property=worst.name if worst else None,
        n=first.rows if first else 0,
        strikes=first.strikes if first else 0,
        runs=first.runs if first else 0,
        upper=first.upper if first else None,
        mistakes_caught=item.caught,
        mistakes_named=len(item.named),
        repeated=(least.runs, least.failed) if least else None,
        weakest=least.name if least and least.failed < least.runs else None,
        near_misses=check.near_misses,
        seconds=item.seconds,
    )


def _problems(check: CheckRecord) -> Iterator[str]:
    where = f"{check.exercise}: {check.id}"
    for item in check.properties:
        if item.measured is not None and item.measured > TOO_HIGH and item.first is not None:
            yield (
                f"{where}: {item.name} struck in {item.first.strikes} of {item.first.runs} stages "
                f"of right draws, so right work may fail with probability {item.measured:.1e}; at "
                f"most {TOO_HIGH:.1e} is allowed. Mend the check, then run: make calibrate"
            )
    for solution in check.right:
        if solution.failed:
            yield (
                f"{where}: {solution.name}, which is right, failed in {solution.failed} of "
                f"{solution.runs} calibration runs"
            )
    for mistake in check.mistakes:
        if mistake.failed < mistake.runs:
            yield (
                f"{where}: the mistake {mistake.name} was missed in "
                f"{mistake.runs - mistake.failed} of {mistake.runs} calibration runs"
            )


def false_fail(course: Course, bounds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Returns the chance that any right work at all is failed in a term.

    Args:
        course: The course; as many students are counted as have handed in anything, or 300.
        bounds: By assignment, the bound of each of its checks.
    """
    handed_in = [path for path in (course.root / "submitted").glob("*") if path.is_dir()]
    students = len(handed_in) or STUDENTS
    return {
        "assignments": len(bounds),
        "checks": sum(len(several) for several in bounds.values()),
        "students": students,
        "bound": students * sum(sum(several) for several in bounds.values()),
    }

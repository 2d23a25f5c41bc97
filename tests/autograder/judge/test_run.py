"""A submission's process stays for probes; whatever ends it costs one cell or one check."""

import socket
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from autograder.errors import RunEnded
from autograder.judge import run as run_module
from autograder.judge.run import RESTARTS, Budget, Cell, Run
from autograder.sandbox.wire import Message, receive, send

BUDGET = Budget(cell=5, probe=5, submission=20)


class FakeLink:
    """Gives out student processes that are threads, which do what their cells say."""

    def __init__(self, how=None):
        self.how = how or {"class": "OK"}
        self.spawned = 0
        self.ended = 0
        self.ran = []

    def spawn(self):
        self.spawned += 1
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return ours

    def printed(self):
        return []

    def end(self):
        self.ended += 1
        return self.how

    def _serve(self, connection):
        with connection:
            while True:
                try:
                    request = receive(connection, None)
                except OSError:
                    return
                word = request.fields.get("source") or request.fields.get("name")
                self.ran.append(word)
                number = request.sequence
                if word == "crash":
                    return
                if word == "hang":
                    time.sleep(2)
                elif word == "garbage":
                    connection.sendall(b"no frame, but long enough to be read as one")
                elif word == "other":
                    send(connection, Message("arrays", {}, (), number), None)
                elif word == "late":
                    send(connection, Message("done", {}, (), number - 1), None)
                elif word == "print":
                    output = {"output_type": "stream", "name": "stdout", "text": "hello\n"}
                    send(connection, Message("output", {"output": output}, (), number), None)
                    send(connection, Message("done", {}, (), number), None)
                elif word == "raise":
                    send(connection, Message("error", {}, (), number), None)
                elif request.kind == "cell":
                    send(connection, Message("done", {}, (), number), None)
                else:
                    send(connection, Message("arrays", {}, (np.ones(1),), number), None)


@pytest.fixture
def started():
    """Starts runs, and ends them after the test."""
    runs = []

    def start(link, cells, budget=BUDGET):
        runs.append(Run(link, cells, budget))
        runs[-1].start()
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def cells(*words):
    return [Cell(f"cell-{n}", word) for n, word in enumerate(words)]


def probe(name="probe"):
    return Message("probe", {"name": name})


def test_cells_run_in_order_and_their_outputs_are_kept(started):
    link = FakeLink()
    run = started(link, cells("first", "print", "raise", "last"))
    assert link.ran == ["first", "print", "raise", "last"]
    outcomes = [run.cells[f"cell-{n}"].outcome for n in range(4)]
    assert outcomes == ["done", "done", "error", "done"]
    assert run.cells["cell-1"].outputs[0]["text"] == "hello\n"
    assert run.exchange(probe()).arrays[0].tolist() == [1.0]
    run.close()
    assert (link.spawned, link.ended) == (1, 1)


@pytest.mark.parametrize(
    ("word", "how", "outcome"),
    [
        ("crash", {"class": "CRASHED", "signal": 9}, "CRASHED"),
        ("crash", {"class": "MEMORY"}, "MEMORY"),
        ("crash", {"class": "LIMIT"}, "LIMIT"),
        ("garbage", {"class": "OK"}, "PROTOCOL"),
        ("late", {"class": "OK"}, "PROTOCOL"),
        ("other", {"class": "OK"}, "PROTOCOL"),
        ("hang", {"class": "OK"}, "TIMEOUT"),
    ],
)
def test_a_cell_that_ends_the_process_is_left_out_and_the_others_run_again(
    started, word, how, outcome
):
    link = FakeLink(how)
    run = started(link, cells("first", word, "last"), Budget(cell=0.5, probe=5, submission=20))
    assert link.ran == ["first", word, "first", "last"]
    assert run.cells["cell-1"].outcome == outcome
    assert run.cells["cell-1"].outputs[-1]["output_type"] == "error"
    assert run.cells["cell-2"].outcome == "done"
    source, ended, sentence = run.unfinished()["cell-1"]
    assert (source, ended) == (word, outcome)
    assert sentence.startswith(("it ", "what came back"))
    assert run.exchange(probe()).kind == "arrays"


def test_a_notebook_that_always_ends_the_process_is_given_up(started):
    link = FakeLink({"class": "CRASHED"})
    run = started(link, cells(*["crash"] * (RESTARTS + 3)))
    assert link.spawned == RESTARTS + 1
    with pytest.raises(RunEnded, match="again and again"):
        run.exchange(probe())


def test_a_probe_that_ends_the_process_leaves_a_fresh_one_for_the_next(started):
    link = FakeLink({"class": "CRASHED", "signal": 11})
    run = started(link, cells("first"))
    with pytest.raises(RunEnded, match="signal 11") as ended:
        run.exchange(probe("crash"))
    assert ended.value.result_class == "CRASHED"
    assert run.exchange(probe()).kind == "arrays"
    assert link.ran == ["first", "crash", "first", "probe"]


def test_variants_run_one_after_another_with_the_names_of_the_start(started):
    link = FakeLink()
    run = Run(link, cells("first"), BUDGET)
    for word in ("one", "raise", "three"):
        run.vary([Cell(word, word)])
        assert list(run.cells) == ["cell-0", word]
        assert run.cells[word].outcome == ("error" if word == "raise" else "done")
        assert run.exchange(probe()).kind == "arrays"
    noted, as_noted = run_module._NOTE_NAMES, run_module._NAMES_AS_NOTED
    assert link.ran == [
        *("first", noted, "one", "probe", as_noted, "raise", "probe", as_noted, "three", "probe")
    ]
    run.close()
    assert (link.spawned, link.ended) == (1, 1)


@pytest.mark.parametrize("in_a_cell", [True, False])
def test_a_variant_that_ends_the_process_leaves_a_fresh_one_for_the_next(started, in_a_cell):
    link = FakeLink({"class": "CRASHED"})
    run = Run(link, cells("first"), BUDGET)
    run.vary([Cell("one", "crash" if in_a_cell else "one")])
    if in_a_cell:
        assert run.cells["one"].outcome == "CRASHED"
        assert run.exchange(probe()).kind == "arrays"
    else:
        with pytest.raises(RunEnded):
            run.exchange(probe("crash"))
    run.vary([Cell("two", "two")])
    assert run.cells["two"].outcome == "done"
    # Nothing of the first is in the process of the second.
    assert link.ran[-3:] == ["first", run_module._NOTE_NAMES, "two"]
    run.close()


def test_names_are_as_noted():
    space = {"kept": 1, "changed": 1, "deleted": 1}
    exec(run_module._NOTE_NAMES, space)
    for _ in range(2):
        exec("changed = 2\nadded = 3\ndel deleted", space)
        exec(run_module._NAMES_AS_NOTED, space)
        own = {name: value for name, value in space.items() if not name.startswith("_")}
        assert own == {"kept": 1, "changed": 1, "deleted": 1}


def test_an_answer_to_another_request_is_none(started):
    run = started(FakeLink(), cells())
    with pytest.raises(RunEnded) as ended:
        run.exchange(probe("late"))
    assert ended.value.result_class == "PROTOCOL"


def test_what_only_an_attack_does_is_noticed(started):
    run = started(FakeLink(), cells("first", "garbage"))
    assert run.ends == {"PROTOCOL"}
    assert [text.partition(":")[0] for text in run.noticed] == ["this cell"]
    killed = started(FakeLink({"class": "CRASHED", "signal": "SIGSYS"}), cells("crash"))
    assert len(killed.noticed) == 1
    honest = started(FakeLink({"class": "CRASHED", "signal": "SIGSEGV"}), cells("crash"))
    assert honest.noticed == set()


@pytest.mark.parametrize(("limit", "most"), [("_EXCHANGES", 4), ("_BYTES", 24)])
def test_more_than_a_submission_may_be_asked_or_answer_ends_it(started, monkeypatch, limit, most):
    monkeypatch.setattr(run_module, limit, most)
    run = started(FakeLink(), cells("first"))
    for _ in range(3):
        assert run.exchange(probe()).kind == "arrays"
    for _ in range(2):
        with pytest.raises(RunEnded) as ended:
            run.exchange(probe())
        assert ended.value.result_class == "LIMIT"
    # Who is judged several times may be asked as often.
    again = started(FakeLink(), cells("first"), replace(BUDGET, rounds=3))
    for _ in range(9):
        assert again.exchange(probe()).kind == "arrays"


def test_the_time_of_the_whole_submission_ends_everything(started):
    start = time.monotonic()
    run = started(
        FakeLink(), cells("hang", "hang", "hang"), Budget(cell=5, probe=5, submission=0.5)
    )
    with pytest.raises(RunEnded, match="whole") as ended:
        run.exchange(probe())
    assert ended.value.result_class == "TIMEOUT"
    assert time.monotonic() - start < 4

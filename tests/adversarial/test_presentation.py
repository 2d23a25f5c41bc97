"""In a real browser, on every page that shows a submission, nothing of it acts."""

import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from shutil import which

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Error, sync_playwright

from autograder.gradebook import notebook as autograded
from autograder.report import write_report
from tests.adversarial import showing
from tests.adversarial.room import ASSIGNMENT, student_of
from tests.not_run import not_run

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
CASE = showing.CASES[0]
ACTED = """() => [
    window.acted, document.documentElement.dataset.acted, document.title.includes("acted"),
    getComputedStyle(document.body, "::after").content.includes("acted"),
    document.querySelectorAll("#acted, form[action*=acted], iframe[srcdoc], iframe[src^=java]")
        .length,
    [...document.querySelectorAll("a")].some(a => a.protocol == "javascript:"),
    [...document.querySelectorAll("h1")].some(h => h.textContent.startsWith("acted")),
].map((x, n) => x ? n : null).filter(n => n !== null)"""


@pytest.fixture(scope="module")
def browser():
    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    if chromium is None:
        not_run("there is no chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def look(browser):
    """Opens a page, clicks what can be clicked, and says what acted, and what it looks like."""

    def open_page(address):
        page = browser.new_page(viewport={"width": 1200, "height": 2000})
        wanted = []
        page.on("request", lambda request: wanted.append(request.url))
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(address, wait_until="domcontentloaded")
        text = ""
        try:
            for link in page.query_selector_all("a#link, a:has-text('link')")[:5]:
                link.evaluate("element => element.click()")
            page.wait_for_timeout(500)
            found = [number for frame in page.frames for number in frame.evaluate(ACTED)]
            text = page.inner_text("body")
        except Error as problem:
            found = [f"it went elsewhere: {problem}"]
        found += [url for url in wanted if ":9/acted" in url] + dialogs
        page.close()
        return found, text

    return open_page


@pytest.fixture(scope="module")
def shown(rooms):
    """The room in which the case with all payloads has been graded, and what came of it."""
    room = rooms()
    return room, room.outcome(CASE)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in showing.CASES])
def test_what_is_shown_is_graded_like_anything_else(rooms, case):
    outcome = rooms().outcome(case)
    assert outcome.violated == []
    assert outcome.ended == case.ends
    assert outcome.graded.result.score == case.score, outcome.text


def test_feedback_acts_on_nobody(shown, look):
    room, _ = shown
    page = room.course.feedback_folder / student_of(CASE) / f"{ASSIGNMENT}.html"
    found, text = look(page.as_uri())
    assert found == []
    assert "4 of 15 points" in text


def test_feedback_has_a_policy_that_runs_no_script(shown):
    room, _ = shown
    page = (room.course.feedback_folder / student_of(CASE) / f"{ASSIGNMENT}.html").read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_the_report_acts_on_nobody(shown, look):
    room, outcome = shown
    page = write_report(room.course, ASSIGNMENT, [outcome.graded.result], {})
    found, text = look(page.as_uri())
    assert found == []
    assert student_of(CASE) in text


@pytest.fixture(scope="module")
def formgrader(shown):
    """Starts nbgrader's formgrader in the course; returns its address."""
    room, _ = shown
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    extension = '--ServerApp.jpserver_extensions={"nbgrader.server_extensions.formgrader": True}'
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token="]
    command += [extension, f"--ServerApp.root_dir={room.course.root}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    address = f"http://127.0.0.1:{port}/formgrader"
    with subprocess.Popen(command, cwd=room.course.root, **quiet) as server:
        deadline = time.monotonic() + 60
        while not _answers(f"{address}/gradebook/{ASSIGNMENT}/{ASSIGNMENT}"):
            assert time.monotonic() < deadline
            assert server.poll() is None
            time.sleep(0.2)
        yield address
        server.terminate()


def _answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:  # noqa: S310  (loopback)
            return reply.status == 200
    except OSError:
        return False


def submission_of(room):
    question = (
        "SELECT n.id FROM submitted_notebook n JOIN submitted_assignment a "
        "ON a.id = n.assignment_id WHERE a.student_id = ?"
    )
    with closing(sqlite3.connect(room.course.root / "gradebook.db")) as database:
        ((found,),) = database.execute(question, (student_of(CASE),))
    return found


def test_the_formgrader_acts_on_nobody(shown, formgrader, look):
    room, _ = shown
    found, text = look(f"{formgrader}/submissions/{submission_of(room)}/")
    assert found == []
    assert "sigmoid: 0 of 6 points" in text
    assert "red" in text
    for suffix in ("page.html", "page.svg"):
        assert not _answers(f"{formgrader}/submissions/{submission_of(room)}/{suffix}")


def test_nbgraders_own_feedback_acts_on_nobody(shown, look):
    room, _ = shown
    student = student_of(CASE)
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", ASSIGNMENT]
    made = subprocess.run(
        [*command, "--student", student],
        cwd=room.course.root,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    page = room.course.feedback_folder / student / ASSIGNMENT / f"{ASSIGNMENT}.html"
    found, text = look(page.as_uri())
    assert found == []
    assert "sigmoid: 0 of 6 points" in text


def test_without_both_cleaners_the_browser_shows_that_it_acts(rooms, look, monkeypatch, tmp_path):
    """The other one is nbconvert's, which the course's configuration switches on."""

    def as_it_is(outputs, allowance):
        # Of the other kinds, some end the page with an error.
        return [o for o in outputs if set(o.get("data", ())) == {"text/html", "text/plain"}]

    monkeypatch.setattr(autograded, "clean_outputs", as_it_is)
    notebook = rooms().outcome(CASE).graded.notebook
    page, _ = HTMLExporter().from_notebook_node(nbformat.from_dict(notebook))
    (tmp_path / "page.html").write_text(page)
    found, _ = look((tmp_path / "page.html").as_uri())
    assert found != []

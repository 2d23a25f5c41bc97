"""The student's end of the wire: runs cells in IPython's shell and answers probes.

Runs beside student code, in the locked-down process, and imports nothing of ours but the wire
and the probes. Nothing that comes from here is trusted.
"""

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from socket import socket
from typing import Any, NoReturn

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from autograder.errors import ProtocolError
from autograder.sandbox import probes, wire
from autograder.sandbox.wire import Message

__all__ = ["Shell", "new_shell", "serve"]

# Of one cell; what is beyond is left out, and the output says so.
TEXT_LIMIT = 2**20
IMAGE_LIMIT = 5 * 2**20
OUTPUTS_LIMIT = 1000
# Text is gathered, so that a loop that prints costs few frames.
_GATHERED = 16 * 2**10
_GATHERED_SECONDS = 0.2
_TRUNCATED = "[output truncated]\n"


class Recorder:
    """Sends what a cell shows, in order, up to the limits."""

    def __init__(self) -> None:
        """Sends nothing before the first `begin`."""
        self._send: Callable[[dict[str, Any]], None] = lambda _: None
        self._stream = "stdout"
        self._text: list[str] = []
        self._length = 0
        self._since = 0.0
        self._held: dict[str, dict[str, Any]] = {}
        self._left = {"text": 0, "image": 0, "outputs": 0}
        self._truncated = True

    def begin(self, send: Callable[[dict[str, Any]], None]) -> None:
        """Starts the outputs of a cell."""
        self._send = send
        self._left = {"text": TEXT_LIMIT, "image": IMAGE_LIMIT, "outputs": OUTPUTS_LIMIT}
        self._truncated = False
        self._held = {}

    def end(self) -> None:
        """Sends what has been held back."""
        for output in self._held.values():
            self.output(output)
        self._held = {}
        self.flush()

    def text(self, stream: str, text: str) -> None:
        """Takes text that was written to a stream."""
        if self._truncated:
            return
        if stream != self._stream:
            self.flush()
            self._stream = stream
        if not self._text:
            self._since = time.monotonic()
        kept = text[: self._left["text"] + 1]
        self._text.append(kept)
        self._length += len(kept)
        late = time.monotonic() - self._since > _GATHERED_SECONDS
        if self._length > min(_GATHERED, self._left["text"]) or late:
            self.flush()

    def flush(self) -> None:
        """Sends the text that has been gathered."""
        if not self._text:
            return
        text = "".join(self._text)
        self._text, self._length = [], 0
        self._emit({"output_type": "stream", "name": self._stream, "text": text}, len(text), 0)

    def output(self, output: dict[str, Any]) -> None:
        """Sends anything else than text on a stream."""
        self.flush()
        sizes = {"text": 0, "image": 0}
        for kind, value in output.get("data", {}).items():
            length = len(value) if isinstance(value, str) else len(json.dumps(value))
            sizes["image" if kind.startswith("image/") else "text"] += length
        sizes["text"] += sum(len(line) for line in output.get("traceback", ()))
        self._emit(output, sizes["text"], sizes["image"])

    def hold(self, name: str, output: dict[str, Any]) -> None:
        """Keeps an output that may be replaced by a later one, until the cell ends."""
        if name in self._held or len(self._held) < OUTPUTS_LIMIT:
            self._held[name] = output

    def _emit(self, output: dict[str, Any], text: int, image: int) -> None:
        if self._truncated:
            return
        left = self._left
        if text > left["text"] or image > left["image"] or left["outputs"] <= 1:
            self._truncated = True
            kept = output["text"][: left["text"]] if output["output_type"] == "stream" else ""
            name = output.get("name", "stderr")
            note = f"{kept}\n{_TRUNCATED}" if kept else _TRUNCATED
            self._send({"output_type": "stream", "name": name, "text": note})
            return
        left["text"] -= text
        left["image"] -= image
        left["outputs"] -= 1
        self._send(output)


class _Stream(io.TextIOBase):
    """What `sys.stdout` and `sys.stderr` are while cells run."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, recorder: Recorder, name: str, descriptor: int) -> None:
        self._recorder = recorder
        self.name = name
        self._descriptor = descriptor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes a str. Received: {type(text).__name__}")
        self._recorder.text(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        # For programs that are started with it; what they write there is gathered outside.
        return self._descriptor


class _Publisher(DisplayPublisher):  # type: ignore[misc]  # IPython is untyped
    """Takes what `display` is given."""

    recorder: Recorder

    def publish(self, data: Any, metadata: Any = None, **options: Any) -> None:
        output = {
            "output_type": "display_data",
            "data": _plain(data),
            "metadata": _plain(metadata or {}),
        }
        name = (options.get("transient") or {}).get("display_id")
        if name is None:
            self.recorder.output(output)
        else:
            self.recorder.hold(str(name), output)

    def clear_output(self, wait: bool = False) -> None:
        # What has been sent stays; a count limits it.
        pass


class _Hook(DisplayHook):  # type: ignore[misc]  # IPython is untyped
    """Takes the value of a cell's last expression."""

    recorder: Recorder

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.recorder.output(
            {
                "output_type": "execute_result",
                "execution_count": self.prompt_count,
                "data": _plain(format_dict),
                "metadata": _plain(md_dict or {}),
            }
        )

    def finish_displayhook(self) -> None:
        self._is_active = False


class _Compiler(CachingCompiler):  # type: ignore[misc]  # IPython is untyped
    """Remembers which cell a piece of code is from."""

    def __init__(self) -> None:
        super().__init__()
        self.cell: str | None = None
        self.cells: dict[str, str] = {}

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        name = f"<cell {number}>"
        if self.cell is not None:
            self.cells[name] = self.cell
        return name


class Shell(InteractiveShell):  # type: ignore[misc]  # IPython is untyped
    """IPython's shell, without a terminal, a history file or a kernel."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    compiler_class = Type(_Compiler)

    def __init__(self, **options: Any) -> None:
        """Takes the options of `InteractiveShell`."""
        super().__init__(**options)
        self.recorder = Recorder()
        self.displayhook.recorder = self.recorder
        self.display_pub.recorder = self.recorder
        self.streams = [_Stream(self.recorder, "stdout", 1), _Stream(self.recorder, "stderr", 2)]

    def enable_gui(self, gui: Any = None) -> None:
        """There is no screen."""

    @contextlib.contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        # IPython keeps a second copy of all that is printed, without a limit.
        yield

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        with contextlib.suppress(Exception):
            text = str(evalue)[:4096]
            self.recorder.output(
                {
                    "output_type": "error",
                    "ename": str(getattr(etype, "__name__", etype))[:100],
                    "evalue": text,
                    "traceback": [str(line)[:8192] for line in stb][:40],
                }
            )

    def system(self, cmd: str) -> None:
        """Runs a command line in a shell, as `!` does."""
        command = self.var_expand(cmd, depth=1)
        if command.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        with subprocess.Popen(  # noqa: S602  (that is what ! is for)
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            while process.stdout and (chunk := os.read(process.stdout.fileno(), 2**16)):
                self.recorder.text("stdout", chunk.decode("utf-8", "replace"))
            self.user_ns["_exit_code"] = process.wait()

    system_raw = system_piped = system


def new_shell() -> Shell:
    """Returns a shell that has run nothing; what is slow the first time has happened."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.autoindent = False
    shell: Shell = Shell.instance(config=config)
    if "matplotlib.pyplot" in sys.modules:
        from matplotlib_inline.backend_inline import configure_inline_support

        backend = "module://matplotlib_inline.backend_inline"
        configure_inline_support(shell, backend)  # type: ignore[no-untyped-call]
    shell.run_cell("0")
    shell.run_cell("1 / 0")
    shell.reset(new_session=True)
    return shell


def serve(connection: socket, shell: Shell) -> NoReturn:
    """Answers requests until the process is killed."""
    sys.stdout, sys.stderr = shell.streams
    while True:
        try:
            request = wire.receive(connection, None)
        except ConnectionError:
            # Whoever ends by itself has crashed; this one waits to be ended.
            while True:
                signal.pause()
        reply = _reply(connection, shell, request)
        wire.send(connection, replace(reply, sequence=request.sequence), None)


def _reply(connection: socket, shell: Shell, request: Message) -> Message:
    def send(output: dict[str, Any]) -> None:
        message = Message("output", {"output": output}, sequence=request.sequence)
        with contextlib.suppress(ProtocolError):
            wire.send(connection, message, None)

    if request.kind == "cell":
        shell.recorder.begin(send)
        succeeded = _run_cell(shell, request.fields)
        shell.recorder.end()
        return Message("done" if succeeded else "error", {})
    # Whatever a probe prints is shown to nobody.
    shell.recorder.begin(lambda _: None)
    return probes.answer(request, shell.user_ns, shell.compile.cells.get)


def _run_cell(shell: Shell, fields: Mapping[str, Any]) -> bool:
    shell.compile.cell = str(fields["id"])
    try:
        return bool(shell.run_cell(fields["source"], store_history=True).success)
    except BaseException as problem:
        # The shell catches what cells raise; code that changes the shell may come to here.
        shell.recorder.text("stderr", f"{type(problem).__name__}\n")
        return False
    finally:
        shell.compile.cell = None


def _plain(value: Any) -> Any:
    """Returns what JSON can hold, with pictures as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)

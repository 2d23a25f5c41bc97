r"""Whatever a submission contains reaches people inert.

Texts lose what a terminal or a browser would act on, HTML is cut down to an allow-list, of a
cell's outputs only kinds that cannot act are kept, and pictures are drawn anew.

Markdown is the delicate one, since nbconvert passes HTML in it on as it stands, while
``$x < y$`` and code with ``<tags>`` are what students write. So nothing is guessed about where
code begins: nbconvert's own renderer says what it would pass on, and only that is replaced, where
it stands. What cannot be put right in a few rounds is shown as the text that was typed, in a code
block. A text in which nothing is wrong comes back unchanged.
"""

import base64
import html
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import nh3

__all__ = [
    "Allowance",
    "clean_html",
    "clean_image",
    "clean_markdown",
    "clean_outputs",
    "terminal_text",
]

# Longer texts are cut: no reader needs them, and a page with many of them does not open.
_CHARACTERS = 50_000
_IMAGE_CHARACTERS = 8_000_000
_IMAGES = {f"image/{name.lower()}": name for name in ("PNG", "JPEG", "GIF", "WEBP")}
_IMAGES_SHOWN = ("image/png", "image/jpeg")
# Those that are kept as they are.
_MODES = {mode: mode for mode in ("L", "RGB")}
_ROUNDS = 6

# Escape sequences: CSI, then those with a text up to BEL or ST, then the short ones.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# Control characters but tab and newline; what reorders, hides or tags text; halves of characters.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")

# MathJax and KaTeX run or style what these are given; in mathematics they have no place.
_MACRO = re.compile(
    # Only where the backslashes begin: from each of them in turn, many would take for ever.
    r"(?<!\\)\\+(href|url|class|cssId|style|data|require|bbox|mmlToken|includegraphics|html[A-Za-z]*)"
    r"(?![A-Za-z])"
)

_TAGS = frozenset(
    "a abbr b blockquote br caption center code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr "
    "i img ins kbd li mark ol p pre q s samp small span strike strong sub summary sup table tbody "
    "td tfoot th thead tr tt u ul var".split()
)
# A browser ends these by itself, with what is around them.
_LOOSE = frozenset("br dd dt hr img input li p tbody td tfoot th thead tr".split())
_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "details": {"open"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_IMAGE_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.I)
# A tag that every parser reads alike: no angle bracket within, values quoted.
_PLAIN_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)"""
    r"""(?P<attributes>(?:\s+[A-Za-z-]+(?:=(?:"[^"<>]*"|'[^'<>]*'))?)*)\s*/?>"""
)


class Allowance:
    """What may be spent on one notebook, so that none keeps a whole class waiting.

    Markdown beyond it is shown as it was typed, pictures beyond it are not shown. A notebook of a
    hundred figures and long answers stays far below.
    """

    def __init__(self) -> None:
        """Starts with all of it."""
        self._characters = 300_000
        self._pixels = 64_000_000

    def renders(self, text: str) -> bool:
        """Whether a text may be read as Markdown; takes it off."""
        self._characters -= len(text)
        return self._characters >= 0

    def draws(self, width: int, height: int) -> bool:
        """Whether a picture may be drawn anew; takes it off."""
        self._pixels -= width * height
        return self._pixels >= 0


def terminal_text(text: str) -> str:
    """Returns text without escape sequences, control, bidi and invisible characters.

    Tab and newline stay. Of a line that was written over, by carriage returns, the last version
    stays. Very long texts are cut, and say so.
    """
    text = _SURROGATE.sub("\ufffd", _CONTROL.sub("", _ANSI.sub("", _cut(text))))
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join(lines)


def _cut(text: str) -> str:
    if len(text) <= _CHARACTERS:
        return text
    return f"{text[:_CHARACTERS]}\n… ({len(text) - _CHARACTERS} more characters are not shown)"


def clean_html(source: str) -> str:
    """Returns HTML of harmless elements: no script, style, class, frame, form, remote image.

    Unbalanced elements are closed or dropped, so that nothing breaks out of where it is shown.
    """
    cleaned = nh3.clean(
        terminal_text(source),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "data"},
    )
    return _MACRO.sub(r"\1", cleaned)


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return value if _harmless_link(value) else None
    if name == "src":
        return value if _IMAGE_DATA.match(value) else None
    return value


def _scheme(url: str) -> str:
    # As browsers do: entities are resolved, blanks and control characters inside do not count.
    address = re.sub(r"[\x00-\x20]", "", html.unescape(url))
    match = re.match(r"([^/?#:]*):", address)
    if match is None:
        return "//" if re.match(r"[/\\]{2}", address) else ""
    return match[1].lower()


def _harmless_link(url: str) -> bool:
    return _scheme(url) in {"", "//", "http", "https", "mailto"}


def clean_markdown(
    source: str,
    attachments: Collection[str] | None = None,
    allowance: Allowance | None = None,
) -> str:
    """Returns Markdown that renders to harmless HTML; what was harmless comes back unchanged.

    Args:
        source: A Markdown cell's source.
        attachments: The names of the cell's attachments, if known: nbconvert fails on an image
            that refers to a missing one.
        allowance: What is left for the notebook that it is of.
    """
    text = terminal_text(source)
    for number in range(_ROUNDS if (allowance or Allowance()).renders(text) else 0):
        # When cleaning tag by tag leaves the elements unbalanced, no tag is kept.
        tags = _TAGS if number < _ROUNDS // 2 else frozenset()
        try:
            harmful = _harmful(text, tags, attachments)
        except Exception:  # What the renderer cannot read now, it cannot read on a page.
            break
        if not harmful:
            return text
        for part, harmless in harmful.items():
            text = text.replace(part, harmless)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _harmful(
    text: str, tags: Collection[str], attachments: Collection[str] | None
) -> dict[str, str]:
    """What nbconvert would pass on and must not, each with what to put there instead."""
    # Imported here: it takes a second, which whoever cleans no Markdown need not wait.
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    found: dict[str, str] = {}

    class Inspector(IPythonRenderer):  # type: ignore[misc]
        """Renders all but code, which is only ever shown, and notes what is harmful."""

        def inline_html(self, html: str) -> str:
            # A block's last newline need not be in the source.
            safe = _clean_tags(html, tags)
            if safe != html:
                found[html.strip()] = safe.strip()
            return html

        block_html = inline_html

        def link(self, text: str, url: str, title: str | None = None) -> str:
            if not _harmless_link(url):
                found[url] = "#not-shown"
            return super().link(text, url, title)  # type: ignore[no-any-return]

        def image(self, text: str, url: str, title: str | None = None) -> str:
            scheme, name = _scheme(url), url.partition(":")[2]
            known = scheme == "attachment" and (attachments is None or name in attachments)
            if not (scheme == "" or known or _IMAGE_DATA.match(url)):
                found[url] = "#not-shown"
            return f'<img alt="{self.escape_attribute(text)}">'

        def block_code(self, code: str, info: str | None = None) -> str:
            # nbconvert passes diagrams on as they stand.
            if (info or "").strip().startswith("mermaid"):
                for before in ("`", "` ", "~", "~ "):
                    found[f"{before}mermaid"] = f"{before}text"
            return "<pre></pre>"

        def codespan(self, text: str) -> str:
            return "<code></code>"

    rendered = MarkdownWithMath(Inspector(escape=False, exclude_anchor_links=True)).render(text)
    if not found:
        for macro in _MACRO.finditer(html.unescape(rendered)):
            found[macro[0]] = macro[1]
    if not found and not _is_balanced(rendered):
        found = {"<": "&lt;"} if not tags else {tag: f"&lt;{tag[1:]}" for tag in _tags_in(text)}
    return found


def _clean_tags(source: str, tags: Collection[str]) -> str:
    """Returns HTML with every `<` written out that does not begin a plain, harmless tag."""
    parts, end = [], 0
    source = _without_comments(source)
    for match in _PLAIN_TAG.finditer(source):
        parts += [source[end : match.start()].replace("<", "&lt;"), _clean_tag(match, tags)]
        end = match.end()
    return "".join([*parts, source[end:].replace("<", "&lt;")])


def _without_comments(source: str) -> str:
    kept, end = [], 0
    # Not by an expression: it would look for the end anew at every beginning without one.
    while (start := source.find("<!--", end)) >= 0 and (stop := source.find("-->", start)) >= 0:
        kept.append(source[end:start])
        end = stop + len("-->")
    return "".join([*kept, source[end:]])


def _clean_tag(match: re.Match[str], tags: Collection[str]) -> str:
    name = match["name"].lower()
    if name not in tags:
        return match[0].replace("<", "&lt;")
    if match["end"] or not match["attributes"].strip():
        return match[0] if not match["attributes"].strip() else f"</{name}>"
    given = list(_attributes(match["attributes"]))
    kept = [
        (key, value)
        for key, value in given
        if key in _ATTRIBUTES.get(name, ()) and _attribute(name, key, value) is not None
    ]
    if kept == given:
        return match[0]
    words = [name, *(f'{key}="{html.escape(value)}"' for key, value in kept)]
    return f"<{' '.join(words)}>"


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(r"""([A-Za-z-]+)(?:=(?:"([^"]*)"|'([^']*)'))?""", text):
        yield match[1].lower(), html.unescape(match[2] or match[3] or "")


def _tags_in(text: str) -> set[str]:
    return {match[0] for match in _PLAIN_TAG.finditer(text)}


class _Nesting(HTMLParser):
    """Whether every element ends in the element in which it began."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.crossed = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in _LOOSE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _LOOSE and (not self.open or self.open.pop() != tag):
            self.crossed = True


def _is_balanced(rendered: str) -> bool:
    """Whether what follows a cell on a page stays outside of it, and after it."""
    nesting = _Nesting()
    nesting.feed(rendered)
    nesting.close()
    return not (nesting.crossed or nesting.open)


def clean_outputs(
    outputs: Iterable[object], allowance: Allowance | None = None
) -> list[dict[str, Any]]:
    """Returns a cell's outputs with text, images and clean HTML; nothing else is kept.

    Args:
        outputs: nbformat outputs, from a kernel that is not trusted: any JSON.
        allowance: What is left for the notebook that they are of.

    Returns:
        Outputs that nbformat accepts.
    """
    allowance = allowance or Allowance()
    return [clean for output in outputs for clean in _clean_output(output, allowance)]


def _clean_output(output: object, allowance: Allowance) -> Iterator[dict[str, Any]]:
    if not isinstance(output, dict):
        return
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        yield {"output_type": "stream", "name": name, "text": _text(output.get("text"))}
    elif kind == "error":
        trace = output.get("traceback")
        yield {
            "output_type": "error",
            "ename": _text(output.get("ename")),
            "evalue": _text(output.get("evalue")),
            "traceback": [_text(line) for line in trace] if isinstance(trace, list) else [],
        }
    elif kind in ("display_data", "execute_result"):
        bundle = output.get("data")
        data = _clean_data(bundle if isinstance(bundle, dict) else {}, allowance)
        clean: dict[str, Any] = {"output_type": kind, "metadata": {}, "data": data}
        if kind == "execute_result":
            count = output.get("execution_count")
            clean["execution_count"] = count if type(count) is int else None
        yield clean


def _clean_data(bundle: dict[str, Any], allowance: Allowance) -> dict[str, str]:
    data: dict[str, str] = {}
    for kind, value in bundle.items():
        if kind in _CLEAN:
            data[kind] = _CLEAN[kind](_joined(value))
        elif kind == "text/markdown":
            data[kind] = clean_markdown(_joined(value), allowance=allowance)
        elif kind in _IMAGES_SHOWN:
            image = clean_image(kind, _joined(value), allowance)
            if image is not None:
                data[kind] = image
    if not data:
        kinds = ", ".join(sorted(terminal_text(str(kind))[:60] for kind in bundle))
        data["text/plain"] = f"(output that is not shown here: {kinds or 'empty'})"
    return data


_CLEAN: dict[str, Callable[[str], str]] = {
    "text/plain": terminal_text,
    "text/html": clean_html,
    "text/latex": lambda text: _MACRO.sub(r"\1", terminal_text(text)),
}


def _joined(value: object) -> str:
    """Joins a text: nbformat's files may hold it as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _text(value: object) -> str:
    return terminal_text(_joined(value))


def clean_image(kind: str, value: str, allowance: Allowance | None = None) -> str | None:
    """Returns a picture drawn anew, with nothing in it but its pixels.

    Args:
        kind: Its MIME type: PNG, JPEG, GIF or WebP.
        value: Its bytes, in base64.
        allowance: What is left for the notebook that it is of.

    Returns:
        Its new bytes, in base64; None if it is no such picture, or too large. Of several pictures
        in one, the first.
    """
    from PIL import Image  # a tenth of a second, which most pages need not wait

    if kind not in _IMAGES or len(value) > _IMAGE_CHARACTERS:
        return None
    drawn = io.BytesIO()
    try:
        content = base64.b64decode(value, validate=False)
        with Image.open(io.BytesIO(content), formats=[_IMAGES[kind]]) as picture:
            if not (allowance or Allowance()).draws(*picture.size):
                return None
            picture.load()
            # A new one: what is not pixels stays behind.
            colors = "RGB" if kind == "image/jpeg" else "RGBA"
            plain = picture.convert(_MODES.get(picture.mode, colors))
            plain.info.clear()
            plain.save(drawn, _IMAGES[kind])
    except Exception:  # whatever a picture that is none makes of its reader
        return None
    return base64.b64encode(drawn.getvalue()).decode("ascii")

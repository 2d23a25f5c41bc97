"""Nothing that a submission holds acts on who reads it, and what was legitimate is still there."""

import base64
import html
import io
import random
import re
import time
from functools import cache
from html.parser import HTMLParser

import nbformat
import pytest
from nbconvert import HTMLExporter
from PIL import Image

from autograder.inert import (
    Allowance,
    clean_html,
    clean_image,
    clean_markdown,
    clean_outputs,
    terminal_text,
)
from tests.pictures import picture

TAGS = set(
    "a abbr b blockquote br caption center code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr "
    "i img input ins kbd li mark ol p pre q s samp small span strike strong sub summary sup table "
    "tbody td tfoot th thead tr tt u ul var".split()
)
ATTRIBUTES = set("href title src alt width height open colspan rowspan class id rel".split())
ATTRIBUTES |= {"type", "disabled", "checked", "start"}  # of task lists and numbered lists
MACROS = re.compile(
    r"\\(href|url|class|cssId|style|data|require|bbox|mmlToken|includegraphics|html\w*)(?![A-Za-z])"
)
PNG = picture()


# A browser ends these by itself; all others must be ended where they began.
LOOSE = set("br hr img input p li dt dd tr td th thead tbody".split())


class Audit(HTMLParser):
    """Lists what in a piece of HTML could act, fetch, pass for something else, or break out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.code = 0
        self.open: list[str] = []
        self.feed(page)
        self.close()
        self.found += self.open

    def handle_starttag(self, tag, attributes):
        self.code += tag in ("code", "pre")
        if tag not in LOOSE:
            self.open.append(tag)
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        for name, value in attributes:
            value = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name == "style" and re.fullmatch(r"text-align:(left|right|center)", value):
                continue  # a Markdown table's columns
            if name not in ATTRIBUTES:
                self.found.append(f"{tag} {name}")
            if name == "href" and not re.match(r"(https?:|mailto:|[^:]*$|[^:]*[/#?])", value):
                self.found.append(f"{tag} href={value}")
            if name == "src" and not re.match(r"(data:image/(png|jpeg|gif|webp);|[^:]*$)", value):
                self.found.append(f"{tag} src={value}")

    def handle_endtag(self, tag):
        self.code -= tag in ("code", "pre")
        if tag not in LOOSE and (not self.open or self.open.pop() != tag):
            self.found.append(f"</{tag}>")

    def handle_comment(self, data):
        self.found.append(f"<!--{data}")

    def handle_decl(self, decl):
        self.found.append(f"<!{decl}")

    def handle_pi(self, data):
        self.found.append(f"<?{data}")

    def handle_data(self, data):
        if not self.code and MACROS.search(data):
            self.found.append(data)


@cache
def exporter() -> HTMLExporter:
    return HTMLExporter()


def rendered(source: str) -> str:
    """Markdown as nbconvert's own filter renders it; nbgrader's templates pass it on as it is."""
    return exporter().markdown2html({}, source)


ATTACKS = {
    "script": "<script>alert(1)</script>",
    "script in a paragraph": "hello <script src=//evil/x.js></script> there",
    "upper case": "<ScRiPt>alert(1)</sCrIpT>",
    "event handler": "<img src=x onerror=alert(1)>",
    "quoted event handler": '<b onclick="alert(1)">x</b>',
    "handler over lines": '<b\nonclick="alert(1)"\n>x</b>',
    "svg": "<svg onload=alert(1)><script>alert(2)</script></svg>",
    "svg in a block": "<div>\n<svg/onload=alert(1)>\n</div>",
    "iframe": "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "object": "<object data='data:text/html;base64,x'></object><embed src=x>",
    "form": "<form action='http://evil'><button>Click</button></form>",
    "meta": "<meta http-equiv=refresh content='0;url=http://evil'>",
    "base": "<base href='http://evil/'>",
    "link tag": "<link rel=stylesheet href=http://evil/x.css>",
    "style": "<style>.score { color: red } .score::after { content: '100' }</style>",
    "style attribute": "<div style='position:fixed;top:0'>100 / 100</div>",
    "class": "<span class='pull-right score'>Score: 100</span>",
    "div breakout": "</div></div></div><h1>Score: 100</h1>",
    "div breakout from a quotation": "> <div>\n\n</div></div>",
    "unclosed table": "<table><tr><td>",
    "unclosed link": "<a href='https://a.example/'>",
    "unclosed heading": "<h1>",
    "javascript link": "[x](javascript:alert(1))",
    "javascript link with entities": "[x](java&#115;cript&colon;alert(1))",
    "javascript link in upper case": "[x](JaVaScRiPt:alert(1))",
    "javascript link with a tab": "[x](<java\tscript:alert(1)>)",
    "javascript autolink": "<javascript:alert(1)>",
    "javascript reference": "[x][y]\n\n[y]: javascript:alert(1)",
    "javascript in a tag": "<a href='javascript:alert(1)'>x</a>",
    "javascript in a tag with entities": "<a href='java&#x73;cript:alert(1)'>x</a>",
    "vbscript": "[x](vbscript:alert(1))",
    "data link": "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "data image of HTML": "![x](data:text/html;base64,PHNjcmlwdD4=)",
    "data image of SVG": "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "remote image": "![x](http://evil.example/pixel.png)",
    "remote image without scheme": "![x](//evil.example/pixel.png)",
    "remote image in a tag": "<img src='http://evil.example/pixel.png'>",
    "image attribute breakout": '![x" onerror="alert(1)](y.png)',
    "title breakout": "[x](y 'z\" onclick=\"alert(1)')",
    "mathjax href": r"$\href{javascript:alert(1)}{x}$",
    "mathjax href in display": "$$\n\\href{javascript:alert(1)}{x}\n$$",
    "mathjax href in other delimiters": r"\\(\\href{javascript:alert(1)}{x}\\)",
    "mathjax href with an entity": r"\\(\hr&#101;f{javascript:alert(1)}{x}\\)",
    "mathjax href beside escaped dollars": r"\$\hr&#101;f{javascript:alert(1)}{x}\$",
    "mathjax href in HTML": "<div>\n$\\hr&#101;f{javascript:alert(1)}{x}$\n</div>",
    "mathjax style": r"$\style{position:fixed;top:0}{100}$",
    "mathjax class": r"$\class{score}{100}$",
    "mathjax in an environment": "\\begin{align}\\cssId{x}{y}\\end{align}",
    "MathML": "<math href='javascript:alert(1)'><mi>x</mi></math>",
    "mermaid": "```mermaid\n<script>alert(1)</script>\n```",
    "mermaid with tildes": "~~~ mermaid\n<img src=x onerror=alert(1)>\n~~~",
    "language breakout": '``` x" onmouseover="alert(1)\ncode\n```',
    "comment": "<!-- <script>alert(1)</script> -->",
    "comment that ends early": "<!--> <script>alert(1)</script> -->",
    "split tag": "<scr<!-- -->ipt>alert(1)</scr<!-- -->ipt>",
    "processing instruction": "<?php evil ?>",
    "declaration": "<!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "code that is none": "`a\n\n<script>alert(1)</script>\n\n`",
    "backtick in an attribute": "<b title='`'><script>alert(1)</script>`",
    "escaped backtick": "\\`<script>alert(1)</script>\\`",
    "fence that is none": "``` `\n<script>alert(1)</script>\n```",
    "indented after a paragraph": "text\n    <script>alert(1)</script>",
    "script in a list": "- one\n- <script>alert(1)</script>\n\n  <svg onload=alert(1)>",
    "script in a quotation": "> <script>\n> alert(1)\n> </script>",
    "script in a table": "| a |\n|---|\n| <script>alert(1)</script> |",
    "script in a heading": "# <script>alert(1)</script>",
    "id in a heading": '# <b id="notebook">x</b>',
    "input": "<input autofocus onfocus=alert(1)>",
    "details with a handler": "<details open ontoggle=alert(1)>x</details>",
    "template": "<template><script>alert(1)</script></template>",
    "noscript": "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "null character": "<scr\0ipt>alert(1)</scr\0ipt>",
}

BENIGN = {
    "mathematics": "Since $x < y$ and $y > z$, $a_1 * b_1 * c$: $$\\sum_i w_i \\lt 3$$",
    "environment": "\\begin{align}\na &< b \\\\\nc &> d\n\\end{align}",
    "escaped dollar": "It costs \\$3, not \\$4.",
    "comparison": "If x < y and z > 3, then a<b.",
    "code span": "Use `<b>` or ``a ` <script>`` and `List[int]`.",
    "fence": "```html\n<script>alert(1)</script>\n```",
    "fence without language": "~~~\n<div onclick='x'>\n~~~",
    "indented code": "Text:\n\n    if a < b: <tag>\n",
    "LaTeX as code": "`\\href{a}{b}` is not mathematics.",
    "emphasis": "*one* **two** ~~three~~ `four`",
    "lists": "1. one\n2. two\n   - three\n\n- [ ] open\n- [x] done",
    "table": "| a | b |\n|:--|--:|\n| 1 | $x<y$ |",
    "links": "[page](https://example.org/a?b=c&d#e), <https://example.org>, [mail](mailto:a@b.c)",
    "pictures": f"![plot](plot.png) ![inline](data:image/png;base64,{PNG})",
    "formatting tags": "x<sub>i</sub> and H<sup>2</sup>, <b>bold</b><br>\n<kbd>Ctrl</kbd>",
    "hints": "<details><summary>Hint 1</summary>\n\nThe **sign** of $F$.\n\n```python\n"
    "a < b\n```\n\n</details>",
    "HTML table": "<table>\n<tr><th>a</th></tr>\n<tr><td colspan=\"2\">b</td></tr>\n</table>",
    "quotation": "> one\n> two\n\nthree",
    "entities": "&lt;script&gt; &amp; &alpha;",
    "other scripts": "Grüße, 你好, שלום, नमस्ते, 👩‍🔬",
    "empty": "",
}  # fmt: skip


@pytest.mark.parametrize("source", ATTACKS.values(), ids=ATTACKS)
def test_no_markdown_renders_to_something_that_acts(source):
    assert Audit(rendered(clean_markdown(source))).found == []


@pytest.mark.parametrize("source", ATTACKS.values(), ids=ATTACKS)
def test_cleaned_markdown_is_clean(source):
    once = clean_markdown(source)
    assert clean_markdown(once) == once


def test_the_audit_sees_most_attacks_as_they_stand():
    seen = {name for name, source in ATTACKS.items() if Audit(rendered(source)).found}
    # These break the page's structure, or no rule of Markdown makes them act in the first place.
    assert len(seen) >= 0.75 * len(ATTACKS), sorted(set(ATTACKS) - seen)


@pytest.mark.parametrize("source", BENIGN.values(), ids=BENIGN)
def test_legitimate_markdown_comes_back_unchanged(source):
    assert clean_markdown(source) == source
    assert Audit(rendered(source)).found == []


@pytest.mark.parametrize(
    "source",
    ["</div></div>x", "> <div>\n\n</div>", "<table><tr><td>", "<h1>", "<a href='x.html'>"],
)
def test_no_markdown_breaks_out_of_its_cell(source):
    assert Audit(rendered(source)).found != []
    assert Audit(rendered(clean_markdown(source))).found == []


def test_an_attack_leaves_the_text_around_it_readable():
    source = "Since $x < y$, `<b>` holds. <script>alert(1)</script> Therefore **yes**."
    page = rendered(clean_markdown(source))
    assert "$x &lt; y$" in page
    assert "<code>&lt;b&gt;</code>" in page
    assert "&lt;script" in page
    assert "<strong>yes</strong>" in page


def test_mixtures_of_attacks_and_syntax_stay_inert():
    pieces = [*ATTACKS.values(), *BENIGN.values(), "\n", "\n\n", "`", "```", "$", "$$", "> ", "- "]
    pieces += ["<b>", "</b>", "<!--", "-->", "[", "](", ")", "\\", "|", "    ", '"', "'", "<", ">"]
    choose = random.Random(4)  # noqa: S311
    for _ in range(300):
        source = "".join(choose.choices(pieces, k=choose.randint(2, 7)))
        assert Audit(rendered(clean_markdown(source))).found == [], source


@pytest.mark.parametrize(
    "piece", ["[", "![", "` ", "<a ", "<b>", "*a ", "> ", "- ", "$a", "<div>"]
)
def test_repeated_syntax_costs_little_time(piece):
    start = time.monotonic()
    clean_markdown(piece * 4000)
    assert time.monotonic() - start < 5


def test_a_missing_attachment_is_not_referred_to():
    source = "![plot](attachment:plot.png)"
    assert clean_markdown(source) == source
    assert clean_markdown(source, ["plot.png"]) == source
    assert "attachment:" not in clean_markdown(source, [])


def test_terminal_text_loses_escape_sequences():
    assert terminal_text(
        "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b(B"
    ) == ("red link")
    assert terminal_text("\x9b31mred") == "red"


def test_terminal_text_loses_control_and_bidi_characters():
    assert terminal_text("a\x00b\x08c\u202ed\u2066e\u200bf\ufeffg\x7f") == "abcdefg"
    assert terminal_text("100\u202e001") == "100001"
    assert terminal_text("half \ud800") == "half \ufffd"


def test_terminal_text_keeps_lines_tabs_and_all_scripts():
    text = "a\tb\nGrüße 你好 שלום 👩‍🔬 \u2264"
    assert terminal_text(text) == text


def test_of_an_overwritten_line_the_last_version_stays():
    assert terminal_text(" 1 %\r50 %\r100 %\ndone\r\nnext\r\n") == "100 %\ndone\nnext\n"


def test_long_text_is_cut_and_says_so():
    text = terminal_text("x" * 10**7)
    assert len(text) < 60_000
    assert "more characters" in text


@pytest.mark.parametrize("source", ATTACKS.values(), ids=ATTACKS)
def test_clean_html_keeps_nothing_that_acts(source):
    assert Audit(clean_html(html.unescape(source))).found == []


def test_clean_html_keeps_a_data_frame():
    table = (
        '<div>\n<style scoped>.dataframe { color: red }</style>\n<table border="1" '
        'class="dataframe"><thead><tr><th></th><th>a</th></tr></thead>'
        "<tbody><tr><th>0</th><td>1.5</td></tr></tbody></table>\n</div>"
    )
    clean = clean_html(table)
    assert "<th>a</th>" in clean
    assert "<td>1.5</td>" in clean
    assert "color" not in clean


def test_outputs_keep_text_images_and_clean_html_only():
    (output,) = clean_outputs(
        [
            {
                "output_type": "display_data",
                "metadata": {"image/png": {"width": '1 onload="alert(1)"'}},
                "data": {
                    "text/plain": "\x1b[1mplain\x1b[0m",
                    "text/html": ["<b>bold</b>", "<script>alert(1)</script>"],
                    "image/png": PNG,
                    "image/svg+xml": "<svg onload=alert(1)>",
                    "application/javascript": "alert(1)",
                    "application/vnd.jupyter.widget-view+json": {"model_id": "x"},
                },
            }
        ]
    )
    assert output["metadata"] == {}
    assert output["data"] == {"text/plain": "plain", "text/html": "<b>bold</b>", "image/png": PNG}


def test_an_output_of_which_nothing_is_left_says_so():
    (output,) = clean_outputs(
        [{"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg/>"}}]
    )
    assert output["data"] == {"text/plain": "(output that is not shown here: image/svg+xml)"}


@pytest.mark.parametrize("data", ['" onload="alert(1)', "PHN2Zz4=", "%%%", "é"])
def test_what_is_no_image_is_no_image(data):
    (output,) = clean_outputs(
        [{"output_type": "display_data", "metadata": {}, "data": {"image/png": data}}]
    )
    assert "image/png" not in output["data"]


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP"])
def test_pictures_are_drawn_anew(name):
    kind = f"image/{name.lower()}"
    hidden = base64.b64encode(base64.b64decode(picture(name)) + b"<script>alert(1)</script>")
    drawn = clean_image(kind, hidden.decode())
    content = base64.b64decode(drawn)
    assert b"script" not in content
    with Image.open(io.BytesIO(content)) as seen:
        assert (seen.format, seen.size) == (name, (3, 2))
        assert seen.convert("RGB").getpixel((1, 1))[0] > 200


def test_no_notebook_takes_more_than_its_allowance():
    allowance = Allowance()
    shown = [clean_image("image/png", picture(size=(4000, 4000)), allowance) for _ in range(6)]
    assert [image is None for image in shown] == [False] * 4 + [True] * 2
    texts = [clean_markdown("**bold** " * 5000, allowance=allowance) for _ in range(8)]
    assert [text.startswith("```text") for text in texts] == [False] * 6 + [True] * 2


@pytest.mark.parametrize("part", ["\\", "<!--", "[", "\\begin{a}", "<a href='", "> ", "$$a"])
def test_no_text_takes_long(part):
    start = time.monotonic()
    clean_markdown(part * (45_000 // len(part)))
    clean_html(part * (45_000 // len(part)))
    assert time.monotonic() - start < 15


def test_pictures_that_unfold_are_no_pictures():
    bomb = picture(size=(9_000, 9_000))
    assert len(bomb) < 2_000_000
    assert clean_image("image/png", bomb) is None
    assert clean_image("image/svg+xml", PNG) is None
    assert clean_image("image/png", picture("JPEG")) is None


def test_errors_and_streams_are_plain_text():
    stream, error = clean_outputs(
        [
            {"output_type": "stream", "name": "x'><script>", "text": ["\x1b[2Jone\n", "two"]},
            {
                "output_type": "error",
                "ename": "E\x07",
                "evalue": "\u202e",
                "traceback": ["\x1b[0m"],
            },
        ]
    )
    assert stream == {"output_type": "stream", "name": "stdout", "text": "one\ntwo"}
    assert error == {"output_type": "error", "ename": "E", "evalue": "", "traceback": [""]}


@pytest.mark.parametrize(
    "output",
    [
        None,
        7,
        {},
        {"output_type": "update_display_data"},
        {"output_type": "stream"},
        {"output_type": "error", "traceback": 3},
        {"output_type": "display_data", "data": []},
        {"output_type": "execute_result", "data": {"text/plain": None}, "execution_count": "x"},
    ],
)
def test_whatever_claims_to_be_an_output_becomes_a_valid_one(output):
    cell = nbformat.v4.new_code_cell(outputs=clean_outputs([output]))
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))

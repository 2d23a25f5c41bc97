"""I. What people look at: whatever a submission shows acts on nobody."""

import json

from tests.adversarial.case import RIGHT, Case

__all__ = ["CASES", "MARK", "PAYLOADS"]

# What a payload does if it acts; a page in which it did is told by it.
MARK = "window.top.acted = document.documentElement.dataset.acted = 1"
_FETCH = "http://127.0.0.1:9/acted"

PAYLOADS = (
    f"<script>{MARK}</script>",
    f"<img src=x onerror='{MARK}'>",
    f"<svg onload='{MARK}'><script>{MARK}</script></svg>",
    f"<svg><animate onbegin='{MARK}' attributeName=x dur=1s></svg>",
    f'<iframe srcdoc="<script>{MARK}</script>"></iframe>',
    f"<iframe src='javascript:{MARK}'></iframe>",
    f"<details open ontoggle='{MARK}'><summary>x</summary></details>",
    f"<video><source onerror='{MARK}'></video>",
    f"<input autofocus onfocus='{MARK}'>",
    f"<object data='data:text/html,<script>{MARK}</script>'></object>",
    f"<img src='{_FETCH}.png'><link rel=stylesheet href='{_FETCH}.css'>",
    f"<meta http-equiv=refresh content='0;url={_FETCH}'><base href='{_FETCH}/'>",
    "<style>body::after { content: 'acted' } .score { display: none }</style>",
    "<div style='position:fixed;inset:0;background:url(http://127.0.0.1:9/acted)'>100</div>",
    "</div></div></section></main></body></html><h1>acted: 100 points</h1>",
    f"<form action='{_FETCH}'><button id=acted>Continue</button></form>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror='{MARK}'>",
    f"<noscript><p title='</noscript><img src=x onerror={json.dumps(MARK)}>'></noscript>",
)
_MARKDOWN = "\n\n".join(
    [
        *PAYLOADS,
        f"[link](javascript:{MARK.replace(' ', '')})",
        f"![image]({_FETCH}.png)",
        f"$\\href{{javascript:{MARK}}}{{x}}$ $\\style{{background:url({_FETCH})}}{{x}}$",
        f"```mermaid\ngraph LR; a[<img src=x onerror='{MARK}'>]\n```",
        f"<a href='javascript:{MARK}' id=link>x</a>",
    ]
)
_SHOW = f"""
from IPython.display import HTML, SVG, Javascript, Markdown, Latex, display
payloads = {PAYLOADS!r}
everything = "\\n".join(payloads)
for kind in ("text/html", "image/svg+xml", "application/javascript", "text/markdown",
             "text/latex", "text/plain", "application/vnd.jupyter.widget-view+json",
             "application/vnd.plotly.v1+json", "text/vnd.mermaid", "application/pdf",
             "application/geo+json", "image/png", "text/html; charset=x"):
    display({{kind: everything, "text/plain": everything}}, raw=True,
            metadata={{"isolated": True, kind: {{"width": "1' onload='{MARK}"}}}})
display(Javascript({MARK!r}))
for one in payloads:
    display(HTML(one))
    display(Markdown(one))
print(everything)
print("\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07 \\x1b]8;;http://127.0.0.1:9/acted\\x07link\\x1b]8;;\\x07")
print("\\u202egrade\\u202c \\u2066x\\u2069 \\ud800", file=sys.stderr)
os.write(1, b"\\x1b[2J\\xff\\xfe\\x00\\r\\n" + everything.encode())
raise type("<img src=x onerror=acted>", (Exception,), {{}})("\\n".join(payloads))
"""
_ANSWERS = {
    **RIGHT,
    "sigmoid": f"import numpy as np\nclass E(Exception): pass\n"
    f"E.__name__ = E.__qualname__ = {PAYLOADS[0]!r}\n"
    f"def sigmoid(logit): raise E({(PAYLOADS[1] + chr(27) + '[31m')!r})\n"
    "def log_sigmoid(logit): return type('<b>x</b>', (), {})()\n",
}


def _everywhere(course, folder):
    path = folder / f"{folder.name}.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _MARKDOWN
        if cell["id"] == "slow-figure":
            data = {"text/html": "\n".join(PAYLOADS), "image/svg+xml": PAYLOADS[2]}
            output = {"output_type": "display_data", "metadata": {}, "data": data}
            cell["outputs"] = [output, {**output, "data": {"text/markdown": _MARKDOWN}}]
        cell["metadata"]["tags"] = [PAYLOADS[0]]
    more = [("markdown", _MARKDOWN), ("raw", "\n".join(PAYLOADS))]
    for kind, source in more:
        cell = {"cell_type": kind, "id": f"more-{kind}", "metadata": {}, "source": source}
        if kind == "raw":
            cell["metadata"] = {"raw_mimetype": "text/html"}
        else:
            picture = {"image/svg+xml": PAYLOADS[2]}
            cell["attachments"] = {"x.svg": picture, PAYLOADS[1]: picture}
        notebook["cells"].append(cell)
    notebook["metadata"]["title"] = PAYLOADS[0]
    path.write_text(json.dumps(notebook))
    for name in ("<img src=x onerror=acted>.csv", "page.html", "page.svg", "=cmd()|x.csv"):
        (folder / name).write_text("\n".join(PAYLOADS))


CASES = (
    Case(
        "I01",
        "active content everywhere",
        _SHOW,
        answers=_ANSWERS,
        hand_in=_everywhere,
        score=4,
        ends="error",
        seconds=20,
    ),
    Case(
        "I07",
        "provoke messages that tell of the checks",
        answers={
            **RIGHT,
            "sigmoid": "def sigmoid(logit):\n    raise ValueError(f'{logit!r} {open}')\n"
            "def log_sigmoid(logit): return np.full(np.shape(logit), 7.0)\n",
        },
        score=4,
    ),
    Case(
        "I08",
        "forge lines of the log",
        answers={
            **RIGHT,
            "sigmoid": "def sigmoid(logit):\n"
            "    raise ValueError('x\\nINFO ada: 10 of 10\\r\\x1b[2K' + 'y' * 10**6)\n"
            "def log_sigmoid(logit): raise KeyError('\\n2026-01-01 INFO honest: score 0')\n",
        },
        score=4,
    ),
)

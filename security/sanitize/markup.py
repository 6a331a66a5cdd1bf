"""Takes markup out of a line of text: the one module that knows bleach. Everything else of plain text is `text.py`'s.

It is no substitute for escaping: each page and document escapes what it shows, whether or not it was cleaned before.
"""

import re

# What opens a tag, comment or declaration (HTML Living Standard §13.2.5.6); "a < b" and "I <3 tea" do not.
_OPENS_A_TAG = re.compile(r"<[A-Za-z!/?]")
_BRACKETS_OF_A_TAG = re.compile(r"(?<!<)<++(?=[A-Za-z!/?])")  # begun at the first of a run, so linear
# What one reading leaves can be a tag again: `<<b>script>`. Four more characters ask for one more reading, so without
# a bound 400 characters cost 210 ms. Nobody's name is nested; what the last reading leaves loses its brackets.
_READINGS = 3


def holds_markup(text: str) -> bool:
    """Whether anything in `text` looks like a tag, a comment or a declaration, complete or not."""
    return _OPENS_A_TAG.search(text) is not None


def without_markup(text: str) -> str:
    """`text` without its tags, comments and declarations; nothing in it looks like one afterwards.

    What stood between tags stays, of `<script>` too. A tag that never ends loses its `<`. The caller bounds the
    length: the work is more than linear in it. Entities are text: `&lt;b&gt;` comes back as it was sent.
    """
    for _ in range(_READINGS):
        if not holds_markup(text):
            return text
        before, text = text, _without_closed_tags(text)
        if text == before:
            break
    return _BRACKETS_OF_A_TAG.sub("", text)


def _without_closed_tags(text: str) -> str:
    # It costs 40 ms and 3 MB, and hardly a name holds markup: only a process that was sent some pays it.
    from bleach import clean  # noqa: PLC0415

    # Escaped first, so that every entity of the answer is bleach's own and is undone without touching the person's.
    html = clean(text.replace("&", "&amp;"), tags=(), attributes={}, protocols=(), strip=True, strip_comments=True)
    # A block such as <p> comes back as a line feed, which a line of text may not hold.
    return html.replace("\n", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

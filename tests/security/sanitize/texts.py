"""Texts as an attacker would build them: pieces of markup, entities and accents, in any order."""

import re

from hypothesis import strategies as st

LOOKS_LIKE_A_TAG = re.compile(r"<[a-zA-Z!/?]")

_PIECES = (
    *("<", ">", "</", "/>", "<!", "<!--", "-->", "--!>", "<?", "<![CDATA[", "]]>", "&", "&lt;", "&#60;", "&#x3c"),
    *("\"", "'", "=", " ", "/", "b", "script", "<b>", "</b>", "<script>", "</script>", "<style>", "<textarea>", "<p>"),
    *("<plaintext>", "<svg>", "<table>", "<td>", "<select>", "<template>", "<noscript>", "<br>", "</br>", "<html>"),
    *("\u0301", "\u0338", "\u212a", "é", "आ", "👩\u200d💼", "\u00a0", "\ufffe", "AT&T"),
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=100), st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))

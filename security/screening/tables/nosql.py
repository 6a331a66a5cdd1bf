"""Operators and scripts of document stores, and names that alter a prototype.

Rows of weight, reason and the alternatives of one pattern; `security.screening.patterns` says what the weights mean.
"""

ROWS = (
    (
        5,
        "an operator of a document store",
        r"(?:^|[\[{\"'.,(&?])[ \"']{0,2}\$(?:ne|eq|gte?|lte?|n?in|regex|where|exists|expr|n?or|and|not"
        r"|type|mod|all|size|elemmatch|options|text|search|function|accumulator|lookup|match|group"
        r"|project|unwind|out|merge|jsonschema|set|unset|inc|push|pull|rename|comment)\b",
    ),
    (
        5,
        "alters the prototype",
        r"__proto__",
        r"\bconstructor\b ?[\].'\":]{0,3} ?[\[.{]{1,2} ?['\"]?prototype",
        r"\bprototype\[",
    ),
    (
        4,
        "reads a document's field in a condition",
        r"\bthis\.\w{1,40}(?:\.\w{1,20})? ?(?:===?|!==?|\[|\.match ?\()",
    ),
    (
        4,
        "calls a document store",
        r"\bdb\.\w{1,40}\.(?:find|insert|drop|remove|update|aggregate|count|delete|save"
        r"|renamecollection)\w{0,10} ?\(",
    ),
    (
        5,
        "a condition that is always true",
        r"(?:\|\||&&) ?\(?['\"]?(\w{1,10})['\"]? ?===? ?['\"]?\1",
    ),
    (
        5,
        "a script in a query",
        r"['\"}\d] ?; ?return\b",
        r"; ?return (?:true|1|this\b|!)",
        r"\bsleep ?\( ?\d{3,6} ?\) ?;",
    ),
    (
        3,
        "a script",
        r"['\"] ?; ?(?:while|for|do|var) ?[({a-z]",
        r"\bfunction ?\(\w{0,20}\) ?\{",
        r"\bnew date\(\) ?[;)-]",
    ),
    (
        3,
        "a script of a document store",
        r"\b(?:emit|mapreduce|db\.getcollectionnames|tojson|tojsononeline) ?\(",
    ),
)

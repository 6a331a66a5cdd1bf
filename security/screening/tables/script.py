"""Scripts, elements and addresses that a browser would run.

Rows of weight, reason and the alternatives of one pattern; `security.screening.patterns` says what the weights mean.
"""

ROWS = (
    (
        5,
        "a script element",
        r"< ?/?script\b",
    ),
    (
        5,
        "an element with an event handler",
        r"<[a-z!/?][^<>]{0,300}?[ /\"'\n]on[a-z]{3,25} ?=",
    ),
    (
        4,
        "an event handler that calls something",
        r"(?:^|[ \"'/`])on(?:error|load|click|dblclick|mouse[a-z]{2,5}|focus(?:in|out)?|blur|toggle|begin"
        r"|start|pointer[a-z]{2,6}|key[a-z]{2,5}|animation[a-z]{3,9}|input|change|submit|wheel|copy|paste"
        r"|show|resize|scroll[a-z]{0,3}|hashchange|message|pageshow) ?= ?[\"'`]{0,2}[a-z_$.(\[]{1,40}[(`.\[)]",
    ),
    (
        4,
        "an element that loads or runs something",
        r"<(?:iframe|object|embed|applet|meta|base|frameset|frame|svg|math|link|portal|isindex|xss"
        r"|bgsound|layer|marquee)\b",
    ),
    (
        3,
        "an element",
        r"<(?:style|form|template|details|dialog|video|audio|body|input|button|textarea|keygen|html|img)\b[ />]",
    ),
    (
        5,
        "a script as an address",
        r"\bj\s?a\s?v\s?a\s?s\s?c\s?r\s?i\s?p\s?t\s?:[^ \n]",
        r"\b(?:vb|live)script ?:[^ \n]",
        r"\bmocha:[^ ]",
    ),
    (
        2,
        "perhaps a script as an address",
        r"\bj\s?a\s?v\s?a\s?s\s?c\s?r\s?i\s?p\s?t\s?:",
    ),
    (
        5,
        "a page as an address",
        r"\bdata ?: ?(?:text/html|image/svg|text/xml|application/(?:xhtml|x-?javascript|javascript)"
        r"|text/javascript)",
    ),
    (
        3,
        "calls a function of browsers",
        r"\b(?:alert|prompt|confirm|eval|atob|importscripts)(?:\.(?:call|apply|bind))?\)?(?:\?\.)?[(`]",
    ),
    (
        4,
        "reads or changes a page",
        r"\bdocument ?\. ?(?:cookie|write|domain|location|body|url|referrer|documentelement|getelement)",
        r"\bdocument\[",
        r"\bwindow ?[.\[] ?['\"]?(?:location|open|name|alert|eval|atob)",
        r"\.(?:inner|outer)html ?=",
        r"\b(?:local|session)storage\b",
        r"\b(?:top|self|parent|frames|globalthis)\[ ?['\"/(]",
        r"\blocation ?(?:\.href)? ?= ?['\"`]?(?:java|https?:|//|name)",
        r"\bxmlhttprequest\b",
        r"\bnavigator\.(?:sendbeacon|cookie)",
        r"\bnew function ?\(",
        r"\bset(?:timeout|interval) ?\( ?['\"`a]",
    ),
    (
        5,
        "runs a script without a script element",
        r"-moz-binding",
        r"\bbehaviou?r ?: ?url",
        r"\bexpression ?\( ?[a-z]",
        r"\bsrcdoc ?=",
        r"xlink:href ?=",
        r"\bformaction ?=",
        r"\bfromcharcode ?\(",
        r"\[\]\[ ?['\"(]",
        r"\(!\[\]\+",
        r"\bconstructor ?\( ?['\"`]",
    ),
    (
        4,
        "leaves the attribute it stood in",
        r"['\"]/?> ?<[a-z/!]",
        r"</(?:title|textarea|style|script|noscript|template)> ?<",
    ),
    (
        5,
        "an XML entity",
        r"<!entity\b",
        r"<!doctype[^>]{0,60}(?:system|public|\[)",
        r"<!\[cdata\[",
        r"<xi:include",
        r"<\?xml-stylesheet",
    ),
    (
        5,
        "a server-side include",
        r"<!-- ?# ?(?:exec|include|echo|config|printenv)",
    ),
    (
        3,
        "loads from elsewhere",
        r"<(?:img|a|input|video|audio|source|area)\b[^<>]{0,100}?\b(?:src|href|action"
        r"|background) ?= ?['\"]?(?:https?:)?//",
        r"@import ['\"u]",
    ),
)

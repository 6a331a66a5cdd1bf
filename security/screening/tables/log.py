"""Line breaks and control characters that forge a line of a log or a header.

Rows of weight, reason and the alternatives of one pattern; `security.screening.patterns` says what the weights mean.
"""

ROWS = (
    (
        4,
        "begins a line of a log",
        r"\n ?(?:\[?(?:info|warn|warning|error|debug|critical|fatal|notice|audit|alert|trace|success"
        r"|login|root|admin)\b[\]:|\-]|\[?\d{4}-\d{2}-\d{2}[t ]\d{2}:\d"
        r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3} -|\[\d{1,2}/[a-z]{3}/\d{4}|\{ ?\"(?:level|event|time|ts|msg"
        r"|message|severity|timestamp)\"|[a-z]{3} \d{1,2} \d{2}:\d{2}:\d{2} |<\d{1,3}>\d? ?[a-z\d]"
        r"|(?:user|username|status|action|event|level|msg)=)",
    ),
    (
        5,
        "begins a header",
        r"\n ?(?:set-cookie|content-length|content-type|transfer-encoding|x-[a-z-]{2,30}|http/\d"
        r"|access-control-[a-z-]{3,30}|refresh|cache-control|bcc|cc|mime-version|reply-to|authorization"
        r"|last-modified) ?[:.\d]",
        r"\n ?location ?: ?(?:https?:|/)",
        r"\n(?:get|post|put|delete|options|head|trace) [/h][^\n]{0,200} http/",
        r"\n ?host ?: ?[\w.-]{1,60}(?:\n|$)",
        r"\n\n<(?:html|script|h1)",
    ),
    (
        5,
        "commands a terminal",
        "\x1b[\\[\\]()#]?",
        "\x9b\\d",
    ),
    (
        4,
        "a control character",
        "[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9a\x9c-\x9f]",
    ),
    (
        3,
        "breaks or turns the line it is shown in",
        "[\u2028\u2029\u202a-\u202e\u2066-\u2069]",
    ),
)

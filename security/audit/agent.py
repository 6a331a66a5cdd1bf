"""Names the family of the client's program from a closed list. It keeps nothing of the header's own text.

A User-Agent header is free text of the client's: kept raw it fingerprints a person, and may hold anything.
"""

# First hit wins: Edge and Opera call themselves Chrome too, and Chrome calls itself Safari.
_FAMILIES = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("okhttp/", "okhttp"),
    ("Dart/", "Dart"),
    ("curl/", "curl"),
    ("python-requests/", "python-requests"),
    ("PostmanRuntime/", "Postman"),
)


def agent_family(user_agent: str) -> str:
    """Family of the program behind a User-Agent header: of a closed list, "other", or "" for no header."""
    if not user_agent:
        return ""
    head = user_agent[:512]
    return next((family for mark, family in _FAMILIES if mark in head), "other")

"""A walk over every page of the admin: along its links, and to the addresses that no link leads to.

What must be seen is read from the admin's own routes and models, so that a page added tomorrow is walked, or missed
aloud. What may stand on no page is looked for on each.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from django.contrib import admin
from django.urls import resolve, reverse

from tests.browser.hostile import MARK, SHORTEST

if TYPE_CHECKING:
    from tests.browser.staff import Staff

# Chromium's own remark upon the status of a document that was asked for on purpose.
REMARK = "Failed to load resource: the server responded with a status of"
LEAVES = "admin:logout"
# Words of Django's own scripts in another language: a script, which a browser shows as no page.
SCRIPT = "admin:jsi18n"
NOWHERE = "(?P<url>.*)$"
# One page of a kind is walked, besides the hostile rows: of rows, of orders and of further pages of one list.
_KINDS = ("o", "p")
# Whatever is true on no page of ours: the hostile element, anything that asks for its path, and what a strict policy
# has no use for anyway.
_FOREIGN = f"""() => [
  ...document.querySelectorAll("{MARK}, [src*={MARK}], [onload], [onerror], [onclick], [onmouseover], [onfocus], base"),
  ...document.querySelectorAll("a[href^='javascript:' i], script:not([src]):not([type$=json]):not([nonce])"),
].map(element => element.outerHTML.slice(0, 200))"""
_LINKS = "links => links.map(link => link.href)"
_FETCH = "path => fetch(path).then(answer => answer.text().then(() => answer.status))"
_FORMS = "#content form[method=post]:has([type=submit])"
_ACTIONS = "forms => forms.map(form => form.action)"
_TYPED = "input:not([type=hidden]):not([type=submit]):not([type=checkbox]), textarea"


class Walk:
    """`hostile` are the pages of rows that are attacks; they are given as primary keys by the model's label."""

    def __init__(self, staff: Staff, hostile: dict[str, str]) -> None:
        self.staff, self.person, self.page = staff, staff.person, staff.page
        self.hostile = {reverse(f"admin:{label.replace('.', '_')}_change", args=[pk]) for label, pk in hostile.items()}
        self.pages_walked = 0
        self._seen: set[str] = set()
        self._of_a_kind: Counter[str] = Counter()
        self._forms: dict[tuple[str, str], tuple[str, str]] = {}

    def routes_seen(self) -> set[str]:
        """The names of all routes that this person's browser asked for, by link, form or redirect."""
        paths = {urlsplit(url).path for url in self.person.asked}
        return {resolve(path).view_name for path in paths if path.startswith("/admin/")}

    def follow_every_link(self) -> None:
        """From the overview, the plain addresses and the hostile rows on, until no page shows a link of a new kind."""
        waiting = deque([*plain_addresses(), *sorted(self.hostile)])
        while waiting:
            address = waiting.popleft()
            if self._is_new(address):
                self.look_at(address)
                if address in self.hostile:
                    assert f"<{MARK}" in self.page.inner_text("#content"), f"{address} does not show its hostile row"
                if "?" not in address:
                    name = "31-hostile" if address in self.hostile else "30"
                    self.person.keep_picture(f"{name}-{resolve(address).view_name.removeprefix('admin:')}")
                waiting.extend(self._links(address))
                self._fetch_files()

    def look_at(self, address: str, *, statuses: tuple[int, ...] = (200,)) -> None:
        """Open the page and `look`. A refusal is looked at too where it is one of `statuses`."""
        status = self.person.open(address)
        assert status in statuses, (address, status)
        if status >= 400:
            assert self.person.complaints[0].startswith(f"{REMARK} {status}"), (address, self.person.complaints)
            del self.person.complaints[0]
        self.look(address)

    def look(self, what: str) -> None:
        """Nothing on this page is foreign, and the browser has nothing to say about it."""
        self.pages_walked += 1
        trouble = self.foreign() + self.person.complaints
        assert not trouble, (what, trouble)

    def foreign(self) -> list[str]:
        """The elements of this page that none of ours has."""
        found: list[str] = self.page.evaluate(_FOREIGN)
        return found

    def search_for_the_hostile(self) -> None:
        """In each list that can be searched; a row found that way is opened from there."""
        for address in lists():
            self.person.open(address)
            if self.page.locator("#searchbar").count():
                self.page.locator("#searchbar").fill(SHORTEST)
                self.person.press(self.page.locator("#changelist-search input[type=submit]"))
                assert self.page.locator("#searchbar").input_value() == SHORTEST
                self.look(f"search in {address}")
                self.person.press(self.page.locator("#result_list tbody th a").first)
                self.look(f"found in {address}")

    def type_hostile_addresses(self) -> None:
        """What no link says: words that are no filter, order or page, and pages that an admin has elsewhere."""
        for address in lists():
            for name in ("nothing", "o", "p"):
                self.look_at(f"{address}?{urlencode({name: SHORTEST})}", statuses=(200, 400))
            self.look_at(f"{address}add/", statuses=(404,))
        for address in self.hostile:
            for name in ("delete", "history"):
                self.look_at(address.replace("/change/", f"/{name}/"), statuses=(404, 405))
        self.look_at(f"/admin/{quote(SHORTEST)}/", statuses=(404,))
        assert self.page.evaluate(_FETCH, reverse(SCRIPT)) == 200
        self.look(SCRIPT)

    def send_every_form(self) -> None:
        """Each act once, on a hostile row, with hostile words. In the order of their names: a session is ended singly
        before all are.
        """
        for kind, (address, action) in sorted(self._forms.items()):
            self.person.open(address)
            forms = self.page.locator(_FORMS)
            form = forms.nth(forms.evaluate_all(_ACTIONS).index(action))
            for typed in form.locator(_TYPED).all():
                typed.fill(SHORTEST)
            for choice in form.locator("select[required]").all():  # nothing is chosen before somebody does
                choice.select_option(index=1)
            self.person.press(form.locator("[type=submit]"))
            self.look(f"{kind} on {address}")

    def _is_new(self, address: str) -> bool:
        parts = urlsplit(address)
        match = resolve(parts.path)
        if match.view_name == LEAVES or address in self._seen:
            return False
        self._seen.add(address)
        if parts.path in self.hostile:
            return True
        question = dict(parse_qsl(parts.query))
        kind = match.view_name if match.kwargs else " ".join((parts.path, *(n for n in _KINDS if n in question)))
        self._of_a_kind[kind] += 1
        is_of_many = bool(match.kwargs) or not question.keys().isdisjoint(_KINDS)
        return not is_of_many or self._of_a_kind[kind] == 1

    def _links(self, address: str) -> Iterator[str]:
        """Where this page leads within the admin. A page with a question leads to no other question: filters and
        orders are walked one by one, not in every combination.
        """
        if urlsplit(address).path in self.hostile or not resolve(urlsplit(address).path).kwargs:
            self._note_forms(address)
        for link in self.page.locator("a[href]:not([download])").evaluate_all(_LINKS):
            parts = urlsplit(link)
            question = parse_qsl(parts.query)
            if not link.startswith(self.person.url + "/admin/") or (question and urlsplit(address).query):
                continue
            if "_changelist_filters" in dict(question):
                question = []  # a row, however one came to it; `search_for_the_hostile` comes by a search
            yield parts.path + (f"?{urlencode(question)}" if question else "")

    def _fetch_files(self) -> None:
        """What this page offers as a file, one of a kind: a browser would show no page."""
        for link in self.page.locator("a[download]").evaluate_all(_LINKS):
            path = urlsplit(link).path
            if self._of_a_kind[resolve(path).view_name] == 0:
                self._of_a_kind[resolve(path).view_name] += 1
                assert self.page.evaluate(_FETCH, path) == 200, path

    def _note_forms(self, address: str) -> None:
        for action in self.page.locator(_FORMS).evaluate_all(_ACTIONS):
            match = resolve(urlsplit(action).path)
            self._forms.setdefault((match.view_name, str(match.kwargs.get("act", ""))), (address, action))


def lists() -> list[str]:
    """Addresses of the lists of all models in the admin."""
    return [reverse(f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist") for m in admin.site._registry]


def plain_addresses() -> list[str]:
    """Addresses of the admin's pages that need no word in them."""
    plain = [f"admin:{name}" for name, words in routes() if not words]
    return [reverse(name) for name in plain if name not in (LEAVES, SCRIPT)]


def routes() -> list[tuple[str, tuple[str, ...]]]:
    """(name, words of its address) of each route of the admin but the one for everything that is nowhere.

    A route without a name goes by its pattern, which no walk has seen: whoever adds one is told to name it.
    """
    found = []
    waiting = list(admin.site.urls[0])
    while waiting:
        route = waiting.pop(0)
        if hasattr(route, "url_patterns"):
            waiting = [*route.url_patterns, *waiting]
        elif str(route.pattern) != NOWHERE:
            words = set(route.pattern.converters) | set(route.pattern.regex.groupindex)
            found.append((route.name or str(route.pattern), tuple(sorted(words))))
    return found

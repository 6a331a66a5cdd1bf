"""The operator's file of breached passwords: every line is found, nothing is loaded, a bad file is noticed."""

from hashlib import sha1

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.passwords import check_password_policy
from accounts.passwords.breached import BreachedFileInvalid, is_breached

pytestmark = pytest.mark.embedded  # no store is asked

LISTED = [f"Leaked-Password-{number}" for number in range(200)]


def a_file(path, passwords=LISTED, *, end="\n", count=lambda number: f":{number * 7919 % 100_003}", case=str.upper):
    hashes = sorted(case(sha1(password.encode()).hexdigest()) for password in passwords)
    path.write_text("".join(f"{line}{count(number)}{end}" for number, line in enumerate(hashes)), newline="")
    return path


class TestSearch:
    """Binary search over lines of different lengths."""

    @pytest.mark.parametrize(
        "form",
        [{}, {"end": "\r\n"}, {"count": lambda number: ""}, {"case": str.lower}],
        ids=["counts", "Windows line ends", "no counts", "lower case"],
    )
    def test_every_line_is_found_and_no_other(self, tmp_path, form):
        file = a_file(tmp_path / "list", **form)
        assert all(is_breached(password, file) for password in LISTED)
        assert not any(is_breached(password + "x", file) for password in LISTED)

    def test_without_a_line_end_at_the_end(self, tmp_path):
        file = a_file(tmp_path / "list")
        file.write_bytes(file.read_bytes().rstrip(b"\n"))
        assert all(is_breached(password, file) for password in LISTED)

    def test_an_empty_file_lists_nothing(self, tmp_path):
        (tmp_path / "list").touch()
        assert not is_breached("x", tmp_path / "list")

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=12), st.data())
    def test_any_file(self, tmp_path, passwords, data):
        file = a_file(tmp_path / "list", passwords)
        asked = data.draw(st.sampled_from(sorted(passwords) or ["x"]) | st.text("ab", max_size=2))
        assert is_breached(asked, file) == (asked in passwords)

    def test_few_reads_whatever_the_size(self, tmp_path):
        file = a_file(tmp_path / "list", [str(number) for number in range(20_000)])
        reads = 0

        class Counting:
            def open(self, mode):
                stream = file.open(mode)
                seek = stream.seek

                def counted(*args):
                    nonlocal reads
                    reads += 1
                    return seek(*args)

                stream.seek = counted
                return stream

        assert is_breached("19999", Counting())
        assert reads <= 22  # log2 of 930 kB, and the last look


class TestBadFiles:
    """A file in another form is not searched in silence."""

    @pytest.mark.parametrize(
        "content", ["password\n123456\n", "\0" * 4096, "A" * 39 + "\n", "A" * 41 + "\n", "A" * 5000]
    )
    def test_is_noticed(self, tmp_path, content):
        (tmp_path / "list").write_text(content)
        with pytest.raises(BreachedFileInvalid):
            is_breached("x", tmp_path / "list")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            is_breached("x", tmp_path / "list")


class TestInThePolicy:
    """With a file set, its passwords are refused; with a broken one, people can still change theirs."""

    def told(self, password: str) -> list[str]:
        return check_password_policy(password, words=[], has_second_factor=False)

    def test_a_listed_password_is_refused(self, tmp_path, settings):
        settings.BREACHED_PASSWORDS_FILE = str(a_file(tmp_path / "list", ["Monsoon-Ledger-47"]))
        assert self.told("Monsoon-Ledger-47") == [
            "Use another password; this one is known from a data breach elsewhere."
        ]
        assert self.told("Monsoon-Ledger-48") == []

    def test_no_file_is_asked_when_none_is_set(self, settings):
        settings.BREACHED_PASSWORDS_FILE = ""
        assert self.told("Monsoon-Ledger-47") == []

    @pytest.mark.parametrize("content", [None, "password\n"])
    def test_an_unreadable_file_lets_people_pass_and_is_logged(self, tmp_path, settings, caplog, content):
        path = tmp_path / "list"
        if content:
            path.write_text(content)
        settings.BREACHED_PASSWORDS_FILE = str(path)
        assert self.told("Monsoon-Ledger-47") == []
        assert self.told("Password@123") == ["Use a password that is less common."]
        assert [record.message for record in caplog.records] == ["breached_passwords_unreadable"]
        assert "Monsoon" not in caplog.text

"""Common passwords fall in every disguise; a good passphrase may contain a common word."""

import subprocess
import sys
import time
from random import Random

import pytest

from accounts.passwords import commonness
from accounts.passwords.commonness import CommonListMissing, is_common

pytestmark = pytest.mark.embedded  # no store is asked

MUST_FALL = """
    Password@123 Welcome@2026 P@ssw0rd1 Passw0rd! P@$$w0rd Pa55word! Pass@123 Pass@word1 P.a.s.s.w.o.r.d1
    Password@2026! !Password1 2026@Welcome Welc0m3@2026 Welcome1! Admin@123 Admin@1234 @dmin123 Admin@Admin1
    Changeme@123 Secret#2024 Test@1234 User@1234 Login@123 Letmein@1 Iloveyou1! Dragon#99 Trustno1! Football#1
    Hello@123 Master@123 Qwerty@123 Qwerty123! Qwertyuiop1! Asdfgh@123 1qaz@WSX 1Qaz2wsx! !QAZ2wsx Zaq1@wsx
    Q1w2e3r4! A1b2c3d4! Abc@1234 Abcd@1234 Abcdefg1! Abcabc@123 Aaaaaaa1! 123456aA! Aa123456! PasswordPassword1!
    Password@123456789 India@123 1ndia@2026 Bharat@1947 Krishna@123 Ganesh@2026 Sachin@10 Sharma@1990 Kumar@123
    Jaimatadi@1 Omsairam@108 Mumbai@2026 Delhi@2026 Chennai@2026 Cricket@2026 Elephant@1 Summer2026! January@2026
    Koshflow@2026 K0shFl0w!1 passwordpassword aaaaaaaaaaaaaaa 123456789012345 111111111111111 123123123123123
    abababababababab abcdefghijklmno qwertyuiopasdfgh poiuytrewqlkjhgf ０１２３４５６７８９ Ｐａｓｓｗｏｒｄ@123
    PÁSSWORD@123 internationally
""".split()  # noqa: SIM905 - a table of words reads better unquoted

MUST_PASS = [
    "Monsoon-Ledger-47",
    "correct-Horse-battery-9-staple",
    "Tiger-under-the-banyan-7",
    "my-password-is-not-Password-1",
    "Welcome-home-dear-Farah-22",
    "kX9#vQ2!mLp7",
    "8Rivers&3Hills",
    "Mango!Chutney!Tuesday8",
    "sunlit.Veranda.3.cats",
    "Rain@Kochi+Tea4two",
    "seven quiet ponds at dawn",
    "48291#tiger!90217-6",
    "वर्षा-की-पहली-बूँद-7",
    "d5f0b7a1c93e4826",
    "",
    "!!",
]


class TestDisguises:
    """Case, look-alikes, digits, years, symbols, repetition and keyboard rows are undone."""

    @pytest.mark.parametrize("password", MUST_FALL)
    def test_falls(self, password):
        assert is_common(password)


class TestNeighbours:
    """What merely contains a common word is left alone."""

    @pytest.mark.parametrize("password", MUST_PASS)
    def test_passes(self, password):
        assert not is_common(password)

    def test_random_passwords_pass(self):
        random = Random(47)
        letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!@#$%&*"
        made = ["".join(random.choices(letters, k=12)) for _ in range(500)]
        assert [password for password in made if is_common(password)] == []


class TestCost:
    """The lists take little of a worker's memory and nothing before they are needed."""

    def test_memory_and_laziness(self):
        # Its own process: the lists may be loaded here already, and a peak in memory never comes down again.
        code = (
            "import resource\n"
            "from accounts.passwords import commonness, policy\n"
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "assert commonness._known.cache_info().currsize == 0\n"
            "before = peak()\n"
            "assert commonness.is_common('Password@123') and not commonness.is_common('Monsoon-Ledger-47')\n"
            "import sys\n"
            "assert 'zxcvbn' not in sys.modules\n"
            "print(peak() - before)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert int(done.stdout) <= 5 * 1024  # kB

    def test_all_lists_are_read(self):
        assert len(commonness._known()) > 90_000

    @pytest.mark.parametrize("unit", ["a", "1", "!", "1!", "a1", "é", "password"])
    def test_the_longest_password_is_judged_within_a_tenth_of_a_second(self, unit):
        password = (unit * 1024)[:1024]
        is_common("loaded")
        started = time.thread_time()
        is_common(password)
        assert time.thread_time() - started < 0.1

    def test_lists_in_another_form_are_noticed(self, monkeypatch):
        monkeypatch.setattr(commonness, "_LIST_LINE", commonness.re.compile("no such line"))
        with pytest.raises(CommonListMissing):
            list(commonness._zxcvbn_words())

    def test_a_missing_package_is_noticed(self, monkeypatch):
        monkeypatch.setattr(commonness, "find_spec", lambda name: None)
        with pytest.raises(CommonListMissing):
            list(commonness._zxcvbn_words())

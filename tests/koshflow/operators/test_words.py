"""How the operators' pages write numbers and times. Pure."""

import pytest

from koshflow.operators.words import counted, took

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0.07, "0.07 ms"),
        (340, "340 ms"),
        (8832, "8,832 ms"),
        (12_345, "12.3 s"),
        (60_000, "1 min 0 s"),
        (386_000, "6 min 26 s"),
        (11_100_000, "3 h 5 min"),
        (7_199_999, "1 h 59 min"),
    ],
)
def test_a_time_is_in_the_units_in_which_people_think_of_it(milliseconds, text):
    assert took(milliseconds) == text


def test_a_number_keeps_all_its_digits():
    assert counted(1_019_902) == "1,019,902"

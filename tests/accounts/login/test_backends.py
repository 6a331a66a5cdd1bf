"""Django's own door to people."""

from django.contrib.auth import authenticate

from tests.base import ApiTestCase
from tests.factories import PASSWORD, a_person, asha


class DjangosDoor(ApiTestCase):
    """No password is compared where no try is counted."""

    def test_a_right_password_admits_nobody(self):
        for person in (asha(), a_person(role=None)):
            self.assertIsNone(authenticate(username=person.email, password=PASSWORD))

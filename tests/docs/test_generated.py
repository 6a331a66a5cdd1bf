"""Documents made from the code say what the code says."""

import pytest
from django.test import SimpleTestCase

from tests.docs.write import DOCUMENTS, ROOT

# What reads our own files finds the same on every store.
pytestmark = pytest.mark.embedded


class GeneratedDocuments(SimpleTestCase):
    """Each stands in the repository as the code would write it now; `make docs` writes them anew."""

    def test_none_has_drifted(self):
        for name, make in DOCUMENTS.items():
            with self.subTest(name):
                self.assertEqual((ROOT / name).read_text(), make(), f"{name} has drifted: run make docs")

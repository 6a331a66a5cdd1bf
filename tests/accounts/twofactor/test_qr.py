"""What an authenticator app scans."""

import re
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest
import segno
from django.test import SimpleTestCase

from accounts.twofactor.qr import manual_entry_key, otpauth_url, qr_data_uri

pytestmark = pytest.mark.embedded  # no store is asked

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
EMAIL = "asha@lotus.example.in"


class OtpauthUrl(SimpleTestCase):
    """It names issuer, account and secret, and nothing in an address can add to it (ASVS 1.2.2)."""

    def test_its_parts(self):
        url = urlsplit(otpauth_url(secret=SECRET, account=EMAIL))
        self.assertEqual((url.scheme, url.netloc), ("otpauth", "totp"))
        self.assertEqual(unquote(url.path), f"/KoshFlow:{EMAIL}")
        self.assertEqual(
            parse_qs(url.query, strict_parsing=True),
            {
                "secret": [SECRET],
                "issuer": ["KoshFlow"],
                "algorithm": ["SHA1"],
                "digits": ["6"],
                "period": ["30"],
            },
        )

    def test_an_address_cannot_break_out(self):
        account = 'a&secret=AAAA?b#c/d:é%20"<>@example.in'
        url = urlsplit(otpauth_url(secret=SECRET, account=account))
        self.assertEqual(parse_qs(url.query)["secret"], [SECRET])
        self.assertEqual(unquote(url.path), f"/KoshFlow:{account}")
        self.assertEqual(url.fragment, "")

    def test_the_key_for_typing_is_the_secret_in_groups(self):
        self.assertEqual(manual_entry_key(SECRET), "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP")


class QrCode(SimpleTestCase):
    """A data URI for `<img src>` under `img-src data:`: an image that loads and runs nothing."""

    text = otpauth_url(secret=SECRET, account=EMAIL)

    def svg(self):
        head, _, body = qr_data_uri(self.text).partition(",")
        self.assertEqual(head, "data:image/svg+xml;charset=utf-8")
        self.assertRegex(body, r"\A[A-Za-z0-9%_.~-]+\Z")
        return ElementTree.fromstring(unquote(body))

    def test_it_is_an_svg_of_paths_only(self):
        names = {re.sub(r"{.*}", "", element.tag) for element in self.svg().iter()}
        self.assertEqual(names, {"svg", "g", "path"})
        attributes = {name for element in self.svg().iter() for name in element.attrib}
        self.assertFalse(attributes & {"style", "class", "href", "onload"}, attributes)

    def test_its_dark_modules_are_those_of_the_url(self):
        self.assertEqual(self.dark_modules(), self.expected())

    def test_the_longest_address_fits(self):
        self.assertTrue(qr_data_uri(otpauth_url(secret=SECRET, account="é" * 120 + "@example.in")))

    def expected(self):
        code = segno.make(self.text, micro=False, error="m")
        return {(x, y) for y, row in enumerate(code.matrix) for x, dark in enumerate(row) if dark}

    def dark_modules(self):
        """Modules of the path drawn in black: runs `h<length>` from a pen moved by `m` and `M`."""
        (path,) = [element for element in self.svg().iter() if element.get("stroke") == "#000"]
        found, x, y = set(), 0.0, 0.0
        for command, numbers in re.findall(r"([MmhH])([-\d. ]+)", path.get("d")):
            values = [float(number) for number in numbers.split()]
            if command == "M":
                x, y = values
            elif command == "m":
                x, y = x + values[0], y + values[1]
            else:
                self.assertEqual(command, "h")
                # 4 modules of quiet zone; a run is drawn along the middle of its row.
                found |= {(int(x) - 4 + offset, int(y - 0.5) - 4) for offset in range(int(values[0]))}
                x += values[0]
        return found

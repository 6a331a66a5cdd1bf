"""Secrets and personal data go through every door, and stay in no log, refusal, audit row, table, dump or Redis."""

import re
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.urls import reverse

from accounts.identity.models import User
from accounts.passwords.models import PasswordReset
from accounts.staff import StaffRole
from accounts.twofactor.totp import STEP_SECONDS
from tests.accounts.admin.door import CODE, LOGIN, LOGOUT, SETUP, hire
from tests.accounts.identity.examples import a_gstin, a_pan, a_phone
from tests.accounts.passwords.test_reset import mailed_token
from tests.accounts.twofactor.authenticator import code_of
from tests.contract.walk.case import CanaryCase


class ALifeWithUs(CanaryCase):
    """From registration to erasure, by people and by staff, with every value in the place it belongs."""

    is_everything_there = True

    def ok(self, response: Any, status: int = 200) -> Any:
        self.assertEqual(response.status_code, status, response.content)
        return response.json() if response.content else {}

    def know_pair(self, answer: dict[str, Any]) -> str:
        self.know("access token", answer["accessToken"])
        self.know("refresh token", answer["refreshToken"])
        return str(answer["accessToken"])

    def test_what_she_gave_and_what_she_was_given_stays_nowhere(self):
        email = self.live()
        self.assertNowhere()
        arguments = ["--company", "--confirm", "--reason", "TICKET-1"]
        call_command("subject_erase", email, *arguments)
        self.canaries = [one for one in self.canaries if not one.in_clear]
        self.assertNowhere()

    def live(self) -> str:
        number, password = self.number, self.a_password()
        pan = self.know("PAN", a_pan(number))
        email = self.know("person's e-mail", f"zubeida{number}@zafrani.example.in")
        body = {
            "companyName": self.know("company's name", f"Zafrani Weavers {number}"),
            "companyEmail": self.know("company's e-mail", f"office{number}@zafrani.example.in"),
            "adminName": self.know("person's name", f"Zubeida Qureshi {number}"),
            "adminEmail": email,
            "password": password,
            "phone": self.know("phone", a_phone(number)),
            "gstin": self.know("GSTIN", a_gstin(number, pan=pan)),
            "pan": pan,
        }
        browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
        token = self.know_pair(self.ok(self.post("/api/auth/register", body, headers=browser), 201))
        self.assertProblem(self.post("/api/auth/register", body), 409, "COMPANY_EXISTS")
        self.ok(self.me(token))
        phone = self.know("phone", a_phone(number + 500_000))
        self.ok(self.send("patch", "/api/auth/me", {"phone": phone}, token=token))
        self.ok(self.send("patch", "/api/company", {"phone": phone}, token=token))
        secret, codes = self.turn_on_second_factor(token, password)
        token = self.sign_in_by_each_factor(email, password, secret, codes)
        self.ok(self.get("/api/auth/sessions", token=token))
        new = self.a_password()
        change = {"currentPassword": password, "newPassword": new, "confirmPassword": new}
        self.ok(self.post("/api/auth/change-password", change, token=token))
        self.ok(self.post("/api/auth/password-reset", {"email": email}), 202)
        reset, last = self.know("reset token", mailed_token()), self.a_password()
        for status in (200, 400):  # once, and never again
            confirm = {"token": reset, "newPassword": last}
            self.ok(self.post("/api/auth/password-reset/confirm", confirm), status)
        self.serve_her(email)
        token = self.sign_in_by_each_factor(email, last, secret, codes[1:])
        proof = {"token": self.next_code(secret), "password": last}
        renewed = self.ok(self.post("/api/auth/2fa/recovery-codes", proof, token=token))["recoveryCodes"]
        self.know("recovery code", renewed[0])
        proof["token"] = self.next_code(secret)
        self.ok(self.post("/api/auth/2fa/disable", proof, token=token))
        self.ok(self.post("/api/auth/password-reset", {"email": email}), 202)  # a mail that waits in the outbox
        self.ok(self.post("/api/auth/logout", {"allDevices": True}, token=token))
        return email

    def next_code(self, secret: str) -> str:
        self.clock.advance(seconds=STEP_SECONDS)
        return self.know("TOTP code", code_of(secret))

    def wrong_code(self, secret: str) -> str:
        near = {code_of(secret, steps_away=steps) for steps in range(-3, 4)}
        others = (f"{int(code_of(secret)) ^ mask:06d}" for mask in range(0b1010101, 0b1111111))
        return self.know("TOTP code", next(code for code in others if code not in near))

    def turn_on_second_factor(self, token: str, password: str) -> tuple[str, list[str]]:
        setup = self.ok(self.post("/api/auth/2fa/setup", {"password": password}, token=token))
        secret = self.know("TOTP secret", setup["secret"])
        self.know("TOTP secret", setup["manualEntryKey"])
        wrong = {"token": self.wrong_code(secret)}
        self.assertProblem(self.post("/api/auth/2fa/verify", wrong, token=token), 400, "2FA_VERIFICATION_ERROR")
        verify = self.post("/api/auth/2fa/verify", {"token": self.next_code(secret)}, token=token)
        codes = self.ok(verify)["recoveryCodes"]
        for code in codes:
            self.know("recovery code", code)
        return secret, codes

    def sign_in_by_each_factor(self, email: str, password: str, secret: str, codes: list[str]) -> str:
        """An access token; on the way a challenge, a recovery code, two refreshes and one too many."""
        first = {"email": email, "password": password}
        challenge = self.know("challenge token", self.ok(self.post("/api/auth/login", first))["challengeToken"])
        self.know_pair(self.ok(self.post("/api/auth/login", {**first, "recoveryCode": codes[0]})))
        answer = {"challengeToken": challenge, "twoFactorCode": self.next_code(secret)}
        pair = self.ok(self.post("/api/auth/login", answer))
        self.know_pair(pair)
        newer = self.ok(self.refresh(pair["refreshToken"]))
        self.know_pair(newer)
        self.know_pair(self.ok(self.refresh(newer["refreshToken"])))
        self.clock.advance(seconds=11)
        self.assertProblem(self.refresh(pair["refreshToken"]), 401, "REFRESH_TOKEN_REUSED")
        answer = {**first, "twoFactorCode": self.next_code(secret)}
        return self.know_pair(self.ok(self.post("/api/auth/login", answer)))

    def serve_her(self, email: str) -> None:
        """Omar enrols at the admin's door, finds her, does each act for her, and leaves."""
        omar = hire(StaffRole.ADMINISTRATOR, email=self.know("staff's e-mail", f"omar{self.number}@staff.example.in"))
        self.know("staff's password", omar.password)
        page = self.client.post(LOGIN, {"email": omar.user.email, "password": omar.password}).content.decode()
        secret = self.know("TOTP secret", re.search(r'class="key">([^<]+)<', page)[1].replace(" ", ""))
        self.client.post(SETUP, {"code": self.wrong_code(secret)})
        page = self.client.post(SETUP, {"code": self.next_code(secret)}).content.decode()
        recovery = re.findall(r"<li>([A-Za-z2-9-]{20,})</li>", page)[0]
        self.know("recovery code", recovery)
        self.know("session cookie", self.client.cookies[settings.SESSION_COOKIE_NAME].value)
        her = User.objects.get(email=email)
        self.assertContains(self.client.get("/admin/accounts/user/", {"q": email}), her.name)
        for thing in (her, her.company):
            name = thing._meta.model_name
            self.assertEqual(
                self.client.get(reverse(f"admin:accounts_{name}_change", args=[thing.pk])).status_code, 200
            )
        PasswordReset.objects.all().delete()  # of her three mails an hour
        for act in ("send-reset-link", "end-sessions"):
            address = reverse("admin:accounts_user_act", args=[her.pk, act])
            self.assertEqual(self.client.post(address).status_code, 302)
        unlocking = reverse("admin:security_credentialcounter_person", args=[her.pk])
        self.assertEqual(self.client.post(unlocking, {"reason": "called back"}).status_code, 302)
        self.know("reset token", mailed_token())
        old, new = omar.password, self.a_password("staff's password")
        form = {"current_password": old, "new_password": new, "new_password_again": new}
        self.assertEqual(self.client.post("/admin/password_change/", form).status_code, 302)
        self.client.post(LOGOUT)
        self.client.post(LOGIN, {"email": omar.user.email, "password": new})
        self.know("session cookie", self.client.cookies[settings.SESSION_COOKIE_NAME].value)
        self.client.post(CODE, {"code": recovery})
        self.know("session cookie", self.client.cookies[settings.SESSION_COOKIE_NAME].value)
        # Somebody who gave the password and went away: the challenge waits in the session of the door.
        self.client.post(LOGOUT)
        self.client.post(LOGIN, {"email": omar.user.email, "password": new})
        self.know("session cookie", self.client.cookies[settings.SESSION_COOKIE_NAME].value)
        for value in self.client.session.values():
            if value.startswith("eyJ"):
                self.know("challenge token", value)

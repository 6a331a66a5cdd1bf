"""What sign-in asks for and answers."""

from typing import Any

from rest_framework import serializers

from accounts.identity.documents import company_document, user_document
from accounts.identity.names import MAX_EMAIL_LENGTH, normalise_email
from accounts.identity.serializers import CompanySerializer, UserSerializer
from accounts.login.services import CodeNeeded, SignIn
from accounts.sessions.backend import MAX_TOKEN_LENGTH
from accounts.sessions.serializers import TokensSerializer, tokens_document
from accounts.twofactor.serializers import MAX_CODE_LENGTH
from security.sanitize import SecretField


class LoginEmailField(serializers.Field[str, Any, str, Any]):
    """An address as typed at sign-in: what is no address is simply nobody's."""

    default_error_messages = {
        "invalid": "This must be a string.",
        "blank": "This field may not be blank.",
        "max_length": f"An e-mail address has at most {MAX_EMAIL_LENGTH} characters.",
        "control_character": "Remove invisible or control characters.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if len(data) > MAX_EMAIL_LENGTH:
            self.fail("max_length")
        if not data.strip():
            self.fail("blank")
        if "\x00" in data:  # no column of PostgreSQL holds it: looking it up would be an error of the driver
            self.fail("control_character")
        return normalise_email(data)


class _CodesSerializer(serializers.Serializer[Any]):
    """The second factor; blank and null mean absent."""

    twoFactorCode = SecretField(  # noqa: N815 - the wire's names
        source="code", max_length=MAX_CODE_LENGTH, required=False, allow_null=True
    )
    recoveryCode = SecretField(  # noqa: N815
        source="recovery_code", max_length=MAX_CODE_LENGTH, required=False, allow_null=True
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        codes = {name: attrs.get(name) or "" for name in ("code", "recovery_code")}
        # One sign-in is one try: beside a code of the app a recovery code stays unspent.
        return {**attrs, **codes, "recovery_code": "" if codes["code"] else codes["recovery_code"]}


class LoginSerializer(_CodesSerializer):
    """E-mail and password. No rule of length or composition here: old passwords must still be able to sign in."""

    email = LoginEmailField()
    password = SecretField()


class ChallengeAnswerSerializer(_CodesSerializer):
    """The token of a sign-in that waits for a code, and the code; e-mail and password are not looked at."""

    challengeToken = SecretField(source="challenge_token", max_length=MAX_TOKEN_LENGTH)  # noqa: N815

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if not attrs["code"] and not attrs["recovery_code"]:
            raise serializers.ValidationError({"twoFactorCode": "Send a code."}, code="required")
        return attrs


def login_form(body: Any) -> LoginSerializer | ChallengeAnswerSerializer:
    """The form that `body` is to be read by: the challenge's where it names one."""
    is_answer = isinstance(body, dict) and body.get("challengeToken") not in (None, "")
    return ChallengeAnswerSerializer(data=body) if is_answer else LoginSerializer(data=body)


class SignInSerializer(TokensSerializer):
    """A finished sign-in."""

    message = serializers.CharField()
    user = UserSerializer()
    company = CompanySerializer(allow_null=True)


def sign_in_document(sign_in: SignIn, *, message: str) -> dict[str, Any]:
    """The answer of register and login."""
    return {
        "message": message,
        "user": user_document(sign_in.user),
        "company": company_document(sign_in.user.company, viewer=sign_in.user),
        **tokens_document(sign_in.tokens),
    }


class CodeNeededSerializer(serializers.Serializer[Any]):
    """The password was right, and a code is needed: send it with `challengeToken` within five minutes."""

    message = serializers.CharField()
    requires2FA = serializers.BooleanField()  # noqa: N815
    code = serializers.ChoiceField(choices=["2FA_REQUIRED"])
    challengeToken = serializers.CharField()  # noqa: N815


def login_document(outcome: SignIn | CodeNeeded) -> dict[str, Any]:
    """The answer of login: a finished sign-in, or what it waits for."""
    if isinstance(outcome, SignIn):
        return sign_in_document(outcome, message="Signed in.")
    return {
        "message": "Enter a code of your authenticator app.",
        "requires2FA": True,
        "code": "2FA_REQUIRED",
        "challengeToken": outcome.challenge_token,
    }

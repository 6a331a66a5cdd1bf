"""Whatever writes to a watched table, the log tells what was there before and after, and who told of it."""

from io import StringIO

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.passwords.models import PasswordReset
from accounts.sessions.models import Session
from accounts.sessions.services import purge_sessions
from accounts.staff.admin_sessions import finish_enrolment, open_enrolment
from accounts.twofactor.models import RecoveryCode
from security.audit import Action, record
from security.audit.leaf import timestamp
from security.rbac import Role
from security.tlog import seal_pending
from security.trail.models import AuditChange
from tests.accounts.registration.test_register import a_registration
from tests.factories import PASSWORD, a_person, asha, bilal
from tests.security.trail.trail import CHANGED, IS_POSTGRESQL, OUT_OF_BAND, TrailCase, another_client, run


class OfOurServices(TrailCase):
    """A change in a transaction that recorded an event is told on behalf of who did that."""

    def setUp(self):
        super().setUp()
        self.asha = asha()
        self.forget()

    def assertOnBehalf(self, leaf, told: str, *, request: str = "", actor: User | None = None) -> None:
        [event] = self.audited(told)[-1:]
        self.assertIn(str(event.event_id), leaf.data["by"])
        self.assertEqual((leaf.actor, leaf.company, leaf.session_id), (event.actor, event.company, event.session_id))
        self.assertEqual((leaf.audit_class, leaf.request_id), (event.audit_class, request))
        if actor is not None:
            self.assertEqual(leaf.actor, actor.subject_id)

    def test_registration(self):
        response = self.post("/api/auth/register", a_registration())
        leaf = self.only(CHANGED)
        self.assertOnBehalf(leaf, "company.registered", request=response.headers["X-Request-ID"])
        person = User.objects.get(email="asha@lotus.example.in")
        user = self.change(leaf, "accounts_user", "insert")
        self.assertEqual((user["id"], user["before"]), (str(person.subject_id), None))
        self.assertEqual(
            user["after"],
            {
                "role": "ADMIN",
                "is_active": True,
                "is_staff": False,
                "is_superuser": False,
                "token_version": 1,
                "password_changed_at": timestamp(person.password_changed_at),
                "created_at": timestamp(person.created_at),
                "company": str(person.company.subject_id),
            },
        )
        self.change(leaf, "accounts_company", "insert")
        self.change(leaf, "accounts_session", "insert")

    def test_sign_in_and_sign_out(self):
        answer = self.log_in(self.asha)
        leaf = self.only(CHANGED)
        self.assertOnBehalf(leaf, "session.created", request=leaf.request_id, actor=self.asha)
        session = Session.objects.get()
        made = self.change(leaf, "accounts_session", "insert")
        self.assertEqual((made["id"], made["subject"]), (str(session.pk), str(self.asha.subject_id)))
        self.assertEqual(
            made["after"],
            {
                "created_at": timestamp(session.created_at),
                "absolute_until": timestamp(session.absolute_until),
                "auth_time": timestamp(session.auth_time),
                "token_version": 1,
                "revoked_at": None,
                "end_reason": "",
                "amr": "pwd",
                "user": str(self.asha.subject_id),
            },
        )
        self.assertEqual([c["table"] for c in leaf.data["changes"]], ["accounts_session"])  # not last_login
        self.forget()
        self.post("/api/auth/logout", {}, token=answer["accessToken"])
        ended = self.change(self.only(CHANGED), "accounts_session", "update")
        self.assertEqual(ended["before"], {"revoked_at": None, "end_reason": ""})
        session.refresh_from_db()
        self.assertEqual(ended["after"], {"revoked_at": timestamp(session.revoked_at), "end_reason": "logout"})

    def test_a_refresh_and_a_look_write_nothing_that_is_watched(self):
        answer = self.log_in(self.asha)
        seal_pending()
        self.assertEqual(self.refresh(answer["refreshToken"]).status_code, 200)
        self.assertEqual(self.me(answer["accessToken"]).status_code, 200)
        self.assertFalse(AuditChange.objects.exists())

    def test_a_profile_says_that_a_name_changed_and_not_to_what(self):
        token = self.log_in(self.asha)["accessToken"]
        self.forget()
        response = self.send("patch", "/api/auth/me", {"name": "Asha Narayan"}, token=token)
        self.assertEqual(response.status_code, 200, response.content)
        leaf = self.only(CHANGED)
        self.assertOnBehalf(leaf, "profile.updated", request=response.headers["X-Request-ID"], actor=self.asha)
        change = self.change(leaf, "accounts_user", "update")
        self.assertEqual((change["before"], change["after"]), ({}, {"name": "changed"}))

    def test_a_command(self):
        call_command(
            "staff_create", email="omar@staff.example.in", name="Omar Farooq", role="Auditor", stdout=StringIO()
        )
        leaf = self.only(CHANGED)
        self.assertOnBehalf(leaf, "staff.created", request="")
        self.assertTrue(self.change(leaf, "accounts_user", "insert")["after"]["is_staff"])
        self.change(leaf, "accounts_user_groups", "insert")

    def test_an_erasure(self):
        reset = {"token_hash": b"h" * 32, "created_at": timezone.now(), "expires_at": timezone.now()}
        PasswordReset.objects.create(user=self.asha, **reset)
        self.forget()
        call_command(
            "subject_erase", str(self.asha.subject_id), "--reason", "OPS-7", "--confirm",
            stdout=StringIO(), stderr=StringIO(),
        )  # fmt: skip
        leaf = self.only(CHANGED)
        self.assertOnBehalf(leaf, "subject.erased")
        self.assertIsNotNone(self.change(leaf, "subject_key", "update")["after"]["destroyed_at"])
        changed = [c["after"] for c in leaf.data["changes"] if c["table"] == "accounts_user"]
        self.assertIn("changed", [after.get("email") for after in changed])
        self.assertIn(False, [after.get("is_active") for after in changed])

    def test_a_hash_that_is_renewed_at_sign_in(self):
        User.objects.filter(pk=self.asha.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
        self.forget()
        self.log_in(self.asha)
        renewed, _ = self.told(CHANGED)
        self.assertOnBehalf(renewed, "password.rehashed", request=renewed.request_id)
        self.assertEqual(self.change(renewed, "accounts_user", "update")["after"], {"password": "changed"})
        self.assertEqual(self.told(OUT_OF_BAND), [])

    def test_a_session_of_staff_that_a_second_factor_joins(self):
        omar = a_person(role=None)
        session = open_enrolment(user=omar)
        self.forget()
        finish_enrolment(session=session)
        leaf = self.only(CHANGED)
        self.assertOnBehalf(leaf, "session.strengthened", actor=omar)
        self.assertEqual(self.change(leaf, "accounts_session", "update")["before"]["amr"], "pwd")

    def test_the_schedule_clears_away_what_is_over_and_tells_of_nothing(self):
        self.log_in(self.asha)
        Session.objects.update(revoked_at=timezone.now() - timezone.timedelta(days=40))
        self.forget()
        self.assertEqual(purge_sessions(), 1)
        self.assertFalse(AuditChange.objects.exists())


class PastOurServices(TrailCase):
    """A change that no event tells of is told as that: no actor, and what was there before and after."""

    def setUp(self):
        super().setUp()
        self.asha = asha()
        self.bilal = bilal(company=self.asha.company)
        self.log_in(self.asha)
        self.forget()

    def untold(self, table: str, operation: str):
        leaf = self.only(OUT_OF_BAND)
        self.assertEqual((leaf.actor, leaf.audit_class, leaf.outcome), (None, "admin", "success"))
        return self.change(leaf, table, operation)

    def test_a_queryset_update(self):
        User.objects.filter(pk=self.bilal.pk).update(role=Role.ADMIN, is_active=False)
        change = self.untold("accounts_user", "update")
        self.assertEqual(change["id"], str(self.bilal.subject_id))
        self.assertEqual(change["before"], {"role": "VIEWER", "is_active": True})
        self.assertEqual(change["after"], {"role": "ADMIN", "is_active": False})

    def test_a_model_that_is_saved_and_one_that_is_saved_as_it_was(self):
        self.bilal.save()
        self.assertFalse(AuditChange.objects.exists())
        self.bilal.phone = "+919845099999"
        self.bilal.set_password("Another-Ledger-48")
        self.bilal.save()
        change = self.untold("accounts_user", "update")
        self.assertEqual((change["before"], change["after"]), ({}, {"phone": "changed", "password": "changed"}))

    def test_a_bulk_insert(self):
        RecoveryCode.objects.bulk_create(RecoveryCode(user=self.bilal, code_hash=bytes([n]) * 32) for n in range(3))
        leaf = self.only(OUT_OF_BAND)
        self.assertEqual({c["subject"] for c in leaf.data["changes"]}, {str(self.bilal.subject_id)})
        self.assertEqual([c["after"]["used_at"] for c in leaf.data["changes"]], [None] * 3)

    def test_a_queryset_delete_of_a_living_session(self):
        session = Session.objects.get()
        Session.objects.all().delete()
        change = self.untold("accounts_session", "delete")
        self.assertEqual((change["id"], change["after"], change["before"]["amr"]), (str(session.pk), None, "pwd"))

    def test_rights_and_groups(self):
        group = Group.objects.create(name="Auditor")
        group.permissions.set(Permission.objects.all()[:1])
        self.bilal.groups.add(group)
        self.bilal.user_permissions.set(Permission.objects.all()[:1])
        told = {(c["table"], c["op"]) for leaf in self.told(OUT_OF_BAND) for c in leaf.data["changes"]}
        tables = ("auth_group", "auth_group_permissions", "accounts_user_groups", "accounts_user_user_permissions")
        self.assertEqual(told, {(table, "insert") for table in tables})

    def test_a_key_that_is_destroyed_by_hand(self):
        self.asha.subject.destroy(at=timezone.now())
        change = self.untold("subject_key", "update")
        self.assertEqual((change["id"], change["before"]), (str(self.asha.subject_id), {"destroyed_at": None}))

    def test_raw_sql(self):
        run("UPDATE accounts_user SET is_superuser = %s WHERE email = %s", True, self.bilal.email)
        change = self.untold("accounts_user", "update")
        self.assertEqual((change["before"], change["after"]), ({"is_superuser": False}, {"is_superuser": True}))

    def test_a_company(self):
        run("UPDATE accounts_company SET gstin = NULL, gstin_index = NULL, name = 'Other'")
        change = self.untold("accounts_company", "update")
        self.assertEqual(change["after"], {"name": "changed", "gstin": "changed"})

    def test_another_client_is_told_of_with_its_role_and_on_sqlite_refused(self):
        client = another_client()
        self.addCleanup(client.close)
        sql = f"UPDATE accounts_user SET token_version = 7 WHERE email = '{self.bilal.email}'"
        if not IS_POSTGRESQL:
            with self.assertRaisesRegex(Exception, "no such function: koshflow_transaction"):
                client.execute(sql)
            return
        client.execute("SET application_name = 'psql'")
        client.execute("SET timezone = 'Asia/Kolkata'")
        client.execute(sql)
        leaf = self.only(OUT_OF_BAND)
        self.assertEqual((leaf.data["role"], leaf.data["client"]), (connection.settings_dict["USER"], "psql"))
        self.assertEqual(self.change(leaf, "accounts_user", "update")["after"], {"token_version": 7})

    def test_a_table_that_is_emptied_at_once(self):
        if IS_POSTGRESQL:
            run("TRUNCATE accounts_recoverycode")
            self.assertEqual(self.untold("accounts_recoverycode", "truncate")["id"], "")

    def test_what_is_rolled_back_is_not_told(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            User.objects.update(role=Role.ADMIN)
            raise ZeroDivisionError
        with transaction.atomic():
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                User.objects.update(role=Role.ADMIN)
                raise ZeroDivisionError
            Group.objects.create(name="Auditor")
        self.untold("auth_group", "insert")

    def test_an_act_before_or_after_it_does_not_cover_it(self):
        for act in (True, False, True):
            with transaction.atomic():
                User.objects.filter(pk=self.asha.pk).update(token_version=2 if act else 3)
                if act:
                    record(Action.SESSIONS_ENDED_ALL, actor=self.asha.subject)
        with transaction.atomic():
            record(Action.SESSIONS_ENDED_ALL, actor=self.asha.subject)
        User.objects.filter(pk=self.bilal.pk).update(token_version=9)
        run("BEGIN")
        run("UPDATE accounts_user SET token_version = 10 WHERE email = %s", self.bilal.email)
        run("COMMIT")
        versions = [
            [change["after"]["token_version"] for leaf in self.told(type_) for change in leaf.data["changes"]]
            for type_ in (CHANGED, OUT_OF_BAND)
        ]
        self.assertEqual(versions, [[2, 2], [3, 9, 10]])

    def test_the_operator_hears_of_it_once_a_seal(self):
        for version in (2, 3):
            User.objects.filter(pk=self.asha.pk).update(token_version=version)
        with self.assertLogs("security.trail", "WARNING") as log:
            seal_pending()
        [line] = log.records
        self.assertEqual((line.msg, line.rows, line.tables), ("audit_records_out_of_band", 2, ["accounts_user"]))

    def test_junk_that_sqlite_takes_stops_no_seal(self):
        if IS_POSTGRESQL:
            return
        run("UPDATE accounts_user SET role = %s, token_version = 1.5, password_changed_at = 'never'", "x" * 9000)
        change = next(c for leaf in self.told(OUT_OF_BAND) for c in leaf.data["changes"])
        self.assertEqual((len(change["after"]["role"]), change["after"]["password_changed_at"]), (201, "never"))
        self.assertEqual(change["after"]["token_version"], "1.5")

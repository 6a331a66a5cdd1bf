"""What somebody puts into the log by SQL alone, past no trigger: it is not signed, and a verification finds it."""

from unittest import mock

from security.crypto import keyring
from security.tlog import (
    seal_pending,
    sealing,
)
from tests.security.tlog.log import SIZES, ForgedLog

END = SIZES[-1]


class ForgedTails(ForgedLog):
    """A tree that lies unsigned is signed only where each of its events has our mark."""

    def test_an_event_under_a_key_that_nobody_knows_is_not_signed(self):
        self.forge()
        self.assert_not_sealed("waits under audit_mac key gone")

    def test_nor_one_that_names_our_key(self):
        self.forge(mac_key=keyring().active("audit_mac").id)
        self.assert_not_sealed("was not written by this installation")

    def test_nor_one_behind_events_of_ours_that_wait_for_their_signature(self):
        self.leave_unsigned(3)
        self.forge()
        self.assert_not_sealed("audit_mac key gone")

    def test_nor_one_that_comes_between_the_tree_and_its_signature(self):
        self.act(2)
        extend = sealing._extend

        def extend_and_forge(*arguments, **options):
            made = extend(*arguments, **options)
            self.forge()
            return made

        with mock.patch.object(sealing, "_extend", extend_and_forge):
            self.assert_not_sealed("audit_mac key gone")

    def test_nor_a_tree_that_has_another_hash_than_the_event_in_its_place(self):
        self.leave_unsigned(2)
        self.forge(is_stored=False)
        self.assert_not_sealed(f"the events up to checkpoint {END + 3} do not give its root")

    def test_what_ended_before_its_signature_is_signed_and_proved(self):
        self.leave_unsigned(300)
        self.assertEqual(seal_pending().size, END + 300)
        self.assertEqual((self.found(), self.verify().exit_code), ({}, 0))

    def test_what_a_run_has_made_itself_is_not_read_again(self):
        self.act(2)
        with mock.patch.object(sealing, "_check_unsigned") as looked:
            self.assertEqual(seal_pending().events, 2)
        looked.assert_not_called()

    def test_one_that_was_signed_all_the_same_is_found(self):
        self.forge()
        with mock.patch.object(sealing, "_check_unsigned"):
            self.assertEqual(seal_pending().size, END + 1)
        self.assertEqual(self.found(), {"event_unmarked": END})

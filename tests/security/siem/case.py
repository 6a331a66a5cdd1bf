"""A sealed log of 530 events and a receiver for it."""

from security.siem.models import AuditForward
from tests.security.siem.receivers import Receiver
from tests.security.tlog.log import SIZES, SealedLog

ALL = list(range(SIZES[-1]))


class ForwardCase(SealedLog):
    def setUp(self):
        super().setUp()
        self.receiver = self.receives()

    def receives(self, **options) -> Receiver:
        receiver = Receiver(**options)
        self.addCleanup(receiver.end)
        self.enterContext(self.settings(AUDIT_SYSLOG=f"tcp://127.0.0.1:{receiver.port}"))
        return receiver

    def told(self) -> AuditForward:
        return AuditForward.objects.get()

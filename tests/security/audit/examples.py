"""The request and the people the audit tests speak of."""

from django.test import TestCase

from security.audit.unidentified import forget_known_subjects
from security.context import Client, RequestContext, bind
from security.crypto.models import SubjectKey

ADDRESS = "203.0.113.9"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
REQUEST = RequestContext(request_id="req-audit-1", client=Client(address=ADDRESS, user_agent=FIREFOX))


class AuditCase(TestCase):
    """Asha administers a company; a request of hers is being served."""

    def setUp(self):
        forget_known_subjects()
        self.asha = SubjectKey.objects.issue()
        self.bilal = SubjectKey.objects.issue()
        self.company = SubjectKey.objects.issue()
        self.enterContext(bind(REQUEST))

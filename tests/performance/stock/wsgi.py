"""`startproject`'s WSGI door."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.performance.stock.settings"
application = get_wsgi_application()

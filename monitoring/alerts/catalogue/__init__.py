"""The rules that come with the product, by family. Why these thresholds: decision 26 has the simulation.

A metric that does not exist yet has no rule here; one that does gets its rule and its runbook in one change.
"""

from monitoring.alerts.catalogue.database import DATABASE
from monitoring.alerts.catalogue.operation import OPERATION
from monitoring.alerts.catalogue.postgresql import POSTGRESQL
from monitoring.alerts.catalogue.requests import ERRORS, GROUPS, PERFORMANCE
from monitoring.alerts.catalogue.security import SECURITY
from monitoring.alerts.rules import Rule, check_rules

RULES: tuple[Rule, ...] = (*ERRORS, *GROUPS, *PERFORMANCE, *SECURITY, *DATABASE, *POSTGRESQL, *OPERATION)
check_rules(RULES)

"""Which tables of monitoring the database watches, and why not the others."""

NOT_AUDITED = {
    "monitoring_statement": "What was run on the databases, added up by every process; nobody writes there by hand.",
    "monitoring_error_group": "What failed, added up by every process; whoever moves a group leaves an event.",
}

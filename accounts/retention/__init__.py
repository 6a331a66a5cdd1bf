"""Who may have events of the audit log archived and deleted, and whose events a legal hold keeps."""

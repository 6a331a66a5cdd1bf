"""Reading the audit log: for auditors among staff. What is recorded and what proves it is below, in `security`."""

"""Sessions and their tokens: issue, rotate, revoke, authenticate."""

"""Companies, people, roles, sign-in, second factor and sessions."""

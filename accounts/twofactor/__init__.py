"""The second factor: TOTP devices, recovery codes, and the step of a sign-in that asks for them."""

"""The company's own profile, as its people see and keep it."""

"""A walk through every operation of the API: which there are, what is carried in, and where it could have stayed."""

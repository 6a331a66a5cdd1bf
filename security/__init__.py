"""The ground of the product: protection of every request, errors, encryption, audit, outbox. Knows no app above it."""

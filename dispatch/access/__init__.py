"""Who may do what: keys, members, tokens, rate limits, idempotency and the audit log."""

-- include: credential
-- Says who a credential belongs to and counts the request: one round trip for both.
return use(KEYS[1], ARGV[1], '')

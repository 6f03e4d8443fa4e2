-- include: revision
-- Deletes the copy of what is on record no more, unless a later one has been written.
local copy_key, revision_key = KEYS[1], KEYS[2]
local revision, remember_s = ARGV[1], ARGV[2]

if is_latest(revision_key, revision, remember_s) then redis.call('DEL', copy_key) end

-- include: revision
-- Writes a copy of what is on record, a text or a hash's fields and values, unless it comes late.
local copy_key, revision_key = KEYS[1], KEYS[2]
local revision, remember_s = ARGV[1], ARGV[2]

if not is_latest(revision_key, revision, remember_s) then return end
if #ARGV == 3 then
  redis.call('SET', copy_key, ARGV[3])
else
  redis.call('HSET', copy_key, unpack(ARGV, 3))
end

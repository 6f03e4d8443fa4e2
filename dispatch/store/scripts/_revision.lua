-- Remembers the revision that a copy was made of; false when a later one has been seen.
local function is_latest(revision_key, revision, remember_s)
  if tonumber(revision) < tonumber(redis.call('GET', revision_key) or 0) then return false end
  redis.call('SET', revision_key, revision, 'EX', remember_s)
  if tonumber(revision) > tonumber(redis.call('GET', key.latest_revision) or 0) then
    redis.call('SET', key.latest_revision, revision)
  end
  return true
end

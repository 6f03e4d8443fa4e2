-- include: window
-- Says who a credential belongs to, and counts the request.

-- Returns a list: `unknown`; or `known`, whom it belongs to; or `counted` or `limited`, whom it
-- belongs to, the limit, what is left of it, and after how many ms there is (more) room.
-- `presumed` is whom the asker takes it to belong to, empty for whoever does not know: if it is
-- somebody else by now, the credential is unknown, and the request not counted.
local function use(credential, api, presumed)
  local known = redis.call('HMGET', credential, 'owner', 'organization_id', 'version', api)
  local owner = known[1]
  if not owner or (presumed ~= '' and presumed ~= owner) then return { 'unknown' } end
  -- A change of what the organisation's keys and members may do outdates every earlier answer.
  local version = redis.call('GET', key.access .. known[2])
  if version and tonumber(version) > tonumber(known[3]) then return { 'unknown' } end
  if not known[4] then return { 'known', owner } end

  local window, limit = string.match(known[4], '^(.*) (%d+)$')
  limit = tonumber(limit)
  local taken, left, free_in_ms = take(key.rate .. window, limit)
  return { taken == 1 and 'counted' or 'limited', owner, limit, left, free_in_ms }
end

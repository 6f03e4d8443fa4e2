-- include: window
-- Says who a credential belongs to and counts the request: one round trip for both.
local credential, api = KEYS[1], ARGV[1]

local known = redis.call('HMGET', credential, 'owner', 'organization_id', 'version', api)
local owner = known[1]
if not owner then return { 'unknown' } end
-- A change of what the organisation's keys and members may do outdates every earlier answer.
local version = redis.call('GET', key.access .. known[2])
if version and tonumber(version) > tonumber(known[3]) then return { 'unknown' } end
if not known[4] then return { 'known', owner } end

local window, limit = string.match(known[4], '^(.*) (%d+)$')
limit = tonumber(limit)
local taken, left, free_in_ms = take(key.rate .. window, limit)
return { taken == 1 and 'counted' or 'limited', owner, limit, left, free_in_ms }

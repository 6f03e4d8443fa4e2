-- Appends a command to the queue of a call that somebody talks in. Repeated under the same id it
-- changes nothing, except that one which was never carried out is queued again.
local command_id, call_id, project_id = ARGV[1], ARGV[2], ARGV[3]
local name, arguments, lane = ARGV[4], ARGV[5], ARGV[6]
local most, keep_s = tonumber(ARGV[7]), ARGV[8]

local call = redis.call('HMGET', key.call .. call_id, 'state', 'project_id')
if not call[1] or call[2] ~= project_id then return 'unknown' end

local command_key = key.command .. command_id
local known = redis.call('HGET', command_key, 'state')
if known and known ~= 'withdrawn' and known ~= 'refused' then return 'queued' end
if call[1] == 'ringing' then return 'ringing' end
if call[1] ~= 'active' then return 'over' end

local queue_key = key.commands .. lane .. ':' .. call_id
if redis.call('LLEN', queue_key) >= most then return 'full' end
redis.call('DEL', command_key)
redis.call('HSET', command_key, 'call_id', call_id, 'name', name, 'arguments', arguments,
  'state', 'queued')
redis.call('EXPIRE', command_key, keep_s)
redis.call('RPUSH', queue_key, command_id)
redis.call('EXPIRE', queue_key, keep_s)
return 'queued'

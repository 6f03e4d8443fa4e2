-- Begins a command, once: a worker that dies here leaves it begun, and nobody begins it again.
local command_key = key.command .. ARGV[1]

local command = redis.call('HMGET', command_key, 'state', 'name', 'arguments')
if command[1] ~= 'queued' then return false end
redis.call('HSET', command_key, 'state', 'running')
-- What is to be said or pressed is nobody's business any more.
redis.call('HDEL', command_key, 'arguments')
return { command[2], command[3] }

-- Tells where a command stands, and whether its call goes on. One that nobody has begun is
-- withdrawn when its call is over, or when whoever waits gives up.
local command_id, call_id, gives_up = ARGV[1], ARGV[2], ARGV[3]

local command_key = key.command .. command_id
local command = redis.call('HMGET', command_key, 'state', 'answer')
local is_live = redis.call('HGET', key.call .. call_id, 'state') == 'active'
if command[1] == 'queued' and (gives_up == '1' or not is_live) then
  command[1] = 'withdrawn'
  redis.call('HSET', command_key, 'state', 'withdrawn')
  redis.call('HDEL', command_key, 'arguments')
end
return { command[1] or '', command[2] or '', is_live and 1 or 0 }

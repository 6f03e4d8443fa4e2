-- Writes down what became of a command that was begun.
local command_id, state, answer = ARGV[1], ARGV[2], ARGV[3]

local command_key = key.command .. command_id
if redis.call('HGET', command_key, 'state') ~= 'running' then return 0 end
redis.call('HSET', command_key, 'state', state, 'answer', answer)
return 1

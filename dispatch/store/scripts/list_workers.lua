-- include: call
-- Lists the living workers and forgets the others.
local workers_key = KEYS[1]

redis.call('ZREMRANGEBYSCORE', workers_key, '-inf', digits(now_ms()))
local found = {}
for _, worker_id in ipairs(redis.call('ZRANGE', workers_key, 0, -1)) do
  local worker = redis.call('HMGET', key.worker .. worker_id, 'active_calls', 'max_calls')
  if worker[1] then table.insert(found, { worker_id, worker[1], worker[2] }) end
end
return found

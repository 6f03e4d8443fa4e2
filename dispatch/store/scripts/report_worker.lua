-- include: call
-- Notes that a worker lives.
local workers_key, worker_key = KEYS[1], KEYS[2]
local worker_id, active_calls, max_calls, ttl_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

redis.call('ZADD', workers_key, digits(now_ms() + ttl_ms), worker_id)
redis.call('HSET', worker_key, 'active_calls', active_calls, 'max_calls', max_calls)
redis.call('PEXPIRE', worker_key, digits(ttl_ms))

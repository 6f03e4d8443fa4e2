-- include: call
-- Puts something that happened in a call on its record. Accepted for a while after the end, too:
-- the last turn is often known only then.
local call_id, event_type, data, entry_id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local call_key = key.call .. call_id
local call = redis.call('HMGET', call_key, 'state', 'last_entry_id')
if not call[1] then return 0 end
-- Written again, because the writer did not learn that it had been taken.
if call[2] == entry_id then return 1 end

local at_ms = now_ms()
redis.call('HSET', call_key, 'last_entry_id', entry_id)
if call[1] == 'active' then redis.call('HSET', call_key, 'seen_at_ms', digits(at_ms)) end
emit(call_id, event_type, at_ms, data)
return 1

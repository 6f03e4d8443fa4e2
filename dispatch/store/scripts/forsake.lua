-- include: call
-- include: lease
-- Lets the lease of a call lapse now, because the job that held it is known to be dead; whoever
-- looks through the leases ends the call. Answers whether there was such a call.
local call_id, job_id = ARGV[1], ARGV[2]

local call = redis.call('HMGET', key.call .. call_id, 'state', 'job_id', 'organization_id', 'did')
if call[1] ~= 'ringing' and call[1] ~= 'active' then return 0 end
if call[2] ~= job_id then return 0 end
hold_slots(call_id, call[3], call[4], now_ms())
return 1

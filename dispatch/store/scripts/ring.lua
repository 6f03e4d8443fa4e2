-- include: ring
-- Puts a call on record as ringing, once. It holds nothing.
local call_id, arrival, room_name, kind, did = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

if redis.call('EXISTS', key.call .. call_id) == 1 then return 0 end
ring(call_id, arrival, room_name, kind, did, (identify(call_id, kind, did, room_name, '')), now_ms())
return 1

-- Counts a request in a sliding window of 60 s, unless the limit is reached.
-- The window is a ring of quarter seconds: n is their sum, from the oldest one still counted. A
-- quarter leaves when all of it is 60 s old, so that no 60 s hold more than the limit.
local SLOT_MS, SLOTS = 250, 241

-- Returns whether there was room, what is left, and after how many ms there is (more) room.
local function take(window, limit)
  local time = redis.call('TIME')
  local at_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local slot = math.floor(at_ms / SLOT_MS)
  local state = redis.call('HMGET', window, 'n', 'from')
  local n, from = tonumber(state[1] or 0), tonumber(state[2] or slot)
  local was = from
  if from > slot then
    -- The clock was set back. What was counted counts from now on, so that it leaves in time.
    redis.call('DEL', window)
    redis.call('HSET', window, string.format('%.0f', slot), string.format('%.0f', n))
    from = slot
  end
  while from <= slot - SLOTS or (from < slot and n == 0) do
    if n == 0 then
      from = slot
    else
      n = n - tonumber(redis.call('HGET', window, string.format('%.0f', from)) or 0)
      redis.call('HDEL', window, string.format('%.0f', from))
      from = from + 1
    end
  end
  local taken = n < limit
  if taken then
    n = n + 1
    redis.call('HINCRBY', window, string.format('%.0f', slot), 1)
  end
  -- The oldest quarter need not hold a request: quarters in between may be empty. Looked for before
  -- it is kept, or every request would go all that way again.
  while n > 0 and from < slot and redis.call('HEXISTS', window, string.format('%.0f', from)) == 0 do
    from = from + 1
  end
  if taken or from ~= was then
    redis.call('HSET', window, 'n', string.format('%.0f', n), 'from', string.format('%.0f', from))
    redis.call('PEXPIRE', window, SLOT_MS * (SLOTS + 1))
  end
  local free_at_ms = (from + SLOTS) * SLOT_MS
  return taken and 1 or 0, math.max(limit - n, 0), free_at_ms - at_ms
end

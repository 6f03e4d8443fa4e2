-- include: call
-- Operations that are not calls (a turn of a chat): their credit and the events that tell it.

-- 2026 began: events are numbered by the seconds since then.
local EPOCH_S = 1767225600

-- Numbers a beginning of an operation. By the clock and not by a counter, which Redis could lose and
-- so give a number twice: of two events with one number the record takes only the first.
local function next_attempt(at_ms, last)
  return math.max(math.floor(at_ms / 1000) - EPOCH_S, (last or 0) + 1)
end

-- Appends an event of an operation: 2n - 1 is its beginning and 2n the end of that.
local function emit_operation(operation_id, seq, event_type, at_ms, data)
  redis.call('XADD', key.events, '*', 'call_id', operation_id, 'seq', digits(seq),
    'type', event_type, 'at_ms', digits(at_ms), 'data', data)
end

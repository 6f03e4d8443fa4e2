-- include: call
-- Operations that are not calls (a turn of a chat): their credit and the events that tell it.

-- Appends an event of an operation. It is numbered by what it tells and not by a counter: said
-- again after Redis lost it, it is the same event and counts once.
local function emit_operation(operation_id, seq, event_type, at_ms, data)
  redis.call('XADD', key.events, '*', 'call_id', operation_id, 'seq', digits(seq),
    'type', event_type, 'at_ms', digits(at_ms), 'data', data)
end

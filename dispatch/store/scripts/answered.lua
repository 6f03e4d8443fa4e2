-- include: answer
-- Starts the bill of an admitted call. The first report wins; a later one learns what it was.
local call_id, answered_at_ms = ARGV[1], tonumber(ARGV[2])

return note_answer(call_id, answered_at_ms)

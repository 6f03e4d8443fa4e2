-- include: window
-- Counts one request for a subject, unless its limit is reached.
local taken, left, free_in_ms = take(KEYS[1], tonumber(ARGV[1]))
return { taken, left, free_in_ms }

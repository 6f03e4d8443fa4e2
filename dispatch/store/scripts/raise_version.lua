-- Sets a version that only grows, however late its writer comes.
local version = tonumber(ARGV[1])
if version > tonumber(redis.call('GET', KEYS[1]) or -1) then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end

"""The fleet's limiter inside Redis: Lua scripts, each of which answers in one trip.

Times are whole microseconds of Redis' own clock, which doubles hold exactly. Rates are kept by GCRA: the moment from
which the next call is in time is all that is stored of a rate. Every script is given the keys of one lane:

    calls    hash: a call's next moment, and by how much and when its rate was lowered
    slots    sorted set: who holds a slot, until when; `inf` for jobs that are known to run
    moments  sorted set: the moments that were given to admitted members, and not asked for yet
    line     how many wait for a slot
    known    whether running jobs have been counted
    counted  whether they were counted one by one a moment ago
    gets     list: the moments of the last second's worth of Gets
"""

from app.ocr.pacing_terms import (
    ADMISSION_LEAD_SECONDS,
    ADMISSION_REACH_SECONDS,
    BURST_SECONDS,
    GRANT_LEASE_SECONDS,
    HOLDER_REACH_SECONDS,
    LATE_SECONDS,
    LOWERED_ONCE_SECONDS,
    LOWEST_FACTOR,
    READ_REACH_SECONDS,
    RECOVERY_SECONDS,
    START_REACH_SECONDS,
    THROTTLED_FACTOR,
    Refusal,
)

KEY_NAMES = ("calls", "slots", "moments", "line", "known", "counted", "gets")
"""The last parts of a lane's keys, in the order in which scripts are given them."""
ANSWERS: tuple[Refusal | None, ...] = (
    None,
    Refusal.SLOTS_FULL,
    Refusal.TOO_SOON,
    Refusal.IN_LINE,
    Refusal.UNKNOWN,
)
"""What the number at the start of an answer means."""

LINE_MILLISECONDS = 5_000
"""How long a line is believed in that no sweep has confirmed."""
KNOWN_MILLISECONDS = 30_000
"""How long running jobs count as known without a sweep: less than a grant's lease, so that none lapses unseen."""

_CONSTANTS = f"""
local SECOND = 1000000
local LEASE, LATE = {GRANT_LEASE_SECONDS} * SECOND, {LATE_SECONDS} * SECOND
local START_REACH, HOLDER_REACH = {START_REACH_SECONDS} * SECOND, {HOLDER_REACH_SECONDS} * SECOND
local LEAD, ADMISSION_REACH = {ADMISSION_LEAD_SECONDS} * SECOND, {ADMISSION_REACH_SECONDS} * SECOND
local READ_REACH, BURST = {READ_REACH_SECONDS} * SECOND, {BURST_SECONDS}
local RECOVERY, LOWERED_ONCE = {RECOVERY_SECONDS} * SECOND, {LOWERED_ONCE_SECONDS} * SECOND
local THROTTLED_FACTOR, LOWEST_FACTOR = {THROTTLED_FACTOR}, {LOWEST_FACTOR}
local GRANTED, SLOTS_FULL, TOO_SOON, IN_LINE, UNKNOWN = 0, 1, 2, 3, 4
local LINE_MS, KNOWN_MS = {LINE_MILLISECONDS}, {KNOWN_MILLISECONDS}
"""

# Lua writes large numbers with 14 digits, a microsecond of today needs 16: hence `whole`.
_SHARED = """
local calls, slots, moments, line, known, counted, gets = unpack(KEYS)
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * SECOND + tonumber(clock[2])

local function whole(number) return string.format('%.0f', number) end

local function look(call, quota)
  local found = redis.call('HMGET', calls, call, call .. ':factor', call .. ':lowered_at')
  local factor = 1
  if found[2] then factor = math.min(1, tonumber(found[2]) + (now - tonumber(found[3])) / RECOVERY) end
  return math.ceil(SECOND / (quota * factor)), tonumber(found[1] or 0), factor
end

local function reserve(call, quota, earliest, latest)
  local gap, due = look(call, quota)
  local moment = math.max(due, earliest)
  if moment > latest then return nil end
  redis.call('HSET', calls, call, whole(moment + gap))
  return moment
end

-- Besides GCRA with a burst, no second may see more than its quota: the burst after a rest counts into it.
local function reserve_get(quota, latest)
  local gap, due, factor = look('get', quota)
  local burst, window = math.max(1, math.floor(quota * factor * BURST)), math.ceil(quota)
  local moment = math.max(now, due - (burst - 1) * gap)
  local before = redis.call('LINDEX', gets, -window)
  if before then moment = math.max(moment, tonumber(before) + SECOND) end
  if moment > latest then return nil end
  redis.call('HSET', calls, 'get', whole(math.max(due, moment) + gap))
  redis.call('RPUSH', gets, whole(moment))
  redis.call('LTRIM', gets, -window, -1)
  return moment
end

local function free_of(cap)
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', whole(now))
  return cap - redis.call('ZCARD', slots)
end
"""

_PRELUDE = _CONSTANTS + _SHARED

START = (
    _PRELUDE
    + """
local member, quota, free = ARGV[1], tonumber(ARGV[2]), free_of(tonumber(ARGV[3]))
local moment
if redis.call('ZSCORE', slots, member) then
  moment = tonumber(redis.call('ZSCORE', moments, member) or 0)
  if moment + LATE < now then moment = reserve('start', quota, now, now + HOLDER_REACH) end
  redis.call('ZREM', moments, member)
else
  if redis.call('EXISTS', known) == 0 then return {UNKNOWN, 0, now, free} end
  if free < 1 then return {SLOTS_FULL, 0, now, free} end
  if tonumber(redis.call('GET', line) or 0) > 0 then return {IN_LINE, 0, now, free} end
  moment = reserve('start', quota, now, now + START_REACH)
  if moment then free = free - 1 end
end
if not moment then return {TOO_SOON, 0, now, free} end
redis.call('ZADD', slots, whole(now + LEASE), member)
return {GRANTED, moment, now, free}
"""
)
"""(member, Start quota, cap) → (answer, moment, now, free slots)."""

ADMIT = (
    _PRELUDE
    + """
local quota, free = tonumber(ARGV[1]), free_of(tonumber(ARGV[2]))
local answer, admitted = {now, free}, 0
if redis.call('EXISTS', known) == 0 then return answer end
redis.call('ZREMRANGEBYSCORE', moments, '-inf', '(' .. whole(now - LATE))
for i = 3, #ARGV do
  local member = ARGV[i]
  local held = redis.call('ZSCORE', slots, member)
  if not held and free < 1 then break end
  local moment = held and tonumber(redis.call('ZSCORE', moments, member) or 0) or 0
  if moment < now then moment = reserve('start', quota, now + LEAD, now + ADMISSION_REACH) end
  if not moment and not held then break end
  if moment then
    redis.call('ZADD', moments, whole(moment), member)
    redis.call('ZADD', slots, whole(now + LEASE), member)
    admitted = admitted + 1
    if not held then free = free - 1 end
  end
  answer[#answer + 1] = moment or 0
end
answer[2] = free
local waiting = tonumber(redis.call('GET', line) or 0)
if waiting > 0 then redis.call('SET', line, whole(math.max(0, waiting - admitted)), 'KEEPTTL') end
return answer
"""
)
"""(Start quota, cap, members in order) → (now, free slots, the first members' moments: 0 where one isn't admitted)."""

ROOM = (
    _PRELUDE
    + """
local quota, free = tonumber(ARGV[1]), free_of(tonumber(ARGV[2]))
if redis.call('EXISTS', known) == 0 then return {0, free} end
local gap, due = look('start', quota)
local first, latest = math.max(due, now + LEAD), now + ADMISSION_REACH
return {math.max(0, math.min(free, math.floor((latest - first) / gap) + 1)), free}
"""
)
"""(Start quota, cap) → (how many could be admitted, free slots)."""

RELEASE = (
    _PRELUDE
    + """
redis.call('ZREM', slots, ARGV[1])
redis.call('ZREM', moments, ARGV[1])
return free_of(tonumber(ARGV[2]))
"""
)
"""(member, cap) → free slots."""

RECONCILE = (
    _PRELUDE
    + """
local waiting, count, cap = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local members, counted_ms = ARGV[4], ARGV[5]
redis.call('SET', line, waiting, 'PX', LINE_MS)
if not members then
  local trusted = redis.call('EXISTS', known, counted) == 2 and redis.call('ZCARD', slots) >= 0.9 * count
  if trusted then redis.call('PEXPIRE', known, KNOWN_MS) end
  return {trusted and 1 or 0, free_of(cap)}
end
local missing, gone = {}, {}
for member in string.gmatch(members, '[^\\n]+') do missing[member] = true end
local held = redis.call('ZRANGE', slots, 0, -1, 'WITHSCORES')
for i = 1, #held, 2 do
  if held[i + 1] == 'inf' then
    if not missing[held[i]] then gone[#gone + 1] = held[i] end
    missing[held[i]] = nil
  end
end
for i = 1, #gone do redis.call('ZREM', slots, gone[i]) end
for member in pairs(missing) do redis.call('ZADD', slots, 'inf', member) end
redis.call('SET', known, '1', 'PX', KNOWN_MS)
redis.call('SET', counted, '1', 'PX', counted_ms)
return {1, free_of(cap)}
"""
)
"""(waiting, running jobs, cap[, members by line, milliseconds until the next count]) → (1 if believed, free slots)."""

GET = (
    _PRELUDE
    + """
return {GRANTED, reserve_get(tonumber(ARGV[1]), math.huge), now}
"""
)
"""(Get quota) → (answer, moment, now)."""

GETS = (
    _PRELUDE
    + """
local taken = 0
while taken < tonumber(ARGV[2]) and reserve_get(tonumber(ARGV[1]), now) do taken = taken + 1 end
return taken
"""
)
"""(Get quota, most) → how many may be made at once."""

READ = (
    _PRELUDE
    + """
local moment = reserve('read', tonumber(ARGV[1]), now, now + READ_REACH)
if not moment then return {TOO_SOON, 0, now} end
return {GRANTED, moment, now}
"""
)
"""(quota of synchronous calls) → (answer, moment, now)."""

THROTTLED = (
    _PRELUDE
    + """
local call = ARGV[1]
local lowered_at = tonumber(redis.call('HGET', calls, call .. ':lowered_at') or 0)
if now - lowered_at < LOWERED_ONCE then return 0 end
local _, _, factor = look(call, 1)
factor = math.max(LOWEST_FACTOR, factor * THROTTLED_FACTOR)
redis.call('HSET', calls, call .. ':factor', string.format('%.6f', factor), call .. ':lowered_at', whole(now))
return 1
"""
)
"""(call) → 1 if its rate was lowered."""

STATE = (
    _PRELUDE
    + """
local running = tonumber(ARGV[1]) - free_of(tonumber(ARGV[1]))
local answer = {running, tonumber(redis.call('GET', line) or 0)}
for _, call in ipairs({'start', 'get', 'read'}) do
  local _, _, factor = look(call, 1)
  answer[#answer + 1] = string.format('%.6f', factor)
end
return answer
"""
)
"""(cap) → (slots taken, in line, what is left of the rates of start, get and read)."""

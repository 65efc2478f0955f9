-- By the conditions that kstatus goes by as well: Ready, Reconciling, Stalled. The same for both kinds.
local hs = { status = "Progressing", message = "Waiting for Dimmer's controller" }
local status = obj.status
if status == nil or status.conditions == nil then
  return hs
end
-- What is said of an earlier spec doesn't count; -1: nobody has looked yet.
if status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end
local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end
if conditions.Ready == nil then
  return hs
end

hs.message = conditions.Ready.reason .. ": " .. conditions.Ready.message
if holds("Reconciling") then
  hs.status = "Progressing"
elseif holds("Stalled") then
  hs.status = "Degraded"
elseif holds("Ready") then
  hs.status = "Healthy"
elseif holds("Paused") then
  hs.status = "Suspended"
end
return hs

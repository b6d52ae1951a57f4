-- Requests for wrk, every event with an id of its own. Arguments: path, Authorization, prefix of ids, media type,
-- events in a request. When done it writes one line of JSON.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

local media = {
  batch = "application/cloudevents-batch+json",
  ndjson = "application/x-ndjson",
  single = "application/cloudevents+json",
}
local event = '{"specversion":"1.0","id":"%s","source":"https://shop.example/desk","type":"contact.received",'
  .. '"subject":"CT-%s","time":"2026-01-05T01:00:00Z","data":{"customer_id":"C-%d","channel":"phone",'
  .. '"department":"service","kind":"inquiry"}}'

function init(args)
  path, prefix, form, size = args[1], args[3] .. "-" .. number, args[4], tonumber(args[5])
  headers = { ["content-type"] = media[form] }
  if args[2] ~= "" then headers["authorization"] = args[2] end
  made = 0
end

local function next_event()
  made = made + 1
  local id = prefix .. "-" .. made
  return string.format(event, id, id, made % 500)
end

function request()
  if form == "single" then
    return wrk.format("POST", path, headers, next_event())
  end
  local events = {}
  for place = 1, size do events[place] = next_event() end
  local body = form == "batch" and "[" .. table.concat(events, ",") .. "]" or table.concat(events, "\n")
  return wrk.format("POST", path, headers, body)
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, failed.status, failed.connect + failed.read + failed.write
      + failed.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

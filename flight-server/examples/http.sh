#!/usr/bin/env bash
# JSON in, aggregates out, with nothing but curl.  Usage: http.sh [http://127.0.0.1:8080]
set -euo pipefail
api="${1:-http://127.0.0.1:8080}/api/v1"
now=$(date +%s)

say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
ask() { curl --silent --show-error --fail-with-body "$@" && echo; }

say 'One event'
ask "$api/events" -H 'Content-Type: application/json' -d '{
  "device_id": "thermo-1", "timestamp": '"$now"', "type": "temperature", "value": 21.5,
  "location": {"latitude": 47.37, "longitude": 8.54}, "metadata": {"firmware": "1.4.2"}
}'

say 'Many events, one per line, the older form among them'
ask "$api/events" -H 'Content-Type: application/x-ndjson' --data-binary @- <<EVENTS
{"device_id": "thermo-2", "timestamp": $((now - 5)), "type": "temperature", "value": 19.0, "location": {"latitude": 48.85, "longitude": 2.35}}
{"device_id": "thermo-1", "timestamp": $((now - 9)).25, "metric_name": "temperature", "metric_value": 21.25}
EVENTS

say 'Count, sum, average, minimum and maximum of the last minute'
ask --get "$api/aggregates" -d metric_name=temperature -d window=60s

say 'The average of one device'
ask --get "$api/devices/thermo-1/average" -d type=temperature -d window=1h

say 'The devices with the most events'
ask --get "$api/top-devices" -d type=temperature -d k=3 -d window=1h

say 'The average inside a box'
ask --get "$api/geo/average" -d type=temperature -d window=1h \
  -d min_latitude=47.3 -d max_latitude=47.5 -d min_longitude=8.4 -d max_longitude=8.7

say 'Any other question, as CSV'
ask "$api/sql" -H 'Content-Type: application/json' -H 'Accept: text/csv' -d '{
  "sql": "SELECT device_id, count(*) AS events, max(value) AS highest FROM events WHERE type = $1 GROUP BY device_id ORDER BY 1",
  "params": ["temperature"]
}'

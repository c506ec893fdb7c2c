# One message of mosquitto_sub (-F %J) in, true out where it is what docs/mqtt.md says.
def exactly($names): (keys | sort) == ($names | sort);
def count: type == "number" and . >= 0 and . == floor;
def band: IN("0", "lt11", "11_25", "26_50", "51_100", "101_250", "gt250");
def headed($type): exactly(["v", "msg_id", "box", "session", "seq", "ts", "sent_ts", "type", "data"])
    and .v == 1 and .type == $type and (.session | count) and (.seq | count) and (.ts | count) and (.sent_ts | count);
def feed: exactly(["state", "received", "stored", "quarantined", "refused", "duplicate"])
    and (.state | IN("up", "stale", "off")) and ([.received, .stored, .quarantined, .refused, .duplicate] | all(band));
def metrics: exactly(["mode", "uptime_s", "version", "basis", "queue", "oldest", "dead", "disk_free_percent", "clock_trusted",
        "kernel_clock", "contained", "chain", "crm", "crm_code", "feeds"])
    and (.uptime_s | count) and (.queue | count) and (.dead | band) and (.disk_free_percent % 5 == 0) and (.feeds | map(feed) | all);

.topic as $topic | .payload |
if $topic | endswith("/state") then exactly(["v", "box", "online", "session", "reason"]) and (.online | type == "boolean")
    and (.reason | IN("connected", "shutdown", "lwt"))
elif $topic | endswith("/up/v1/metrics") then headed("metrics") and (.data | metrics)
elif $topic | endswith("/up/v1/event") then headed("event") and (.data | exactly(["number", "code", "severity"]))
else false end
